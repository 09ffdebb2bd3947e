"""Questions that are asked in sound, pictures, pages and films, to the default model."""

import pytest

from media_files import blob, film, pdf, picture, sound

pytestmark = [pytest.mark.model, pytest.mark.timeout(900)]
SHORT = {"temperature": 0, "maxOutputTokens": 60}


@pytest.mark.parametrize("make, mime, question, words", [
    (lambda folder: sound("mp3"), "audio/mp3", "Answer the question that is asked in the audio.", "Paris"),
    (lambda folder: picture("ROOM 4217"), "image/png", "Which number is on the sign?", "4217"),
    (lambda folder: pdf("The keeper of the lighthouse is called Ingrid Solheim."), "application/pdf",
     "What is the keeper's name?", "Ingrid"),
    (lambda folder: film("mp4", str(folder)), "video/mp4", "Which two signs are shown in the video?", "SECOND SIGN"),
])
def test_the_default_model_answers(server, tmp_path, make, mime, question, words):
    """proves: G020 G029"""
    answer = server.generate([{"parts": [blob(make(tmp_path), mime), {"text": question}]}], SHORT, timeout=300)
    assert answer.status == 200 and words in answer.said, answer
