"""What readers make of sound and pictures is enough for a small model to answer what is asked in them."""

import pytest

from media_files import blob, picture, speech

pytestmark = pytest.mark.timeout(300)
SHORT = {"temperature": 0, "maxOutputTokens": 40}


def test_a_small_model_answers_what_is_asked_in_sound_and_image(real):
    answer = real.generate([{"parts": [{"text": "Answer the question that is asked in the audio."}, blob(speech(), "audio/wav")]}],
                           SHORT, timeout=200)
    assert answer.status == 200 and "Paris" in answer.said, answer
    answer = real.generate([{"parts": [blob(picture("ROOM 4217"), "image/png"), {"text": "Which number is on the sign?"}]}],
                           SHORT, timeout=200)
    assert answer.status == 200 and "4217" in answer.said, answer
