"""Thirty clients at once on ``python -m V3 serve``: all four dialects and telephone calls, each with its own sentence.

    python scripts/soak_clients.py --seconds 120

Every client says its sentence again and again, in real time. Checked: what it hears is its own sentence and nobody
else's (cross-talk), no error and no close that was not asked for, and the server's memory. Then the clients are killed
one after the other, their TCP connections cut, while the others go on. Sentences are pieces of the recordings in this
repository; what each one should sound like is what the model hears of it alone. Exit status 1 when anything is wrong.

A call is a new one for each sentence: how long its verdict takes after the audio it was given on is told, and
``--kinds call`` tells the same without the other clients.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import asyncio
import contextlib
import difflib
import functools
import io
import itertools
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final

import numpy as np
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from scripts.clients.recording import WebmRecorder
from scripts.soak.watch import Watch
from V3.audio.pcm import SAMPLES_PER_MS, Audio, to_l16
from V3.audio.vad import EdgeKind, VoiceActivity
from V3.calls.words import fold
from V3.system.services.audio_files import read_audio
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

ROOT: Final = Path(__file__).resolve().parents[1]
RECORDINGS: Final = ("tests/data/*.wav", "V3/simulator/sounds/*.wav", "config/scenarios/prompts/*.wav")
KINDS: Final = ("captions", "classic", "sources", "vad", "recorder", "call")
CHUNK_S: Final = {"captions": 0.1, "classic": 1.0, "sources": 0.2, "vad": 0.02, "recorder": 0.3, "call": 0.02}
PAUSE_S: Final = 2.2  # after a sentence: every answer is there by then
MIN_PIECE_MS: Final = 500
LIKE: Final = 0.8  # two sentences that are more alike are not both used


@dataclass(slots=True)
class Sentence:
    """What one client says, and what the model hears of it alone."""

    audio: Audio
    text: str


@dataclass(slots=True)
class Client:
    """One client and what happened to it."""

    kind: str
    number: int
    sentence: Sentence
    socket: ClientConnection | None = None
    texts: list[str] = field(default_factory=list)
    rounds: int = 0
    own: list[float] = field(default_factory=list)
    crossed: list[str] = field(default_factory=list)
    empty: int = 0
    errors: list[str] = field(default_factory=list)
    killed: bool = False
    sent_s: list[float] = field(default_factory=list)  # when each message of this sentence was sent
    verdict_ms: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.number}"


def main() -> int:
    """Run it and print what came out."""
    asked = _parser().parse_args()
    sentences = distinct_sentences(asked.clients)
    clients = [Client(asked.kinds[n % len(asked.kinds)], n, sentence) for n, sentence in enumerate(sentences)]
    with served() as (process, ports):
        result = asyncio.run(soak(clients, process, ports, seconds=asked.seconds))
    report(clients, result)
    wrong = any(client.errors or client.crossed or not client.rounds for client in clients)
    return 1 if wrong or result["ended_early"] else 0


# ---- what is said


def distinct_sentences(count: int) -> list[Sentence]:
    """Pieces of the bundled recordings that the model tells apart. Raises SystemExit when there are too few."""
    chosen: list[Sentence] = []
    with WhisperStreamingSTT("telephone-fr", "cpu", "default") as stt:
        for piece in sorted(spoken_pieces(), key=len, reverse=True):
            text = fold(stt.transcribe(piece).text)
            if len(text.split()) >= 2 and all(ratio(text, other.text) < LIKE for other in chosen):
                chosen.append(Sentence(piece, text))
    if len(chosen) < count:
        raise SystemExit(f"{len(chosen)} different sentences are there for {count} clients")
    return chosen[:count]


def spoken_pieces() -> Iterator[Audio]:
    """Recordings cut at their pauses."""
    for path in sorted(itertools.chain.from_iterable(ROOT.glob(pattern) for pattern in RECORDINGS)):
        audio = read_audio(path)
        voice = VoiceActivity(end_ms=60)
        start = 0
        for edge in [*voice.push(audio), *voice.flush()]:
            if edge.kind is EdgeKind.STARTED:
                start = max(0, edge.edge_ms - 80)
            elif edge.edge_ms - start >= MIN_PIECE_MS:
                yield audio[start * SAMPLES_PER_MS : (edge.edge_ms + 80) * SAMPLES_PER_MS]


def ratio(heard: str, said: str) -> float:
    return difflib.SequenceMatcher(None, heard, said).ratio()


# ---- the server


@contextlib.contextmanager
def served() -> Iterator[tuple[psutil.Process, dict[str, int]]]:
    """A server process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "V3", "serve", "--port", "0", "--calls-port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    try:
        assert process.stdout is not None
        ports: dict[str, int] = {}
        for line in process.stdout:
            if found := re.match(r"(listening|clients) on (?:http://)?127\.0\.0\.1:(\d+)", line):
                ports[found[1]] = int(found[2])
            if "Ctrl-C" in line:
                break
        threading.Thread(target=_read_away, args=(process.stdout,), daemon=True).start()
        yield psutil.Process(process.pid), ports
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


