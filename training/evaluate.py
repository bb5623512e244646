"""What a model hears, measured as the product decodes it (V3's Recognizer: short windows, greedy, CTranslate2).

Every figure names how many samples it stands on. Real recordings are reported beside the synthetic ones when their
folder is given; nothing here is trained on.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from training.augment import mu_law
from training.espeak import Prosody
from training.noises import NoiseBank, clicks, music, tones
from training.recordings import Recording, read_folder
from training.scoring import Tally, edits, matched, normalize, prefix_edits
from training.synthesis import HELD_OUT_VARIANTS, Shards, speak
from V3.asr.model import Recognizer
from V3.asr.transcript import DecodeKind, DecodeRequest, Transcript

__all__ = ["ISOLATED_WORDS", "decode", "evaluate", "word_errors_ms"]

Samples = NDArray[np.float32]
_RATE_HZ: Final = 16000
_ANSWER_S: Final = 2.3
_BATCH: Final = 16
ISOLATED_WORDS: Final = ("Oui.", "Non.", "Allô ?", "Stop.", "Attendez.", "Arrêtez.")


def decode(recognizer: Recognizer, audio: Sequence[Samples], *, word_times: bool = False) -> list[Transcript]:
    """Transcripts in order."""
    requests = [
        DecodeRequest(str(number), DecodeKind.FINAL, samples, word_times=word_times)
        for number, samples in enumerate(audio)
    ]
    order = sorted(range(len(requests)), key=lambda number: requests[number].audio.size)
    heard: dict[int, Transcript] = {}
    for begin in range(0, len(order), _BATCH):
        chosen = order[begin : begin + _BATCH]
        heard.update(zip(chosen, recognizer.decode([requests[number] for number in chosen]), strict=True))
    return [heard[number] for number in range(len(requests))]


def _wer(recordings: Sequence[Recording], heard: Sequence[Transcript]) -> dict[str, Any]:
    tallies: dict[str, Tally] = defaultdict(Tally)
    for recording, transcript in zip(recordings, heard, strict=True):
        for name in ("all", recording.category):
            tallies[name].add(recording.text, transcript.text)
    return {"samples": len(recordings), **{f"wer_{name}": tally.rate for name, tally in sorted(tallies.items())}}


def word_errors_ms(recordings: Sequence[Recording], heard: Sequence[Transcript]) -> Iterator[tuple[float, float]]:
    """Start and end errors of each word heard right, in ms (compounds counted by their outer times)."""
    for recording, transcript in zip(recordings, heard, strict=True):
        said = [(" ".join(normalize(word)), start, end) for word, start, end in recording.words]
        got = [(" ".join(normalize(word.text)), word.start_ms, word.end_ms) for word in transcript.words]
        for row, column in matched([word for word, _, _ in said], [word for word, _, _ in got]):
            yield abs(got[column][1] - said[row][1] * 1000), abs(got[column][2] - said[row][2] * 1000)


def _word_times(recordings: Sequence[Recording], heard: Sequence[Transcript]) -> dict[str, Any]:
    errors = np.array(list(word_errors_ms(recordings, heard)))
    if not errors.size:
        return {}
    return {
        "words": len(errors),
        "start_error_ms_median": round(float(np.median(errors[:, 0]))),
        "end_error_ms_median": round(float(np.median(errors[:, 1]))),
        "end_error_ms_p90": round(float(np.quantile(errors[:, 1], 0.9))),
    }


def _reliability(recordings: Sequence[Recording], heard: Sequence[Transcript]) -> dict[str, Any]:
    """How far a word's confidence is its chance to be right: the mean distance (ECE), and for each tenth of confidence
    that words fell into their mean confidence, the share that was right, and how many.
    """
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for recording, transcript in zip(recordings, heard, strict=True):
        words = [" ".join(normalize(word.text)) for word in transcript.words]
        right = {column for _, column in matched([" ".join(normalize(each)) for each, _, _ in recording.words], words)}
        for column, word in enumerate(transcript.words):
            bins[min(9, int(word.confidence * 10))].append((word.confidence, column in right))
    rows = {key: np.array(bins[key], dtype=float) for key in sorted(bins)}
    total = sum(len(row) for row in rows.values())
    distance = sum(len(row) * abs(row[:, 0].mean() - row[:, 1].mean()) for row in rows.values()) / max(1, total)
    bars = [(round(float(row[:, 0].mean()), 3), round(float(row[:, 1].mean()), 3), len(row)) for row in rows.values()]
    return {"calibration_error": round(float(distance), 3), "confidence_right_words": bars}


def _cut(recognizer: Recognizer, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Each recording ended in the middle: words it should not know yet, and words it should."""
    rng = np.random.default_rng(5)
    pieces, wanted = [], []
    for recording in recordings:
        if len(recording.words) > 2:
            stop_s = float(rng.uniform(0.3, 0.9)) * len(recording.samples) / _RATE_HZ
            pieces.append(recording.samples[: int(stop_s * _RATE_HZ)])
            wanted.append(" ".join(word for word, _, end in recording.words if end <= stop_s))
    heard = decode(recognizer, pieces)
    errors = sum(edits(normalize(text), normalize(said.text)) for text, said in zip(wanted, heard, strict=True))
    extra = sum(
        max(0, len(normalize(said.text)) - len(normalize(text))) for text, said in zip(wanted, heard, strict=True)
    )
    words = sum(len(normalize(text)) for text in wanted)
    return {"samples": len(pieces), "wer": round(errors / words, 4), "words_too_many": round(extra / len(pieces), 3)}


