"""One call's line against a peer that falls silent at the worst moment."""

from __future__ import annotations

from esl_client_peer import answering, with_client
from esl_peer import Connection, Peer, answer, event, reply

from V3.clock import Clock
from V3.telephony.esl import EslClient
from V3.telephony.line import Line

UUID = ("Unique-ID", "one-call")


def test_a_hang_up_whose_question_is_not_answered_is_tried_again() -> None:
    """The first uuid_kill does nothing, and what became of the channel is not told in time."""
    kills: list[str] = []

    def say(_connection: Connection, command: str) -> bytes | None:
        if command.startswith("api uuid_exists one-call"):
            return answer("false")
        if command.startswith("bgapi originate"):
            job = command.partition("Job-UUID: ")[2]
            result = event("BACKGROUND_JOB", ("Job-UUID", job), body=b"+OK one-call\n")
            return reply(f"+OK Job-UUID: {job}") + event("CHANNEL_ANSWER", UUID) + result
        if command.startswith("api uuid_dump"):
            return b""
        if command.startswith("api uuid_kill"):
            kills.append(command)
            ended = event("CHANNEL_HANGUP_COMPLETE", UUID, ("Hangup-Cause", "NORMAL_CLEARING"))
            return answer("+OK\n") + (ended if len(kills) > 1 else b"")
        return None

    async def body(client: EslClient, _peer: Peer) -> None:
        line = Line(client, uuid="one-call", clock=Clock(50.0))
        await line.dial("loopback/0199001299/default", {}, ring_s=100)
        assert (await line.hang_up()).cause == "NORMAL_CLEARING"
        line.close()

    with_client(answering(say), body, reply_timeout_s=0.1)
    assert len(kills) == 2