async def soak(
    clients: list[Client], process: psutil.Process, ports: dict[str, int], *, seconds: float
) -> dict[str, Any]:
    """All clients for so long, then each killed in turn."""
    watch = Watch(process, every_s=min(2.0, seconds / 2))
    known = [client.sentence for client in clients]
    over = asyncio.Event()
    for client in clients:  # what is sent is made before: making it would hold up the others, and the clock
        list(messages(client, spoken(client)))
    tasks = [asyncio.create_task(run(client, ports, known, over)) for client in clients]
    watching = asyncio.create_task(watch.run())
    began_s, cpu_s = time.monotonic(), sum(process.cpu_times()[:2])
    await asyncio.wait((watching,), timeout=seconds)  # it ends early with the process
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    cpu_share = (sum(process.cpu_times()[:2]) - cpu_s) / (time.monotonic() - began_s)
    metrics = await page(ports["clients"], "/metrics")
    rounds_before = sum(client.rounds for client in clients)
    for client in clients:
        client.killed = True
        if client.socket is not None:
            client.socket.transport.abort()
        await asyncio.sleep(0.7)
    over.set()
    await asyncio.gather(*tasks)
    await asyncio.sleep(2)
    ready = json.loads(await page(ports["clients"], "/readyz"))
    return {
        "seconds": seconds,
        "memory_mb": [sample.memory_mb for sample in watch.samples],
        "cpu_cores": cpu_share,
        "rounds_while_killing": sum(client.rounds for client in clients) - rounds_before,
        "streams_after": ready["streams"],
        "memory_after_mb": process.memory_info().rss / 1e6,
        "engine": dict(re.findall(r"^voicebot_engine_(\w+) (\S+)$", metrics, re.MULTILINE)),
        "ended_early": not process.is_running(),
    }


def _read_away(output: IO[str]) -> None:
    """What the server prints is not kept, and its pipe must not fill."""
    for _ in output:
        pass