def _isolated(recognizer: Recognizer) -> dict[str, Any]:
    """Single words by every held-out voice at three speeds, after 0.3 s of silence, as G.711 has them."""
    audio, said = [], []
    for word in ISOLATED_WORDS:
        for language in ("fr", "fr-be", "fr-ch"):
            for variant in HELD_OUT_VARIANTS:
                for rate_wpm, pitch in ((150, 40), (175, 50), (200, 65)):
                    spoken, _ = speak(word, Prosody(f"{language}+{variant}", rate_wpm, pitch))
                    line = mu_law(np.pad(spoken.astype(np.float32) / 32768, (2400, 2400)))
                    audio.append(soxr.resample(line, 8000, _RATE_HZ).astype(np.float32))
                    said.append(word)
    right: dict[str, list[bool]] = defaultdict(list)
    for word, transcript in zip(said, decode(recognizer, audio), strict=True):
        correct = normalize(transcript.text) == normalize(word)
        right[word.rstrip(" .?").lower()].append(correct)
        right["all"].append(correct)
    return {"samples": len(said), **{f"right_{word}": round(float(np.mean(each)), 4) for word, each in right.items()}}


def _no_speech(recognizer: Recognizer, per_kind: int, seconds: float = 10.0) -> dict[str, Any]:
    """The share of samples without speech that give no text."""
    rng = np.random.default_rng(9)
    bank = NoiseBank(9)
    count = int(seconds * 8000)
    makers: dict[str, Callable[[], Samples]] = {
        "silence": lambda: rng.integers(-4, 5, count).astype(np.float32) / np.float32(32768),
        "noise": lambda: bank.draw(rng, count) * np.float32(10 ** (rng.uniform(-60, -20) / 20)),
        "tones": lambda: tones(rng, count) * np.float32(10 ** (rng.uniform(-30, -3) / 20)),
        "music": lambda: music(rng, count) * np.float32(10 ** (rng.uniform(-30, -3) / 20)),
        "clicks": lambda: clicks(rng, count) * np.float32(10 ** (rng.uniform(-30, -6) / 20)),
    }
    result: dict[str, Any] = {"samples": per_kind * len(makers)}
    silent = 0
    for kind, make in makers.items():
        line = [mu_law(np.clip(make(), -1, 1).astype(np.float32)) for _ in range(per_kind)]
        audio = [soxr.resample(each, 8000, _RATE_HZ).astype(np.float32) for each in line]
        empty = sum(not said.text for said in decode(recognizer, audio))
        silent += empty
        result[f"no_text_{kind}"] = round(empty / per_kind, 4)
    return result | {"no_text_all": round(silent / result["samples"], 4)}


