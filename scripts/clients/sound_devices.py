"""Sound that this machine hears and plays: sounddevice (PortAudio), and PulseAudio's or PipeWire's own monitor.

What a machine plays can be recorded where the system offers it: a device of that kind among PortAudio's inputs (a
monitor, Stereo Mix, BlackHole), else `parec` from the default monitor. Samples come as float32 at 16 kHz, in pieces of
a tenth of a second; a reader that is late loses the oldest, and how many is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import subprocess
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from scripts.clients.link import ClientFailed
from V3.audio.pcm import RATE_HZ, Audio, Resampler, from_l16

__all__ = ["Device", "Recording", "chosen", "devices", "is_monitored", "microphone", "monitor_of", "sounddevice"]

_WAITING: Final = 50  # pieces
_PIECE_S: Final = 0.1
_SILENT_TIMEOUT_S: Final = 10.0  # a device that is there gives samples all the time, of silence too
_PACTL_TIMEOUT_S: Final = 5.0
_MONITORS: Final = re.compile(r"monitor|loopback|stereo mix|blackhole|what u hear|soundflower", re.IGNORECASE)
_PAREC: Final = (
    "--device=@DEFAULT_MONITOR@",
    "--format=s16le",
    f"--rate={RATE_HZ}",
    "--channels=1",
    "--latency-msec=50",
)


@dataclass(frozen=True, slots=True)
class Device:
    """Something that sound comes in by."""

    index: int
    name: str
    channels: int
    rate_hz: int
    is_default: bool

    @property
    def plays_back(self) -> bool:
        """Whether it gives what the machine plays."""
        return bool(_MONITORS.search(self.name))


def sounddevice() -> Any:
    """The module. Raises ClientFailed that says how to get it, or PortAudio."""
    try:
        import sounddevice as module  # noqa: PLC0415 - an extra: its absence is said here
    except ImportError as exc:
        raise ClientFailed("the package sounddevice is missing: pip install 'V3[mic]'") from exc
    except OSError as exc:
        raise ClientFailed(f"{exc}: on Debian, apt-get install libportaudio2") from exc
    return module


def devices(module: Any) -> list[Device]:
    """All inputs. Raises ClientFailed when sound cannot be asked for at all."""
    try:
        found, (default, _) = module.query_devices(), module.default.device
        return [
            Device(
                index=index,
                name=str(each["name"]),
                channels=int(each["max_input_channels"]),
                rate_hz=round(each["default_samplerate"]),
                is_default=index == default,
            )
            for index, each in enumerate(found)
            if each["max_input_channels"] > 0
        ]
    except module.PortAudioError as exc:
        raise ClientFailed(f"this machine's sound cannot be used: {exc}") from exc


def chosen(inputs: Sequence[Device], asked: str) -> Device:
    """The device of that number, or the one whose name has these words. Raises ClientFailed that names them all."""
    matching = [each for each in inputs if asked == str(each.index) or asked.lower() in each.name.lower()]
    exact = [each for each in inputs if asked == str(each.index)] or matching
    if len(exact) == 1:
        return exact[0]
    known = "; ".join(f"{each.index} {each.name}" for each in matching or inputs) or "none at all"
    raise ClientFailed(f"{'several inputs are' if matching else 'no input is'} called {asked!r}: {known}")


def microphone(inputs: Sequence[Device]) -> Device | None:
    """The default input, or the first that is a microphone; None where there is none."""
    spoken = [each for each in inputs if not each.plays_back]
    return next((each for each in spoken if each.is_default), next(iter(spoken), None))


def monitor_of(inputs: Sequence[Device]) -> Device | None:
    """The first input that gives what the machine plays; None where there is none."""
    return next((each for each in inputs if each.plays_back), None)


def is_monitored() -> bool:
    """Whether PulseAudio or PipeWire runs, with the tools to record what it plays."""
    if shutil.which("parec") is None or (pactl := shutil.which("pactl")) is None:
        return False
    try:
        ran = subprocess.run([pactl, "info"], capture_output=True, timeout=_PACTL_TIMEOUT_S, check=False)  # noqa: S603 - found by name above
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0


class Recording:
    """Samples of one device, or without one of the default monitor."""

    def __init__(self, module: Any, device: Device | None) -> None:
        self._module = module
        self._device = device
        self._pieces: deque[Audio] = deque()
        self._filled = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.lost = 0

    async def pieces(self, seconds: float) -> AsyncIterator[Audio]:
        """What is heard, for so long; 0: until it is stopped. Raises ClientFailed when the device gives no more."""
        left = seconds * RATE_HZ
        async with contextlib.aclosing(self._pulse() if self._device is None else self._port(self._device)) as pieces:
            async for piece in pieces:
                yield piece
                left -= piece.size
                if seconds and left <= 0:
                    return

    async def _port(self, device: Device) -> AsyncGenerator[Audio, None]:
        down = Resampler(device.rate_hz, RATE_HZ)
        try:
            stream = self._module.InputStream(
                device=device.index,
                samplerate=device.rate_hz,
                channels=min(2, device.channels),
                blocksize=round(device.rate_hz * _PIECE_S),
                dtype="float32",
                callback=self._take,
            )
            with stream:
                while True:
                    yield down.push(await self._next(device.name))
        except self._module.PortAudioError as exc:
            raise ClientFailed(f"{device.name} cannot be recorded: {exc}") from exc

    def _take(self, samples: Any, _frames: int, _time: Any, _status: Any) -> None:
        """In PortAudio's thread."""
        piece = np.asarray(samples, dtype=np.float32).mean(axis=1)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            self._loop.call_soon_threadsafe(self._put, piece)

    def _put(self, piece: Audio) -> None:
        if len(self._pieces) >= _WAITING:
            self._pieces.popleft()
            self.lost += 1
        self._pieces.append(piece)
        self._filled.set()

    async def _next(self, name: str) -> Audio:
        try:
            async with asyncio.timeout(_SILENT_TIMEOUT_S):
                while not self._pieces:
                    self._filled.clear()
                    await self._filled.wait()
        except TimeoutError as exc:
            raise ClientFailed(f"{name} has given no sound for {_SILENT_TIMEOUT_S:g} s") from exc
        return self._pieces.popleft()

    async def _pulse(self) -> AsyncGenerator[Audio, None]:
        process = await asyncio.create_subprocess_exec(
            "parec", *_PAREC, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        size = 2 * round(RATE_HZ * _PIECE_S)
        try:
            while True:
                yield from_l16(await process.stdout.readexactly(size))
        except asyncio.IncompleteReadError as exc:
            why = (await process.stderr.read(500)).decode(errors="replace").strip()
            raise ClientFailed(f"parec ended: {why or 'it gave no reason'}") from exc
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.communicate()
