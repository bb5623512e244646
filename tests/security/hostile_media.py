"""Media files that lie: a few bytes that claim gigabytes, sound that is none, playlists that name other files."""

from __future__ import annotations

import io
import struct
from typing import Any

import av
import numpy as np

__all__ = ["PLAYLISTS", "box", "flac_of_nothing", "moof", "moov", "mp4_claiming", "wav_head", "webm_of_tracks"]

PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n",
    "ffconcat": "ffconcat version 1.0\nfile '{target}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    '<Representation id="1"><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\na={target}\n",
    "ssa": "[Script Info]\nTitle: {target}\n",
}


def wav_head(
    *, channels: int = 1, rate_hz: int = 16_000, bits: int = 16, claimed: int = 0xFFFFFFF0, tag: int = 1
) -> bytes:
    """A header that claims ``claimed`` bytes of samples."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    return b"RIFF\xf0\xff\xff\xffWAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", claimed)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def moov(samples: int, *, fragmented: bool = True) -> bytes:
    """A movie whose tables claim so many samples of 8 bytes."""
    entry = box(b"mp4a", struct.pack(">6xH8xHHHHI", 1, 1, 16, 0, 0, 48_000 << 16))
    tables = [box(b"stsd", struct.pack(">II", 0, 1) + entry)]
    if samples:
        tables += [
            box(b"stts", struct.pack(">IIII", 0, 1, samples, 1024)),
            box(b"stsc", struct.pack(">IIIII", 0, 1, 1, samples, 1)),
            box(b"stsz", struct.pack(">III", 0, 8, samples)),
            box(b"stco", struct.pack(">III", 0, 1, 40)),
        ]
    else:
        tables += [box(name, bytes(8)) for name in (b"stts", b"stsc", b"stco")] + [box(b"stsz", bytes(12))]
    media = box(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, 48_000, 0, 0)) + box(b"hdlr", bytes(8) + b"soun" + bytes(13))
    media += box(b"minf", box(b"stbl", b"".join(tables)))
    track = box(b"trak", box(b"tkhd", bytes(12) + struct.pack(">I", 1) + bytes(68)) + box(b"mdia", media))
    extends = box(b"mvex", box(b"trex", struct.pack(">IIIIII", 0, 1, 1, 1024, 8, 0))) if fragmented else b""
    return box(b"moov", box(b"mvhd", bytes(100)) + track + extends)


def moof(samples: int) -> bytes:
    """A fragment that claims so many samples, all of the usual size, and its bytes."""
    run = box(b"trun", struct.pack(">II", 0, samples))
    head = box(b"moof", box(b"mfhd", bytes(8)) + box(b"traf", box(b"tfhd", struct.pack(">II", 0, 1)) + run))
    return head + box(b"mdat", bytes(64))


def mp4_claiming(samples: int) -> bytes:
    """A whole MP4 of half a kilobyte."""
    return box(b"ftyp", b"isomiso5") + moov(samples, fragmented=False) + box(b"mdat", bytes(64))


def webm_of_tracks(count: int) -> bytes:
    """A WebM head with so many tracks that say nothing of themselves."""
    tracks = b"\xae\x80" * count
    head = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm"
    segment = b"\x18\x53\x80\x67\x01" + b"\xff" * 7
    return head + segment + b"\x16\x54\xae\x6b\x08" + len(tracks).to_bytes(4, "big")[-4:] + tracks


def flac_of_nothing(seconds: int) -> bytes:
    """Silence at 8 kHz, which FLAC packs a thousand times."""
    file = io.BytesIO()
    output: Any
    with av.open(file, "w", format="flac") as output:
        stream = output.add_stream("flac", rate=8000, layout="mono")
        for _ in range(seconds):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()
