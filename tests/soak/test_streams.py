"""200 streaming clients for a minute, on a script and on the small model. SOAK_SECONDS=5 for a try."""

import os

import pytest
import streams

import pollux

SECONDS = float(os.environ.get("SOAK_SECONDS", 60))


@pytest.mark.timeout(600)
def test_on_a_script(capsys):
    """proves: H014 S002 S015"""
    with streams.scripted_server(pollux) as server, capsys.disabled():
        print()
        wrong = streams.soak(server.base, streams.scripted_asks(), {}, seconds=SECONDS, server=server)
    assert not wrong, "\n".join(wrong)


@pytest.mark.model
@pytest.mark.timeout(1200)
def test_on_a_model(capsys):
    """proves: G075 S002"""
    with streams.model_server(pollux) as server, capsys.disabled():
        print()
        wrong = streams.soak(server.base, streams.model_asks(server), streams.GREEDY, seconds=SECONDS,
                             patience=300, server=server)
    assert not wrong, "\n".join(wrong)
