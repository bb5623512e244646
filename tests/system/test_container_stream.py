"""Recorders' streams to samples: as they arrive, and on after damage."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from audio_samples import speech
from audio_server_rig import run
from recorded import CONTAINERS, pieces, recorded

from V3.audio.pcm import Audio
from V3.errors import AudioError
from V3.system.services.container_stream import ContainerStream

SPOKEN = speech("pas_joignable")


class Ears:
    """What came out."""

    def __init__(self) -> None:
        self.parts: list[Audio] = []
        self.errors: list[str] = []
        self._news = asyncio.Event()

    async def hear(self, heard: Audio | AudioError) -> None:
        if isinstance(heard, AudioError):
            self.errors.append(str(heard))
        else:
            self.parts.append(heard)
        self._news.set()

    @property
    def samples(self) -> int:
        return sum(part.size for part in self.parts)

    async def until(self, samples: int) -> None:
        async with asyncio.timeout(20):
            while self.samples < samples:
                self._news.clear()
                await self._news.wait()


def likeness(heard: Audio, spoken: Audio) -> float:
    """Correlation at the best shift: codecs delay."""
    size = 1 << (heard.size + spoken.size).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(spoken, size)), size)
    return float(product.max() / np.linalg.norm(heard) / np.linalg.norm(spoken))


@pytest.mark.parametrize("container", CONTAINERS)
def test_sound_comes_out_while_its_stream_comes_in(container: str) -> None:
    async def test() -> None:
        ears = Ears()
        stream = ContainerStream(ears.hear, name="test")
        messages = list(pieces(recorded(SPOKEN, container), 24))
        for count, message in enumerate(messages, start=1):
            await stream.feed(message)
            # all but the unit under way: a page or fragment holds a third of a second, a codec some ms
            await ears.until(int(SPOKEN.size * count / 24) - 16_000)
        await stream.close()
        assert ears.errors == []
        heard = np.concatenate(ears.parts)
        assert heard.size == pytest.approx(SPOKEN.size, abs=1000)
        assert likeness(heard, SPOKEN) > 0.9

    run(test)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("damage", ["zeros", "lost"])
def test_a_damaged_message_is_named_and_what_follows_is_heard(container: str, damage: str) -> None:
    async def test() -> None:
        ears = Ears()
        stream = ContainerStream(ears.hear, name="test")
        messages = list(pieces(recorded(SPOKEN, container), 24))
        messages[12:13] = [bytes(len(messages[12]))] if damage == "zeros" else []
        for message in messages:
            await stream.feed(message)
        await stream.close()
        assert ears.errors
        assert ears.samples > SPOKEN.size * 0.75
        heard = np.concatenate(ears.parts)
        assert likeness(heard[-40_000:], SPOKEN[-40_000:]) > 0.9

    run(test)


def test_what_is_no_container_is_named_and_one_that_follows_is_heard() -> None:
    async def test() -> None:
        ears = Ears()
        stream = ContainerStream(ears.hear, name="test")
        await stream.feed(b"no container at all, but text that goes on for a while")
        head = recorded(SPOKEN, "webm")[:150]
        await stream.feed(head + b"nonsense after a head")
        await stream.feed(recorded(SPOKEN, "webm"))
        await stream.close()
        assert ears.errors[0].startswith("bytes that are no WebM, Ogg or MP4")
        assert len(ears.errors) >= 2
        assert ears.samples == pytest.approx(SPOKEN.size, abs=1600)

    run(test)


def test_a_stream_that_is_dropped_ends_its_thread_though_nobody_takes_what_it_has() -> None:
    async def test() -> None:
        begun, never = asyncio.Event(), asyncio.Event()

        async def hear(_: Audio | AudioError) -> None:
            begun.set()
            await asyncio.wait_for(never.wait(), 20)

        stream = ContainerStream(hear, name="dropped")
        await stream.feed(recorded(SPOKEN, "ogg"))
        await begun.wait()
        never.set()
        await stream.abort()
        threads = [thread for thread in threading.enumerate() if thread.name == "container dropped"]
        await asyncio.gather(*(asyncio.to_thread(thread.join, 10) for thread in threads))
        assert not any(thread.is_alive() for thread in threads)

    run(test)


def test_feeding_waits_while_the_thread_is_behind() -> None:
    async def test() -> None:
        gate = asyncio.Event()

        async def hear(_: Audio | AudioError) -> None:
            await gate.wait()

        stream = ContainerStream(hear, name="slow")
        fed = 0

        async def feed() -> None:
            nonlocal fed
            for message in pieces(recorded(SPOKEN, "webm"), 60):
                await stream.feed(message)
                fed += 1

        feeding = asyncio.create_task(feed())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.shield(feeding)
        assert fed < 30
        gate.set()
        await feeding
        assert fed == 60
        await stream.close()

    run(test)
