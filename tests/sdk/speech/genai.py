"""Speech as the documentation has it, with the Python client of today; and a file at a URL."""
import json
import os
import sys
import wave

from google import genai
from google.genai import types

client = genai.Client(api_key="k", http_options={"base_url": os.environ["BASE"]})


def voice(name):
    return types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name=name))


def speak(words, speech, model="gemini-2.5-flash-preview-tts"):
    config = types.GenerateContentConfig(response_modalities=["AUDIO"], speech_config=speech)
    return client.models.generate_content(model=model, contents=words, config=config)


one = speak("Say cheerfully: Have a wonderful day!", types.SpeechConfig(voice_config=voice("Kore")))
part = one.candidates[0].content.parts[0]
with wave.open("out.wav", "wb") as out:  # the documentation's own way to keep it
    out.setnchannels(1)
    out.setsampwidth(2)
    out.setframerate(24000)
    out.writeframes(part.inline_data.data)

two = speak("TTS the following conversation between Joe and Jane:\nJoe: How's it going today Jane?\nJane: Not too bad, how about you?",
            types.SpeechConfig(multi_speaker_voice_config=types.MultiSpeakerVoiceConfig(speaker_voice_configs=[
                types.SpeakerVoiceConfig(speaker="Joe", voice_config=voice("Kore")),
                types.SpeakerVoiceConfig(speaker="Jane", voice_config=voice("Puck"))])))

streamed = b""
for chunk in client.models.generate_content_stream(
        model="gemini-2.5-flash", contents="Say hello",
        config=types.GenerateContentConfig(response_modalities=["AUDIO"])):
    for p in chunk.candidates[0].content.parts:
        streamed += p.inline_data.data if p.inline_data else b""

read = client.models.generate_content(model="gemini-2.5-flash", contents=[
    "Read:", types.Part.from_uri(file_uri=os.environ["PAGE"], mime_type="text/plain")])
print(json.dumps({
    "mime": part.inline_data.mime_type, "one": len(part.inline_data.data),
    "tokens": one.usage_metadata.candidates_tokens_details[0].token_count,
    "modality": one.usage_metadata.candidates_tokens_details[0].modality.value,
    "two": len(two.candidates[0].content.parts[0].inline_data.data), "streamed": len(streamed), "read": read.text}))
sys.exit(0)