async def page(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    reply = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return reply.partition("\r\n\r\n")[2]


# ---- the clients


async def run(client: Client, ports: dict[str, int], known: list[Sentence], over: asyncio.Event) -> None:
    """One client's life: what goes wrong is noted, unless it was killed."""
    try:
        await asyncio.sleep(0.13 * client.number)  # not all in step
        while not over.is_set() and not client.killed:
            await connected(client, ports, known, over)
    except (ConnectionClosed, OSError) as exc:
        if not client.killed:
            client.errors.append(f"{type(exc).__name__}: {exc}")


async def connected(client: Client, ports: dict[str, int], known: list[Sentence], over: asyncio.Event) -> None:
    """One connection: of a call for one sentence, of another client to the end."""
    async with connect(address(client, ports), max_size=None) as socket:
        client.socket = socket
        if client.kind == "captions":
            await socket.send('{"type":"config","mode":"live"}')
        listening = asyncio.create_task(listen(client, socket))
        try:
            once = client.kind == "call"
            while not over.is_set() and not client.killed:
                await say(client, socket)
                judge(client, known)
                if once:
                    return
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def address(client: Client, ports: dict[str, int]) -> str:
    base = f"ws://127.0.0.1:{ports['clients']}"
    match client.kind:
        case "captions" | "classic":
            return f"{base}/captions"
        case "sources":
            return f"{base}/ws/transcription?client_id={client.name}"
        case "vad":
            return f"{base}/vad"
        case "recorder":
            return f"{base}/ajax/audio"
    return f"ws://127.0.0.1:{ports['listening']}/call/{client.name}-{client.rounds}"


async def say(client: Client, socket: ClientConnection) -> None:
    """The sentence and the pause after it, as fast as it is spoken."""
    next_s = time.monotonic()
    client.sent_s = []
    for message in messages(client, spoken(client)):
        await socket.send(message)
        client.sent_s.append(time.monotonic())
        next_s += CHUNK_S[client.kind]
        await asyncio.sleep(max(0.0, next_s - time.monotonic()))


def spoken(client: Client) -> Audio:
    return np.concatenate([client.sentence.audio, np.zeros(int(PAUSE_S * 16_000), dtype=np.float32)])


def messages(client: Client, audio: Audio) -> Iterator[bytes]:
    if client.kind == "recorder":
        yield from webm(audio.tobytes(), CHUNK_S["recorder"])
        return
    size = int(CHUNK_S[client.kind] * 16_000)
    for start in range(0, audio.size - size + 1, size):
        piece = audio[start : start + size]
        if client.kind == "sources":
            file = io.BytesIO()
            np.save(file, piece)
            yield file.getvalue()
        else:
            yield to_l16(piece)


@functools.cache
def webm(audio: bytes, chunk_s: float) -> list[bytes]:
    """A recording as a browser makes it, what it has every ``chunk_s``; each begins anew on the same connection."""
    recorder = WebmRecorder()
    samples, size = np.frombuffer(audio, dtype=np.float32), int(16_000 * chunk_s)
    chunks = [recorder.push(samples[start : start + size]) for start in range(0, samples.size, size)]
    return [*chunks, recorder.finish()]


async def listen(client: Client, socket: ClientConnection) -> None:
    async for message in socket:
        for text in heard(client, str(message)):
            client.texts.append(text)


def heard(client: Client, message: str) -> Iterator[str]:
    """The words of an answer that will not change; errors are noted."""
    if client.kind == "vad":
        yield message
        return
    told = json.loads(message)
    if told.get("type") in ("error", "StreamFailed") or "error" in told:
        client.errors.append(message[:200])
    elif client.kind == "recorder":
        yield from [told["final"]] if told.get("final") else []
    elif client.kind == "call":
        if told["type"] == "AnswerClassified":
            heard = round(told["at_ms"] / (CHUNK_S["call"] * 1000))  # messages
            client.verdict_ms.append((time.monotonic() - client.sent_s[heard - 1]) * 1000)
        yield from [told["text"]] if told["type"] == "Final" and told["text"] else []
    elif told.get("type") in ("transcription", "transcript") and not told.get("partial") and told["text"]:
        if client.kind == "sources" and told["client_id"] != client.name:
            client.errors.append(f"a transcript of {told['client_id']}")
        yield told["text"]


def judge(client: Client, known: list[Sentence]) -> None:
    """Whose sentence it was that came back."""
    text, client.texts = fold(" ".join(client.texts)), []
    client.rounds += 1
    if not text:
        client.empty += 1
        return
    own = ratio(text, client.sentence.text)
    client.own.append(own)
    nearest = max(known, key=lambda sentence: ratio(text, sentence.text))
    if ratio(text, nearest.text) > own + 0.15:
        client.crossed.append(f"{text!r} is {nearest.text!r}, not {client.sentence.text!r}")


# ---- what came out


def report(clients: list[Client], result: dict[str, Any]) -> None:
    memory = result["memory_mb"]
    print(f"machine: {os.cpu_count()} CPU cores, {platform.machine()}; {len(clients)} clients, {result['seconds']:g} s")
    for kind in KINDS:
        of_kind = [client for client in clients if client.kind == kind]
        own = [each for client in of_kind for each in client.own]
        print(
            f"{kind:9} {len(of_kind):3} clients, {sum(c.rounds for c in of_kind):4} sentences, "
            f"{sum(c.empty for c in of_kind)} unheard, likeness to their own {statistics.mean(own or [0]):.3f} "
            f"(least {min(own or [0]):.2f}), {sum(len(c.crossed) for c in of_kind)} crossed, "
            f"{sum(len(c.errors) for c in of_kind)} errors"
        )
    for client in clients:
        for problem in [*client.crossed, *client.errors][:3]:
            print(f"  {client.name}: {problem}")
    print(
        f"memory: {memory[0]:.0f} MB at first, {memory[len(memory) // 4]:.0f} after a quarter, {max(memory):.0f} at "
        f"most, {memory[-1]:.0f} at the end, {result['memory_after_mb']:.0f} when all had gone"
    )
    print(
        f"processor: {result['cpu_cores']:.2f} cores; sentences heard while killing: {result['rounds_while_killing']}"
    )
    verdicts = sorted(each for client in clients for each in client.verdict_ms)
    if verdicts:
        most = verdicts[int(0.95 * (len(verdicts) - 1))]
        print(
            f"verdicts of calls, after the audio they were given on: {len(verdicts)}, "
            f"median {statistics.median(verdicts):.0f} ms, 95 % within {most:.0f} ms, at most {verdicts[-1]:.0f} ms"
        )
    print(f"streams open when all had gone: {result['streams_after']} (sources are kept for 30 s)")
    print("engine: " + ", ".join(f"{name} {float(value):g}" for name, value in result["engine"].items()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long all speak (default: 120)")
    parser.add_argument("--clients", type=int, default=30, help="how many (default: 30)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="which (default: all in turn)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
