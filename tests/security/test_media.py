"""Media from strangers: what it claims is not believed, what it names is not opened, and only sound is decoded."""

from __future__ import annotations

import asyncio
import contextlib
import io
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from audio_samples import speech
from hostile_media import PLAYLISTS, box, flac_of_nothing, moof, moov, mp4_claiming, wav_head, webm_of_tracks
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import CONTAINERS, recorded

from V3.audio.pcm import Audio
from V3.errors import AudioError, VoicebotError
from V3.system.services import file_audio as module
from V3.system.services.audio_files import read_audio
from V3.system.services.container_stream import ContainerStream
from V3.system.services.file_audio import file_audio, pieces_of
from V3.wire.containers import ContainerSplitter, Gap, Head
from V3.wire.wav_stream import WavStream

DECODER = Path(module.__file__).with_name("file_decoder.py")


MEASURED = """
import resource, subprocess, sys
with open(sys.argv[1], "rb") as file:
    told = subprocess.run(sys.argv[2:], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, len(told))
"""  # in a process of its own: a child's count begins with the memory of what started it


def heard(data: bytes, *, max_s: float = 60) -> int:
    """Samples in it."""
    return sum(piece.size for piece in pieces_of(io.BytesIO(data), max_s=max_s))


def video() -> bytes:
    """Matroska with a picture track and sound of a decoder that nobody needs."""
    file = io.BytesIO()
    output: Any
    with av.open(file, "w", format="matroska") as output:
        stream = output.add_stream("ac3", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return bytes(file.getvalue())


# ---- sizes that are not there


def test_a_wav_that_claims_4_gb_has_what_is_in_it(tmp_path: Path) -> None:
    data = wav_head() + bytes(32_000)
    assert heard(data) == 16_000
    (tmp_path / "a.wav").write_bytes(data)
    tracemalloc_peak = _peak(lambda: read_audio(tmp_path / "a.wav"))
    assert tracemalloc_peak < 64 << 20
    assert read_audio(tmp_path / "a.wav").size == 16_000


@pytest.mark.parametrize("lie", [{"rate_hz": 1}, {"rate_hz": 4_000_000_000}, {"channels": 65_535}, {"channels": 0}])
def test_a_wav_of_an_absurd_format_is_refused_or_bounded(tmp_path: Path, lie: dict[str, int]) -> None:
    data = wav_head(**lie) + bytes(3200)
    with pytest.raises(VoicebotError):
        WavStream().push(data)
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    attempts: list[Callable[[], int]] = [lambda: heard(data), lambda: read_audio(path).size]
    for attempt in attempts:
        with contextlib.suppress(AudioError):
            assert attempt() <= 1600 * 16_000  # at one sample a second that is its length


@given(st.binary(max_size=200), st.integers(0, 43), st.integers(0, 255))
@settings(max_examples=60)
def test_a_damaged_wav_is_sound_or_a_named_error(rest: bytes, at: int, octet: int) -> None:
    data = bytearray(wav_head() + rest)
    data[at] = octet
    with contextlib.suppress(VoicebotError):
        assert WavStream().push(bytes(data)).size <= len(data) * 4


@pytest.mark.parametrize(
    "data",
    [mp4_claiming(30_000_000), mp4_claiming(0xFFFFFFF), webm_of_tracks(1_000_000), flac_of_nothing(1800)],
    ids=["mp4 of 30 million samples", "mp4 of 268 million", "webm of a million tracks", "flac of half an hour"],
)
def test_a_file_that_claims_gigabytes_gets_half_of_one(tmp_path: Path, data: bytes) -> None:
    """Measured: without the decoder's bounds the first takes 1.2 GB for 537 bytes."""
    (tmp_path / "file").write_bytes(data)
    told = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "file"), sys.executable, "-P", str(DECODER), "60"],
        capture_output=True,
        text=True,
        check=True,
    )
    used_kib, size = map(int, told.stdout.split())
    assert used_kib < 700 * 1024
    assert size < 61 * 16_000 * 4 + (1 << 20)


@pytest.mark.parametrize("samples", [1, 50_000_000, 0xFFFFFFFF])
def test_a_recorders_movie_may_claim_no_samples(samples: int) -> None:
    """641 bytes of it took 1.8 GB of the server."""
    for head in (moov(samples), moov(0).replace(b"mvex", b"cmov\0\0\0\x0cmvex")):
        parts = ContainerSplitter().push(box(b"ftyp", b"isomiso5") + head + moof(1))
        assert not any(isinstance(part, Head) for part in parts)
        assert isinstance(parts[0], Gap)
        assert "samples" in parts[0].message


def test_a_recorders_fragment_may_not_claim_more_samples_than_it_can_hold() -> None:
    head = box(b"ftyp", b"isomiso5") + moov(0)
    assert isinstance(ContainerSplitter().push(head + moof(1024))[0], Head)
    (gap,) = ContainerSplitter().push(head + moof(50_000_000))
    assert isinstance(gap, Gap)
    assert "65536 samples" in gap.message


@pytest.mark.parametrize("count", [20_000, 1_000_000])
def test_a_recorders_webm_may_not_have_tracks_without_number(count: int) -> None:
    splitter = ContainerSplitter()
    parts = splitter.push(webm_of_tracks(count))
    assert isinstance(parts[0], Gap)
    assert not any(isinstance(part, Head) for part in parts)


