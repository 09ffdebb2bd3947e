// Speech as the documentation has it, with the JavaScript client of today; and a file at a URL.
import { GoogleGenAI, createPartFromUri } from "@google/genai";

const ai = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: process.env.BASE } });

const speak = (text, speechConfig, model = "gemini-2.5-flash-preview-tts") =>
  ai.models.generateContent({
    model,
    contents: [{ parts: [{ text }] }],
    config: { responseModalities: ["AUDIO"], speechConfig },
  });
const voice = (voiceName) => ({ prebuiltVoiceConfig: { voiceName } });
const bytes = (response) =>
  Buffer.from(response.candidates?.[0]?.content?.parts?.[0]?.inlineData?.data, "base64").length;

const one = await speak("Say cheerfully: Have a wonderful day!", { voiceConfig: voice("Kore") });
const two = await speak(
  "TTS the following conversation between Joe and Jane:\nJoe: How's it going today Jane?\nJane: Not too bad, how about you?",
  {
    multiSpeakerVoiceConfig: {
      speakerVoiceConfigs: [
        { speaker: "Joe", voiceConfig: voice("Kore") },
        { speaker: "Jane", voiceConfig: voice("Puck") },
      ],
    },
  },
);
let streamed = 0;
const stream = await ai.models.generateContentStream({
  model: "gemini-2.5-flash",
  contents: "Say hello",
  config: { responseModalities: ["AUDIO"] },
});
for await (const chunk of stream) streamed += bytes(chunk);
const read = await ai.models.generateContent({
  model: "gemini-2.5-flash",
  contents: ["Read:", createPartFromUri(process.env.PAGE, "text/plain")],
});
const details = one.usageMetadata.candidatesTokensDetails[0];
console.log(
  JSON.stringify({
    mime: one.candidates[0].content.parts[0].inlineData.mimeType,
    one: bytes(one),
    tokens: details.tokenCount,
    modality: details.modality,
    two: bytes(two),
    streamed,
    read: read.text,
  }),
);
