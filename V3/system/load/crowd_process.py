"""The simulated FreeSWITCH of a load, in a process of its own: its cost is not the robot's.

``SimulatorProcess`` starts it and hands over what it saw of each call. As a program (``python -m
V3.system.load.crowd_process``) it writes JSON lines: first ``{"port": N}``, then a call each time one is gone. It ends
when its standard input does, so that it never outlives who started it, and not by the terminal's Ctrl-C: the robot's
calls are hung up first.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from V3.errors import SimulatorError
from V3.load.heard import HeardCall, HeardPrompt, HeardSpeech
from V3.simulator import CallTruth, FreeSwitchSimulator
from V3.simulator.cast import CALLEES, crowd
from V3.simulator.sound import load_sound

__all__ = ["SimulatorProcess", "heard_of"]

START_S: Final = 20.0
END_S: Final = 5.0
MAX_SESSIONS: Final = 5000
MAX_KEPT: Final = 20_000  # calls that nobody asked for: the oldest are forgotten beyond
MAX_LINE_BYTES: Final = 1 << 20
_SOUNDS: Final = CALLEES.parent / "sounds"


class SimulatorProcess:
    """A context manager; ``port`` is its event socket's, ``pid`` the process."""

    def __init__(self, *, speed: float = 1.0) -> None:
        self._speed = speed
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._heard: dict[str, HeardCall] = {}
        self._news = asyncio.Event()
        self.port = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> SimulatorProcess:
        """Raises SimulatorError when it does not come up."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "V3.system.load.crowd_process", str(self._speed)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=MAX_LINE_BYTES,
        )
        try:
            self.port = await self._read_port(self._process)
        except BaseException:
            await self._end()
            raise
        self._reader = asyncio.create_task(self._read_calls(self._process), name="simulator's calls")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def heard(self, call_id: str, timeout_s: float) -> HeardCall | None:
        """What it saw of a call that is over; None where that does not come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while call_id not in self._heard and self._reader is not None and not self._reader.done():
                    self._news.clear()
                    await self._news.wait()
        return self._heard.pop(call_id, None)

    async def _read_port(self, process: asyncio.subprocess.Process) -> int:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                return int(json.loads(await process.stdout.readline())["port"])
        except (TimeoutError, ValueError, KeyError, TypeError) as exc:
            raise SimulatorError("the simulator did not come up in its own process") from exc

    async def _read_calls(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                with contextlib.suppress(ValidationError):
                    call = HeardCall.model_validate_json(line)
                    self._heard[call.call_id] = call
                while len(self._heard) > MAX_KEPT:
                    del self._heard[next(iter(self._heard))]
                self._news.set()
        finally:
            self._news.set()

    async def _end(self) -> None:
        """Close its standard input and see it gone."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        finally:
            if self._reader is not None:
                self._reader.cancel()
                await asyncio.gather(self._reader, return_exceptions=True)


def heard_of(truth: CallTruth) -> HeardCall:
    """What there is to tell of a call."""
    speech = (HeardSpeech(onset_ms=said.start_ms + _onset_ms(said.file), end_ms=said.end_ms) for said in truth.speech)
    prompts = (
        HeardPrompt(start_ms=prompt.start_ms, stop_ms=prompt.stop_ms, status=prompt.status)
        for prompt in truth.prompts
        if prompt.stop_ms is not None
    )
    return HeardCall(call_id=truth.uuid, speech=tuple(speech), prompts=tuple(prompts))


def _onset_ms(file: str) -> float:
    path = _SOUNDS / Path(file).name
    return load_sound(path).onset_ms if path.is_file() else 0.0


async def _serve(speed: float) -> None:
    async with FreeSwitchSimulator(crowd, speed=speed, max_sessions=MAX_SESSIONS) as simulator:
        simulator.on_call_gone.append(lambda truth: _tell(heard_of(truth).model_dump_json()))
        _tell(json.dumps({"port": simulator.port}))
        await asyncio.to_thread(sys.stdin.read)


def _tell(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever asked is gone: the end of standard input ends this too
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