@pytest.mark.parametrize(
    "size", [b"\x01" + b"\xff" * 6 + b"\xfe", b"\x08\xff\xff\xff\xff", b"\x01" + bytes(6) + b"\x00"]
)
def test_sizes_of_ebml_that_cannot_be_keep_no_memory(size: bytes) -> None:
    """Elements of 2^56 bytes, of 4 GB, and of none, again and again."""
    splitter = ContainerSplitter()
    begin = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\x01" + b"\xff" * 7
    assert _peak(lambda: [splitter.push(begin + (b"\x16\x54\xae\x6b" + size) * 200) for _ in range(20)]) < 8 << 20


# ---- files that name other files


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """A server, and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_opens_nothing(kind: str, tmp_path: Path, web: tuple[str, list[str]]) -> None:
    """Neither a file of this machine, nor standard input, nor a URL, whatever the file is called."""
    sound = tmp_path / "private.wav"
    with wave.open(str(sound), "wb") as recording:
        recording.setparams((1, 2, 16_000, 0, "NONE", ""))
        recording.writeframes(bytes(32_000))
    address, asked = web
    for target in (str(sound), f"file://{sound}", "private.wav", "pipe:0", f"{address}/a.wav", "/dev/stdin"):
        for name in ("list.m3u8", "list.wav", "list.mp3"):
            path = tmp_path / name
            path.write_text(PLAYLISTS[kind].format(target=target))
            if name == "list.m3u8" or target == str(sound):
                with pytest.raises(AudioError):
                    read_audio(path)
    with pytest.raises(AudioError):
        heard(PLAYLISTS[kind].format(target=f"{address}/b.wav").encode())
    assert asked == []


def test_the_decoder_can_open_no_file_and_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were there a hole in FFmpeg: what its process is left with."""
    monkeypatch.setenv("VOICEBOT_CLIENT_TOKEN", "secret-of-clients")
    assert not any("secret-of-clients" in value for value in module._environment().values())
    attempt = (
        "import os, sys, runpy\n"
        f"sys.argv = ['d', '1']; d = runpy.run_path({str(DECODER)!r})\n"
        "d['_give_up_rights']()\n"
        "for path, flags in (('/etc/passwd', os.O_RDONLY), (sys.executable, os.O_RDONLY), ('new', os.O_CREAT)):\n"
        "    try: os.open(path, flags)\n"
        "    except OSError as exc: print(exc.errno)\n"
        "try: os.pipe()\n"
        "except OSError as exc: print(exc.errno)\n"
        "try: bytearray(1 << 30)\n"
        "except MemoryError: print('memory')\n"
    )
    ran = subprocess.run([sys.executable, "-c", attempt], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["24", "24", "24", "24", "memory"], ran.stderr
    assert list(tmp_path.iterdir()) == []


# ---- only the decoders that are needed


def test_sound_of_a_decoder_that_nobody_needs_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="sound as ac3 is not taken"):
        heard(video())
    (tmp_path / "film.mkv").write_bytes(video())
    with pytest.raises(AudioError, match=r"film\.mkv: sound as ac3 is not taken"):
        read_audio(tmp_path / "film.mkv")


def test_a_recorders_stream_of_another_decoder_is_refused_by_name() -> None:
    told: list[Audio | AudioError] = []

    async def note(heard: Audio | AudioError) -> None:
        told.append(heard)

    async def test() -> None:
        stream = ContainerStream(note, name="test")
        await stream.feed(video())
        await stream.close()

    asyncio.run(test())
    assert told
    assert all(isinstance(each, AudioError) for each in told)
    assert any("ac3 is not taken" in str(each) for each in told)


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_recorders_send_is_still_heard(container: str, tmp_path: Path) -> None:
    audio = speech("oui_bonjour")
    path = tmp_path / "recording"
    path.write_bytes(recorded(audio, container))
    assert abs(read_audio(path).size - audio.size) < 3200


def test_an_upload_that_is_given_up_leaves_no_process() -> None:
    """A client that goes, or a file that is too long: its decoder is ended."""

    async def test() -> None:
        pieces = file_audio(io.BytesIO(flac_of_nothing(300)), max_s=600)
        await anext(pieces)
        await pieces.aclose()
        with pytest.raises(AudioError, match="longer than 3 s"):
            async for _ in file_audio(io.BytesIO(flac_of_nothing(300)), max_s=3):
                pass
        going = asyncio.create_task(anext(file_audio(io.BytesIO(flac_of_nothing(300)), max_s=600)))  # just begun
        await asyncio.sleep(0)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)

    asyncio.run(test())
    assert [child for child in psutil.Process().children() if str(DECODER) in child.cmdline()] == []


@given(st.sampled_from(sorted(CONTAINERS)), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12))
@settings(max_examples=8)
def test_a_damaged_file_is_sound_or_a_named_error(container: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(recorded(speech("oui_bonjour"), container))
    for at, octet in changes:
        data[at % len(data)] = octet
    try:
        samples, said = heard(bytes(data)), ""
    except AudioError as exc:
        samples, said = 0, str(exc)
    assert samples < 60 * 16_000 + 80_000
    assert "/" not in said  # no path of ours


def _peak(work: Callable[[], object]) -> int:
    """Most memory that Python took for it, in bytes."""
    import tracemalloc

    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
