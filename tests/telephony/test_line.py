"""One call's line against a peer: what FreeSWITCH tells of prompts and of the end, and when it falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from esl_client_peer import answering, with_client
from esl_peer import Connection, Peer, answer, event, reply

from V3.clock import Clock
from V3.telephony.codec import EslEvent
from V3.telephony.esl import EslClient
from V3.telephony.line import Line, Playback

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


PATH = "/p/prompt.wav"
Say = Callable[[str], bytes | None]


def on_a_line(say: Say, body: Callable[[Line, asyncio.Event], Awaitable[None]]) -> list[str]:
    """Dial a call that is answered at once and do ``body`` on its line; the event is set when the end begins."""
    commands: list[str] = []

    def peer(_connection: Connection, command: str) -> bytes | None:
        commands.append(command)
        if command.startswith("api uuid_exists one-call"):
            return answer("false")
        if command.startswith("bgapi originate"):
            job = command.partition("Job-UUID: ")[2]
            result = event("BACKGROUND_JOB", ("Job-UUID", job), body=b"+OK one-call\n")
            return reply(f"+OK Job-UUID: {job}") + event("CHANNEL_ANSWER", UUID) + result
        if command.startswith("api uuid_kill"):
            return answer("+OK\n") + event("CHANNEL_HANGUP_COMPLETE", UUID, ("Hangup-Cause", "NORMAL_CLEARING"))
        return say(command)

    async def dialled(client: EslClient, _peer: Peer) -> None:
        ending = asyncio.Event()

        def notify(told: EslEvent) -> None:
            if told.name == "CHANNEL_HANGUP":
                ending.set()

        line = Line(client, uuid="one-call", clock=Clock(1.0), notify=notify)
        await line.dial("loopback/0199001299/default", {}, ring_s=100)
        await body(line, ending)
        line.close()

    with_client(answering(peer), dialled)
    return commands


def plays(position: str, *, rate: str = "8000", status: str = "break") -> Say:
    """Starts what it is told to play, and stops it at a break, at this position (samples)."""
    path = ("Playback-File-Path", PATH)  # never with the offset

    def say(command: str) -> bytes | None:
        if command.startswith("sendmsg one-call"):
            # as in FreeSWITCH, the position of START is the last playback's
            return reply("+OK") + event("PLAYBACK_START", UUID, path, ("variable_playback_last_offset_pos", "99999"))
        if command.startswith("api uuid_break"):
            where = ("variable_playback_last_offset_pos", position)
            what = ("Playback-Status", status), ("Channel-Write-Codec-Rate", rate)
            return answer("+OK\n") + event("PLAYBACK_STOP", UUID, path, where, *what)
        return None

    return say


@pytest.mark.parametrize(
    ("from_samples", "position", "rate", "played_ms"),
    [
        (0, "15840", "8000", 1980),
        (64_000, "80000", "8000", 2000),  # the position is the file's, the offset included
        (128_000, "144000", "8000", 2000),  # a file of 16 kHz: the offset at its rate, what was played at the channel's
        (32_000, "64000", "16000", 2000),
        (0, "8000", "", 1000),  # no rate told: a telephone's
    ],
)
def test_how_much_of_a_prompt_was_played(from_samples: int, position: str, rate: str, played_ms: int) -> None:
    async def body(line: Line, _ending: asyncio.Event) -> None:
        playback = await line.play(PATH, from_samples=from_samples)
        await line.stop_playing(playback)
        assert playback.played_ms == played_ms
        assert playback.stopped.result() == "break"
        await line.hang_up()

    commands = on_a_line(plays(position, rate=rate), body)
    (sent,) = [command for command in commands if command.startswith("sendmsg")]
    wanted = f"{PATH}@@{from_samples}" if from_samples else PATH
    assert f"execute-app-arg: {wanted}\n" in sent + "\n"


@pytest.mark.parametrize("position", ["", "what", "63999"])
def test_a_position_that_cannot_be_is_replaced_by_the_clock(position: str) -> None:
    async def body(line: Line, _ending: asyncio.Event) -> None:
        playback = await line.play(PATH, from_samples=64_000)
        await line.stop_playing(playback)
        assert playback.played_ms == playback.stop_ms - playback.start_ms
        await line.hang_up()

    on_a_line(plays(position), body)


def test_the_events_of_another_file_are_not_the_prompts() -> None:
    other = ("Playback-File-Path", "/p/other.wav")

    def say(command: str) -> bytes | None:
        said = plays("8000")(command)
        stray = event("PLAYBACK_STOP", UUID, other, ("Playback-Status", "done"))
        return said + stray if said is not None and command.startswith("sendmsg") else said

    async def body(line: Line, _ending: asyncio.Event) -> None:
        playback: Playback = await line.play(PATH)
        await line.stop_playing(playback)
        assert playback.stopped.result() == "break"
        assert not playback.heard_out
        await line.hang_up()

    on_a_line(say, body)


@pytest.mark.parametrize("callee_first", [True, False])
def test_a_hang_up_of_ours_after_the_callees_is_the_callees(callee_first: bool) -> None:
    def say(command: str) -> bytes | None:
        if command.startswith("api uuid_audio_stream"):
            began = event("CHANNEL_HANGUP", UUID, ("Hangup-Cause", "NORMAL_CLEARING"))
            return answer("+OK Success\n") + (began if callee_first else b"")
        return None

    async def body(line: Line, ending: asyncio.Event) -> None:
        await line.start_audio("ws://127.0.0.1:1/call/one-call", {})
        if callee_first:
            async with asyncio.timeout(20):
                await ending.wait()
        assert (await line.hang_up()).by_us is not callee_first

    on_a_line(say, body)
