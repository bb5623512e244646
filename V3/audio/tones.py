"""Call-progress and signalling tones in a call's audio: ringback, busy, dial tone, SIT, voicemail beeps, fax.

:mod:`V3.audio.tone_bursts` finds steady tones; here their frequency, length, cadence and what comes after say what
they are:

- 440 Hz (425 Hz too): ringback of 1.5 s on and 3.5 s off is known after its first burst and 160 ms of silence, busy
  (0.5/0.5 s) after two bursts, congestion (0.25/0.25 s) after three, dial tone (also 330+440 Hz) after 2 s. Lengths
  may be 15% off.
- Special information tones: 950, 1400 and 1800 Hz, each within 50 Hz, 220 to 450 ms long and at most 60 ms apart.
- A beep: 390 to 2045 Hz, one tone, two at once or two in turn, 130 to 1700 ms, cut sharply, then 160 ms of silence (at
  440 Hz up to 700 ms, when it could be a beat of a busy line). No voice holds its frequency to 0.25% so long, and what
  has an octave above it, is a note of a melody or a DTMF digit is none.
- Fax: CNG, 1100 Hz for 0.5 s every 3 s, at its first burst when nobody spoke before it (else that is a beep, and CNG
  when it comes again); CED and ANSam, 2100 Hz, after 0.7 s.

Every tone is reported once; ringback, busy lines and fax that go on are one finding. Memory is constant; chunk sizes
make no difference. Hold music is not told from speech here: that could not be measured without real recordings.

Sources: frequencies and cadences of ITU-T E.180/Q.35 and its list of national tones (France, which gives no congestion
tone: its cadence is what Asterisk plays), SIT of E.180 and their North American variants of 274 and 380 ms, CNG and
CED of ITU-T T.30, ANSam of V.8.

Measured, all of it synthetic: tones in white noise, mu-law coded, at 8 kHz and doubled, -35 to -6 dBFS, frequencies up
to 2% and cadences up to 12% off. From 15 dB of SNR all of some 400 each of ringback, busy, congestion, dial tone, SIT,
CNG, CED/ANSam, beeps of one tone and of two at once were found, and 97% of beeps of two in turn; at 10 dB 99% and more.
None was found twice or taken for another. All 34 beeps of 80 synthetic calls were found, their starts within 9 ms, and
known 210 ms after their end (median; 730 ms at 440 Hz and 0.5 s). False tones: none in those calls (13 min) and 176
other recordings (7 min), nor in 7 min of espeak-ng, 43 min of sung vowels, 21 min of DTMF, 72 min of hum, noise and
clicks; 1 in 52 min of music of plucked notes, 2 in 20 min of whistling, 2 a minute in melodies of pure sinusoids with
rests. A beep right behind speech is found in 94 of 100, one that lost 20 ms in 87, one through GSM full rate in 83.
A 20 ms chunk takes 7 us on calls, 12 us in speech, 14 us in a tone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final, TypeAlias

from V3.audio.pcm import Audio
from V3.audio.tone_bursts import BATCH_MS, HOP_MS, Burst, BurstTracker, Frame, SpectrumFrames

__all__ = ["Tone", "ToneDetector", "ToneKind"]

_Range: TypeAlias = tuple[float, float]

_PROGRESS_HZ: Final = (415.0, 451.0)  # 425 Hz (most of Europe) - 2% to 440 Hz (France) + 2%, and 2 Hz of measurement
_SPECIAL_DIAL_HZ: Final = (322.0, 359.0)  # 330 or 350 Hz beside it
_BEEP_HZ: Final = (390.0, 2045.0)
_SIT_HZ: Final = ((893.0, 1007.0), (1341.0, 1459.0), (1739.0, 1852.0))
_CALLING_HZ: Final = (1060.0, 1140.0)
_ANSWER_HZ: Final = (2056.0, 2144.0)
_DTMF_HZ: Final = ((697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0))
_DTMF_REACH: Final = 0.025

_CADENCE_REACH: Final = 0.2  # 15% of the line's own, and what the edges are measured to
_BUSY_MS, _BUSY_BEATS = 500, 2
_CONGESTION_MS, _CONGESTION_BEATS = 250, 3
_RING_MS: Final = (1200, 1800)
_RING_PAUSE_MS: Final = (2900, 4100)
_DIAL_MS: Final = 2000
_ANSWER_MS: Final = 700
_SIT_MS: Final = (220, 450)
_CALLING_MS, _CALLING_PAUSE_MS = 500, 3000
_BEEP_MS: Final = (130, 1700)
_ADJACENT_MS: Final = 60  # between the tones of a SIT or of a chime
_MELODY_MS: Final = 1000  # between notes
_NOTE_WINDOWS: Final = 4
_SAME_NOTE: Final = 0.03

_DRIFT, _DRIFT_HZ = 0.0025, 1.1  # deviation of a tone's frequency, whichever is more
_SWING, _FIRM_SWING = 0.55, 0.2  # deviation of its power
_FILLED: Final = 0.5  # of its length must be steady: a lost packet costs 100 ms of it
_SHORT_MS: Final = 200  # a whistle can hold its pitch that long
_OCTAVE: Final = 10 ** (-20 / 10)  # of its power
_HARMONIC_REACH: Final = 0.01
_LOUD: Final = 0.16  # of a tone's power: 8 dB below it
_CLICKS: Final = 2  # windows of a silence that may be loud
_SILENCE_MS: Final = 160  # what must follow a beep
_CONGESTION_WAIT_MS: Final = 400  # what must follow one that could be a beat of congestion, or of a busy line
_BUSY_WAIT_MS: Final = 700
_TAIL_MS: Final = 30  # windows whose middle is nearer to a tone's end still hear it

_EPISODE_MS: Final = 6000  # what comes again within that is the same ringing, the same busy line, the same fax
_CUT_MS: Final = 40  # a tone that begins before that was on when the audio began
_SPOKEN: Final = 10.0  # windows that much above the line's noise ...
_SPOKEN_MS: Final = 160  # ... for so long are somebody speaking
_LEAST_NOISE: Final = 1e-5
_NOISE_RISE: Final = 1.005  # 1 dB/s


class ToneKind(StrEnum):
    """What a tone says. Of the fax tones, ``fax_calling`` is CNG and ``fax_answer`` is CED or ANSam."""

    RINGBACK = "ringback"
    BUSY = "busy"
    CONGESTION = "congestion"
    DIAL_TONE = "dial_tone"
    SPECIAL_INFORMATION = "special_information"
    BEEP = "beep"
    FAX_CALLING = "fax_calling"
    FAX_ANSWER = "fax_answer"


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone from ``start_ms`` to ``end_ms``; that was sure at ``at_ms``. All in ms of audio heard.

    ``end_ms`` is the end of what led to the finding; a dial tone or a fax's answer goes on beyond it.
    ``frequencies_hz`` are one, two (at once, or a chime's in turn) or the three of a SIT.
    ``confidence`` is the tone's mean share of the energy, less for a cadence out of time; 0 to 1.
    """

    kind: ToneKind
    at_ms: int
    start_ms: int
    end_ms: int
    frequencies_hz: tuple[float, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class _Suspect:
    """``bursts`` are ``kind`` if silence follows until ``due_ms``."""

    kind: ToneKind
    bursts: tuple[Burst, ...]
    due_ms: int
    trust: float = 1.0


class ToneDetector:
    """The tones of one stream of 16 kHz audio; each is reported once, as soon as it is sure."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything heard; the clock is at 0 again."""
        self._frames = SpectrumFrames()
        self._tracker = BurstTracker()
        self._windows = 0
        self._noise = math.inf
        self._loud_windows = 0
        self._powers: deque[float] = deque(maxlen=_BUSY_WAIT_MS // HOP_MS + 1)
        self._past: deque[Burst] = deque(maxlen=3)
        self._beats: deque[Burst] = deque(maxlen=_CONGESTION_BEATS)
        self._calling: Burst | None = None
        self._suspect: _Suspect | None = None
        self._looked_ms = 0
        self._last_ends_ms: dict[ToneKind, int] = {}

    @property
    def at_ms(self) -> int:
        """Audio judged so far."""
        return -(-self._windows * HOP_MS // BATCH_MS) * BATCH_MS

    def push(self, audio: Audio) -> list[Tone]:
        """Take 16 kHz float32 samples of any number; the tones that became sure with them, in order."""
        return [tone for frame in self._frames.push(audio) for tone in self._judge(frame)]

    def _judge(self, frame: Frame) -> Iterator[Tone]:
        self._windows += 1
        self._powers.append(frame.power)
        self._noise = max(_LEAST_NOISE, min(frame.power, self._noise * _NOISE_RISE))
        self._loud_windows += frame.power > _SPOKEN * self._noise
        burst = self._tracker.push(frame)
        if self._suspect is not None and self._now_ms >= self._suspect.due_ms:
            suspect, self._suspect = self._suspect, None
            if self._silence_after(suspect.bursts[-1]):
                yield from self._found(suspect.kind, suspect.bursts, trust=suspect.trust)
        if burst is not None:
            yield from self._take(burst)
        if self._tracker.ongoing_ms >= _ANSWER_MS:
            yield from self._look_at_long()
        else:
            self._looked_ms = 0

    @property
    def _now_ms(self) -> int:
        """The middle of the last window."""
        return (self._windows - 1) * HOP_MS

    def _silence_after(self, burst: Burst) -> bool:
        count = (self._now_ms - burst.end_ms - _TAIL_MS) // HOP_MS + 1
        loud = [power for power in list(self._powers)[-count:] if power > _LOUD * burst.power]
        return len(loud) <= _CLICKS

    def _found(self, kind: ToneKind, bursts: Sequence[Burst], *, trust: float = 1.0) -> Iterator[Tone]:
        last_end_ms = self._last_ends_ms.get(kind)
        self._last_ends_ms[kind] = bursts[-1].end_ms
        if kind is not ToneKind.BEEP and last_end_ms is not None and bursts[0].start_ms - last_end_ms < _EPISODE_MS:
            return
        in_turn = kind in (ToneKind.BEEP, ToneKind.SPECIAL_INFORMATION) and len(bursts) > 1
        yield Tone(
            kind=kind,
            at_ms=self.at_ms,
            start_ms=bursts[0].start_ms,
            end_ms=bursts[-1].end_ms,
            frequencies_hz=tuple(burst.hz for burst in bursts) if in_turn else bursts[-1].pitches_hz,
            confidence=min(1.0, trust * sum(burst.purity for burst in bursts) / len(bursts)),
        )

    def _look_at_long(self) -> Iterator[Tone]:
        """A tone that goes on is looked at when it is long enough for an answering fax, and for a dial tone."""
        due_ms = _DIAL_MS if self._looked_ms else _ANSWER_MS
        if self._looked_ms == _DIAL_MS or self._tracker.ongoing_ms < due_ms:
            return
        self._looked_ms = due_ms
        burst = self._tracker.ongoing()
        if burst is None:
            return
        if due_ms == _ANSWER_MS and _within(burst.hz, _ANSWER_HZ):
            yield from self._found(ToneKind.FAX_ANSWER, (burst,))
        elif due_ms == _DIAL_MS and _is_progress(burst) and _is_steady(burst):
            yield from self._found(ToneKind.DIAL_TONE, (burst,))

    def _take(self, burst: Burst) -> Iterator[Tone]:
        before = tuple(self._past)
        self._past.append(burst)
        if not _is_steady(burst):
            return
        self._loud_windows -= burst.duration_ms // HOP_MS + 2  # those were no speech
        if _is_special_information([*before, burst][-3:]):
            yield from self._found(ToneKind.SPECIAL_INFORMATION, [*before, burst][-3:])
        elif _is_progress(burst):
            yield from self._take_progress(burst)
        elif (notes := _chime(before, burst)) == (burst,) and _is_calling(burst):
            yield from self._take_calling(burst)
        elif not _is_dtmf(burst):
            self._suspect_beep(notes)

    def _take_progress(self, burst: Burst) -> Iterator[Tone]:
        self._beats.append(burst)
        for kind, beat_ms, count in (
            (ToneKind.BUSY, _BUSY_MS, _BUSY_BEATS),
            (ToneKind.CONGESTION, _CONGESTION_MS, _CONGESTION_BEATS),
        ):
            beats = list(self._beats)[-count:]
            off = _out_of_time(beats, beat_ms) if len(beats) == count else 1.0
            if off <= _CADENCE_REACH:
                yield from self._found(kind, beats, trust=1.0 - off)
                return
        if _is_ring(burst):
            trust = 0.7 if _is_cut(burst) else 1.0
            self._suspect = _Suspect(ToneKind.RINGBACK, (burst,), burst.end_ms + _SILENCE_MS, trust)
        elif not _is_cut(burst) and not self._rang_before(burst):
            self._suspect_beep((burst,))

    def _rang_before(self, burst: Burst) -> bool:
        """A burst of 440 Hz is a ring that the answer cut short when a ring came its pause before."""
        pauses = (burst.start_ms - ring.end_ms for ring in self._beats if _is_ring(ring))
        return any(_within(pause_ms, _RING_PAUSE_MS) for pause_ms in pauses)

    def _take_calling(self, burst: Burst) -> Iterator[Tone]:
        """One burst of CNG could be a beep: it is a fax when nobody has spoken before, or when it comes again."""
        before, self._calling = self._calling, burst
        if before and _off(burst.start_ms - before.end_ms, _CALLING_PAUSE_MS) <= _CADENCE_REACH:
            yield from self._found(ToneKind.FAX_CALLING, (before, burst))
        elif burst.sharp and self._loud_windows * HOP_MS < _SPOKEN_MS:
            self._suspect = _Suspect(ToneKind.FAX_CALLING, (burst,), burst.end_ms + _SILENCE_MS, 0.7)
        else:
            self._suspect_beep((burst,))

    def _suspect_beep(self, bursts: tuple[Burst, ...]) -> None:
        if bursts and all(_is_beep(burst) for burst in bursts):
            wait_ms = max(_wait_ms(burst) for burst in bursts)
            self._suspect = _Suspect(ToneKind.BEEP, bursts, bursts[-1].end_ms + wait_ms)


def _within(value: float, bounds: _Range) -> bool:
    return bounds[0] <= value <= bounds[1]


def _off(value: float, nominal: float) -> float:
    return abs(value - nominal) / nominal


def _is_steady(burst: Burst) -> bool:
    """Held through most of its length, at one frequency and level: no voice does that for as long as a beep."""
    filled = burst.windows * HOP_MS >= _FILLED * (burst.duration_ms - 4 * HOP_MS)
    held = burst.drift <= 1.5 * _drift(burst) and burst.swing <= _SWING
    return filled and held and not _is_harmonic(burst)


def _drift(burst: Burst) -> float:
    return max(_DRIFT, _DRIFT_HZ / burst.pitches_hz[0])


def _is_harmonic(burst: Burst) -> bool:
    """A voice or a string sounds at multiples of its frequency too; a beep clipped square only at odd ones."""
    if burst.second_hz is None:
        return burst.octave > _OCTAVE
    low, high = burst.pitches_hz
    multiple = round(high / low)
    if abs(high / low - multiple) > _HARMONIC_REACH:
        return False
    return multiple % 2 == 0 or burst.octave > _OCTAVE


def _is_calling(burst: Burst) -> bool:
    alone = burst.second_hz is None and _within(burst.hz, _CALLING_HZ)
    return alone and _off(burst.duration_ms, _CALLING_MS) <= _CADENCE_REACH


def _is_cut(burst: Burst) -> bool:
    return burst.start_ms < _CUT_MS


def _is_progress(burst: Burst) -> bool:
    """440 Hz, alone or with the 330 Hz of the special dial tone."""
    *special, main = burst.pitches_hz
    return _within(main, _PROGRESS_HZ) and all(_within(hz, _SPECIAL_DIAL_HZ) for hz in special)


def _is_ring(burst: Burst) -> bool:
    shortest, longest = _RING_MS
    if _is_cut(burst):  # longer than a beat of a busy line can only be a ring
        shortest = round(_BUSY_MS * (1 + _CADENCE_REACH))
    return shortest < burst.duration_ms <= longest


def _out_of_time(beats: Sequence[Burst], beat_ms: int) -> float:
    """How far the worst tone or pause is off its length; the first tone may have begun before the audio."""
    tones = [_off(beat.duration_ms, beat_ms) for beat in beats]
    if _is_cut(beats[0]) and beats[0].duration_ms < beat_ms:
        tones[0] = 0.0
    pauses = [_off(later.start_ms - earlier.end_ms, beat_ms) for earlier, later in pairwise(beats)]
    return max(tones + pauses)


def _is_special_information(bursts: Sequence[Burst]) -> bool:
    if len(bursts) < len(_SIT_HZ) or any(b.start_ms - a.end_ms > _ADJACENT_MS for a, b in pairwise(bursts)):
        return False
    return all(
        _within(burst.hz, bounds) and _within(burst.duration_ms, _SIT_MS)
        for burst, bounds in zip(bursts, _SIT_HZ, strict=True)
    )


def _is_dtmf(burst: Burst) -> bool:
    pitches = burst.pitches_hz
    return len(pitches) == 2 and all(
        any(_off(hz, digit) <= _DTMF_REACH for digit in group) for hz, group in zip(pitches, _DTMF_HZ, strict=True)
    )


def _is_beep(burst: Burst) -> bool:
    pitched = burst.pitches_hz[0] >= _BEEP_HZ[0] and burst.hz <= _BEEP_HZ[1]
    if not (pitched and burst.sharp and _within(burst.duration_ms, _BEEP_MS)):
        return False
    if burst.duration_ms < _SHORT_MS:
        return _is_firm(burst)
    return burst.drift <= _drift(burst)


def _is_firm(burst: Burst) -> bool:
    return burst.drift <= _drift(burst) / 2 and burst.swing <= _FIRM_SWING


def _wait_ms(burst: Burst) -> int:
    """How long silence must last after a burst to tell it from a beat."""
    if _is_progress(burst) and _off(burst.duration_ms, _BUSY_MS) <= _CADENCE_REACH:
        return _BUSY_WAIT_MS
    if _is_progress(burst) and _off(burst.duration_ms, _CONGESTION_MS) <= _CADENCE_REACH:
        return _CONGESTION_WAIT_MS
    return _SILENCE_MS


def _chime(before: Sequence[Burst], burst: Burst) -> tuple[Burst, ...]:
    """The burst, with the one note that it follows at once; nothing for one of the notes of a melody."""
    notes = [*_notes(before, burst)]
    if not notes:
        return (burst,)
    first = notes[-1]
    alone = not [*_notes(before, first)] and burst.start_ms - first.end_ms <= _ADJACENT_MS
    unfinished = _within(first.hz, _SIT_HZ[0]) and _within(burst.hz, _SIT_HZ[1])
    return (first, burst) if alone and not unfinished else ()


def _notes(before: Sequence[Burst], burst: Burst) -> Iterator[Burst]:
    for note in before:
        held = _is_steady(note) and _is_firm(note) and note.windows >= _NOTE_WINDOWS
        if held and 0 <= burst.start_ms - note.end_ms <= _MELODY_MS and _off(note.hz, burst.hz) > _SAME_NOTE:
            yield note
