"""The script itself: what the browser tests lean on."""

from __future__ import annotations

from web.scripted_server import Client


def test_live_partials_then_a_final() -> None:
    client = Client({})
    client.text({"type": "config", "mode": "live"})
    answers = [answer for _ in range(9) for answer in client.binary(bytes(3200), ("un deux trois",))]
    assert [answer.get("partial", False) for answer in answers] == [True] * (len(answers) - 1) + [False]
    assert (answers[-1]["start"], answers[-1]["end"]) == (0.0, 0.6)


def test_classic_answers_every_message() -> None:
    client = Client({})
    answers = [client.binary(bytes(32000), ("un",)) for _ in range(2)]
    assert [answer[0]["type"] for answer in answers] == ["buffering", "transcription"]
