"""What the audio server tells of its room, and how it drains."""

from __future__ import annotations

import asyncio

import pytest
from audio_samples import silence
from audio_server_rig import CALL, listening, run, stream
from scripted_engine import ScriptedEngine
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from V3.errors import CapacityReached
from V3.events import Capacity, Event, StreamClosed, StreamOpened, from_json
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

OTHER = "other-call"


class Engine(ScriptedEngine):
    """One whose capacity changes."""

    capacity = 10


async def told(socket: ClientConnection) -> Capacity:
    """The next news of room on a stream."""
    async with asyncio.timeout(20):
        while not isinstance(event := from_json(str(await socket.recv())), Capacity):
            pass
    return event


async def refused(url: str) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        await connect(url)
    response = caught.value.response
    return response.status_code, (response.body or b"").decode().strip()


def test_room_is_told_on_every_stream_when_it_changes_and_not_to_the_calls_handlers() -> None:
    async def test() -> None:
        engine, handled = Engine(), list[Event]()
        async with listening(engine, send_events=True, accept_any=True, amd=False) as ears:
            ears.server.expect(CALL, handled.append)
            async with connect(ears.url()) as first, connect(ears.url(OTHER)) as second:
                assert (await told(first)).room == 9
                assert (await told(second)).room == 8
                engine.capacity = 2
                for socket, call_id in ((first, CALL), (second, OTHER)):
                    while (news := await told(socket)).room > 0:
                        pass
                    assert (news.call_id, news.capacity, news.calls, news.draining) == (call_id, 2, 2, False)
                await stream(first, silence(0.02))
                await ears.first(StreamOpened)
            assert {event.call_id for event in ears.events if isinstance(event, Capacity)} == {CALL, OTHER}
        assert [event for event in handled if isinstance(event, Capacity)] == []

    run(test)


def test_a_server_that_drains_takes_no_new_calls_and_waits_for_those_it_hears() -> None:
    async def test() -> None:
        async with listening(Engine(), send_events=True, accept_any=True, amd=False) as ears:
            ears.server.expect("dialled", lambda _event: None)
            async with connect(ears.url()) as socket:
                await stream(socket, silence(0.02))
                await ears.first(StreamOpened)
                draining = asyncio.create_task(ears.server.drain(20))
                while not (news := await told(socket)).draining:
                    pass
                assert news.room == 0
                stopped = "the server is being stopped and takes no new calls"
                assert await refused(ears.url(OTHER)) == (503, stopped)
                assert ears.server.refusals == {"draining": 1}
                with pytest.raises(CapacityReached, match="being stopped"):
                    ears.server.expect(OTHER, lambda _event: None)
                async with connect(ears.url("dialled")):  # it was rung up before: it is heard
                    assert ears.server.streams == 2
                assert not draining.done()
            await ears.first(StreamClosed)
            assert await draining
            async with connect(ears.url()):  # FreeSWITCH starts a stream that was lost once more
                assert ears.server.streams == 1

    run(test)


def test_draining_has_a_bound() -> None:
    async def test() -> None:
        async with listening(Engine(), accept_any=True, amd=False) as ears, connect(ears.url()):
            assert not await ears.server.drain(0.05)
            assert ears.server.streams == 1

    run(test)


def test_a_call_in_stereo_takes_two_places(stt: WhisperStreamingSTT, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WhisperStreamingSTT, "capacity", 4)

    async def test() -> None:
        async with listening(stt, accept_any=True, amd=False) as ears, connect(ears.url(query="?channels=2")) as socket:
            await socket.send(bytes(1280))
            await ears.first(StreamOpened)
            assert (ears.server.calls, ears.server.room) == (1, 2)

    run(test)
