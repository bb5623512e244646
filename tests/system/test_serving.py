"""Both servers of ``python -m V3 serve`` on one recogniser: what one of them knows of the other."""

from __future__ import annotations

import json

import numpy as np
from audio_samples import silence, speech
from audio_server_rig import frames, run
from clients_rig import answer, answers
from websockets.asyncio.client import connect

from V3.config import RobotConfig
from V3.events import Event, Partial, StreamClosed, StreamOpened
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT
from V3.system.serving import Serving, serving

SETTINGS = RobotConfig().replacing(server={"port": 0}, clients={"port": 0}, answer={"decode_timeout_s": 10})


def urls(parts: Serving) -> tuple[str, str]:
    assert parts.calls is not None
    assert parts.clients is not None
    return f"ws://127.0.0.1:{parts.calls.port}/call/", f"ws://127.0.0.1:{parts.clients.port}"


def test_the_page_of_calls_says_how_long_partials_took(stt: WhisperStreamingSTT) -> None:
    events: list[Event] = []

    async def test() -> None:
        async with serving(SETTINGS, stt=stt, on_event=events.append) as parts:
            calls, clients = urls(parts)
            assert parts.calls is not None
            async with connect(f"{clients}/ws/calls") as page, connect(f"{calls}a") as call:
                # the verdict comes of the first; the second has no end, and is heard in partials
                for frame in frames(np.concatenate([speech("pas_joignable"), silence(1)])):
                    await call.send(frame)
                async for told in answers(page, "call"):
                    if told["call"]["verdict"]:
                        break
                for frame in frames(speech("pas_joignable")):
                    await call.send(frame)
                async for told in answers(page, "call"):
                    if (behind_ms := told["call"]["latency_ms"].get("partial")) is not None:
                        break
                assert behind_ms > 0  # the audio had come before it was decoded
                assert told["call"]["partial"]
                partial = next(event for event in events if isinstance(event, Partial))
                opened = next(event for event in events if isinstance(event, StreamOpened))
                assert parts.calls.behind_ms(partial) is not None
                assert parts.calls.behind_ms(opened) is None
            async with connect(f"{clients}/ws/calls") as page:
                ended = json.loads(await page.recv())["calls"][0]
                while ended["state"] != "ended":
                    ended = (await answer(page, "call"))["call"]
            assert any(isinstance(event, StreamClosed) for event in events)
            assert parts.calls.behind_ms(partial) is None  # it is heard no more

    run(test)


def test_clients_take_of_the_room_that_calls_have(stt: WhisperStreamingSTT) -> None:
    async def test() -> None:
        async with serving(SETTINGS, stt=stt) as parts:
            _, clients = urls(parts)
            assert parts.calls is not None
            assert parts.calls.others() == 0
            async with connect(f"{clients}/captions") as socket:
                await answer(socket, "connected")
                assert parts.calls.others() == 1

    run(test)