def _answers(recognizer: Recognizer, recordings: Sequence[Recording]) -> dict[str, Any]:
    """The first 2.3 s of answered calls: how well the text fits the beginning of what is said."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    heard = decode(recognizer, [recording.samples[: int(_ANSWER_S * _RATE_HZ)] for recording in recordings])
    silent: list[bool] = []
    for recording, transcript in zip(recordings, heard, strict=True):
        if not recording.text:
            silent.append(not transcript.text)
            continue
        errors, words = prefix_edits(normalize(recording.text), normalize(transcript.text))
        for name in ("all", recording.category):
            tallies[name].errors += errors
            tallies[name].words += max(1, words)
    result: dict[str, Any] = {f"prefix_wer_{name}": tally.rate for name, tally in sorted(tallies.items())}
    return {
        "samples": len(recordings),
        "no_answer_no_text": round(float(np.mean(silent)), 4) if silent else None,
    } | result


def _held_out(recognizer: Recognizer, shards: Path, per_category: int) -> dict[str, Any]:
    """Clips of held-out voices and shapes, with 0.2 s of silence before and after."""
    taken: dict[str, int] = defaultdict(int)
    recordings = []
    clips = Shards(shards)
    for number in range(len(clips)):
        clip = clips[number]
        taken[clip.category] += 1
        if taken[clip.category] <= per_category:
            line = mu_law(np.pad(clip.samples * 0.7, (1600, 1600)))
            audio = soxr.resample(line, 8000, _RATE_HZ).astype(np.float32)
            recordings.append(Recording(str(number), audio, clip.text, clip.category))
    return _wer(recordings, decode(recognizer, [recording.samples for recording in recordings]))


def evaluate(
    model: Path, folders: Sequence[Path], *, held_out: Path | None = None, per_kind: int = 40, threads: int = 1
) -> dict[str, Any]:
    """Every figure of a CTranslate2 model directory, by folder; folders as ``read_folder`` takes them."""
    recognizer = Recognizer.load(
        str(model), device="cpu", compute_type="int8", cpu_threads=threads, audio_context="auto"
    )
    full = Recognizer.load(str(model), device="cpu", compute_type="int8", cpu_threads=threads, audio_context="full")
    result: dict[str, Any] = {"isolated": _isolated(recognizer), "no_speech": _no_speech(recognizer, per_kind)}
    for folder in folders:
        recordings = read_folder(folder)
        audio = [recording.samples for recording in recordings]
        if (folder / "labels.tsv").exists():
            result[folder.name] = {"first_2.3_s": _answers(recognizer, recordings)}
            continue
        began = time.perf_counter()
        heard = decode(recognizer, audio)
        cost_ms = (time.perf_counter() - began) * 1000 / len(audio)
        found: dict[str, Any] = _wer(recordings, heard) | {"decode_ms": round(cost_ms, 1)}
        found["wer_full_context"] = _wer(recordings, decode(full, audio))["wer_all"]  # 60 of them were too few to tell
        if any(recording.words for recording in recordings):
            timed = decode(recognizer, audio, word_times=True)
            found["word_times"] = _word_times(recordings, timed)
            found["confidence"] = _reliability(recordings, timed)
            found["cut"] = _cut(recognizer, recordings)
        result[folder.name] = found
    if held_out is not None:
        result["held_out"] = _held_out(recognizer, held_out, per_category=40)
    return result
