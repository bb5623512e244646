"""Speech at the wrong speed: 8 kHz samples sent as 16 kHz (twice too fast), or the other way round. A core.

Only the content is judged. Twice too fast, by what a microphone or a line changes least:

* above 4.5 kHz a rightly upsampled telephone call has nothing: it is believed at once, and costs no more;
* tempo: how far the spectrum's shape moves from one frame to the next, against how far it moves at all;
* formants: the variance of each cepstral coefficient, which hears no fixed filter. Formants twice as far apart vary
  the cepstra 3 and 4, rightly spaced ones 6 to 8;
* the share of voiced sound below 500 and 750 Hz, where speech at its right speed has its first formant;
* pitch (autocorrelation of the compressed spectrum, after Tolonen and Karjalainen 2000) only as a veto: a deep voice
  is right whatever else is found, and of a very high one more is asked, for it may be a child.

A logistic regression weighs them. Half too slow is found of a telephone line's audio alone, which then ends at 2 kHz
as if cut off with a knife; wideband sound declared as 8 kHz is not found.

Measured on synthetic voices only, no real one: 87 of espeak-ng in French (also high, child-like and at up to 310 words
a minute) and five of flite, plain, over telephone lines and codecs, and through microphones with rooms and noise.
Weights and thresholds come from half of espeak's voices. Of the other half and flite's:

* right speed: none of 1350 streams of 32 s was found wrong (807 of them with sound above 4 kHz), nor one of 640 of
  music, tones, noise and clicks; of the half that was learnt from, 1 of 836, a child-like voice;
* twice too fast: found within 5 s of speech in 92 % of 216 streams of espeak's (94 % within 12 s) and 83 % of 180
  of flite's (88 %); the worst are noisy lines (8-25 dB): 84 % and 57 %;
* half too slow: 204 of 205 telephone lines, within 5 s of speech.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from V3.audio.pcm import RATE_HZ, Audio

__all__ = ["BLOCK_SAMPLES", "SpeechSpeed"]

Values = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]

BLOCK_SAMPLES: Final = RATE_HZ // 2

_FRAME_SAMPLES: Final = 512
_PITCH_FRAME_SAMPLES: Final = 1024  # with 512, every fourth voice below 110 Hz was taken for one above 150
_BANDS: Final = 32
_BAND_HZ: Final = RATE_HZ // 2 // _BANDS
_TINY: Final = 1e-12

_ACTIVE: Final = 10**-2.5  # of the loudest frame's power
_FAINTEST: Final = 10**-6.5 * _FRAME_SAMPLES**2 * 3 / 16  # the power of -65 dBFS in half a Hann-windowed spectrum
_LOUDEST_DECAY: Final = 0.8  # per block, so that a click is forgotten within seconds
_NARROW_DB: Final = -45.0  # above 4.5 kHz: a telephone call's upsampling leaves less
_TELEPHONE_DB: Final = -36.0  # the same, once judged; double-speed speech had -38 to 0
_HEARD_DB, _HEARD_BANDS = -35.0, 10  # tones fill at most 7 bands to this share, double-speed speech 11 in 99.5 %

_CEPSTRA: Final = 17
_TEMPO: Final = slice(1, 9)  # cepstra whose movement is the tempo; higher ones move with the noise
_LAGS: Final = (1, 4)  # frames between which movement is measured: 16 and 64 ms
_BAND_FLOOR: Final = 1e-4  # of its frame's power: what lies deeper in a band is the line's noise, not the voice

_PERIODS: Final = slice(23, 266)  # samples: pitches of 696 to 60 Hz
_PERIODIC: Final = 0.15  # normalised autocorrelation of a voiced frame; noise stays below
_FIRST_PEAK: Final = 0.8  # of the highest: the period itself, and not a multiple of it
_PITCH_EDGES: Final = np.log2(np.geomspace(60, 700, 43))

_MIN_BLOCKS, _MIN_FRAMES = 5, 100  # 1.6 s of active sound
_MIN_VOICED: Final = 0.015  # of the active frames, of which every other is looked at
_MIN_PITCH_HZ: Final = 145.0  # of a deep man's 72 Hz doubled
_HIGH_PITCH_HZ: Final = 460.0
_MIN_TEMPO: Final = -1.9  # no doubled speech is slower, 99 in 100 have -1.8 or more
_SCORE, _HIGH_PITCH_SCORE = 0.6, 1.6  # a high pitch may be a child

_BIAS: Final = 2.37
_WEIGHTS: Final = np.array(
    [
        *(3.28, -0.64, 1.49),  # tempo at 16 and 64 ms, and of the level at 16 ms
        *(-0.43, -1.24, 1.00, 2.23, 0.54, -0.64, -0.62, -0.62),  # log share of each cepstrum's variance, from 1
        *(0.09, 0.24, 0.01, 0.03, 0.29, -0.47, -0.30, -0.55),
        *(-0.095, -0.098),  # dB below 500 and 750 Hz
    ]
)

_CLIFF_DB: Final = -48.0  # 2.25-3.75 against 1-1.75 kHz; halved lines: 95 of 100 below -53, right ones above -35
_CLIFF_BLOCKS: Final = 6
_SETTLED_BLOCKS: Final = 12
_CLIFF_HEARD_DB, _CLIFF_HEARD_BANDS = -45.0, 6  # of the eight below 2 kHz: speech, no tone


class SpeechSpeed:
    """The speed of one stream's speech. Takes blocks of ``BLOCK_SAMPLES`` that hold speech, at 16 kHz; 3 kB.

    After each, :meth:`factor` answers 2.0 (twice too fast), 0.5 (half too slow) or 1.0 (right, or not known yet).
    """

    def __init__(self) -> None:
        self._blocks = 0
        self._loudest = 0.0
        self._bands = np.zeros(_BANDS)
        self._shape = _Shape()
        self._pitch = _Pitch()

    def push(self, block: Audio) -> None:
        """The next half second of speech."""
        centred = block - block.mean()
        bands = np.square(_spectra(centred, _FRAME_SAMPLES)) @ _band_of_bin() + _TINY
        power = bands.sum(axis=1)
        self._loudest = max(float(power.max()), self._loudest * _LOUDEST_DECAY)
        active = power > max(self._loudest * _ACTIVE, _FAINTEST)
        self._blocks += 1
        self._bands += bands[active].sum(axis=0)
        if self.above_db(4500) > _NARROW_DB:
            self._shape.add(bands, active)
            self._pitch.add(centred, bands, active)

    def factor(self) -> float:
        """How many times too fast the speech is, as far as is sure."""
        if self._is_halved():
            return 0.5
        return 2.0 if self._is_doubled() else 1.0

    @property
    def settled(self) -> bool:
        """Whether more speech cannot change the answer: a telephone call's, rightly upsampled."""
        return self._blocks >= _SETTLED_BLOCKS and self.above_db(4500) < _NARROW_DB

    @property
    def pitch_hz(self) -> float:
        """Median pitch of what was voiced; 0.0 while there is none. Not measured on telephone audio."""
        return self._pitch.median_hz()

    def above_db(self, low_hz: int, high_hz: int = RATE_HZ // 2) -> float:
        """What lies between two frequencies (multiples of 250 Hz), in dB of the whole."""
        return _db(self._bands[low_hz // _BAND_HZ : high_hz // _BAND_HZ].sum() / max(self._bands.sum(), _TINY))

    def _is_doubled(self) -> bool:
        shape, pitch = self._shape, self._pitch
        if self._blocks < _MIN_BLOCKS or shape.frames < _MIN_FRAMES or self.above_db(4500) < _TELEPHONE_DB:
            return False
        if self._heard_bands(_HEARD_DB).sum() < _HEARD_BANDS or pitch.voiced < _MIN_VOICED * shape.frames:
            return False
        tempo = shape.tempo()
        if pitch.median_hz() < _MIN_PITCH_HZ or tempo[0] < _MIN_TEMPO:
            return False
        score = _BIAS + float(np.concatenate([tempo, shape.spread(), pitch.low_db()]) @ _WEIGHTS)
        return score > (_SCORE if pitch.median_hz() < _HIGH_PITCH_HZ else _HIGH_PITCH_SCORE)

    def _is_halved(self) -> bool:
        if self._blocks < _CLIFF_BLOCKS or self.above_db(2250, 3750) - self.above_db(1000, 1750) > _CLIFF_DB:
            return False
        return int(self._heard_bands(_CLIFF_HEARD_DB)[:8].sum()) >= _CLIFF_HEARD_BANDS

    def _heard_bands(self, level_db: float) -> Flags:
        return np.asarray(self._bands > 10 ** (level_db / 10) * self._bands.sum())


class _Shape:
    """Moments of the cepstra of active frames, and of how far they move."""

    def __init__(self) -> None:
        self.frames = 0
        self._sum = np.zeros(_CEPSTRA)
        self._squares = np.zeros(_CEPSTRA)
        self._moved = np.zeros((len(_LAGS), _TEMPO.stop))
        self._pairs = np.zeros((len(_LAGS), 1))

    def add(self, bands: Values, active: Flags) -> None:
        floor = _BAND_FLOOR * bands.sum(axis=1, keepdims=True)
        cepstra = np.log(bands + floor) @ _cosines()
        kept = cepstra[active]
        self.frames += len(kept)
        self._sum += kept.sum(axis=0)
        self._squares += np.square(kept).sum(axis=0)
        for row, lag in enumerate(_LAGS):
            moved = (cepstra[lag:] - cepstra[:-lag])[active[lag:] & active[:-lag], : _TEMPO.stop]
            self._moved[row] += np.square(moved).sum(axis=0)
            self._pairs[row] += len(moved)

    def tempo(self) -> Values:
        """Log share of the movement within 16 and 64 ms in all movement, and the same of the level within 16 ms."""
        moved, variance = self._moved / np.maximum(self._pairs, 1) / 2 + _TINY, self._variance()
        shape = moved[:, _TEMPO].sum(axis=1) / variance[_TEMPO].sum()
        return np.asarray(np.log(np.append(shape, moved[0, 0] / variance[0])))

    def spread(self) -> Values:
        """Log share of each cepstral coefficient from the first on in the variance of all."""
        variance = self._variance()[1:]
        return np.asarray(np.log(variance / variance.sum()))

    def _variance(self) -> Values:
        return np.asarray(self._squares / self.frames - np.square(self._sum / self.frames)) + _TINY


class _Pitch:
    """The pitches of voiced frames as a histogram, and their power by band."""

    def __init__(self) -> None:
        self._counts = np.zeros(_PITCH_EDGES.size - 1)
        self._bands = np.zeros(_BANDS)

    @property
    def voiced(self) -> float:
        """Frames with a pitch."""
        return float(self._counts.sum())

    def add(self, block: Audio, bands: Values, active: Flags) -> None:
        spectra = _spectra(block, _PITCH_FRAME_SAMPLES)
        middles = slice(1, 2 * len(spectra), 2)  # of the short frames, those in the middle of a long one
        looked_at, bands = active[middles], bands[middles]
        correlation = np.fft.irfft(np.sqrt(spectra[looked_at]), axis=1)
        near = correlation[:, _PERIODS] / np.maximum(correlation[:, :1], _TINY)
        inner = near[:, 1:-1]
        highest = inner.max(axis=1, keepdims=True)
        peaks = (inner >= near[:, :-2]) & (inner >= near[:, 2:]) & (inner >= _FIRST_PEAK * highest)
        voiced = (highest[:, 0] > _PERIODIC) & peaks.any(axis=1)
        period = peaks[voiced].argmax(axis=1) + _PERIODS.start + 1
        self._counts += np.histogram(np.log2(RATE_HZ / period), _PITCH_EDGES)[0]
        self._bands += bands[looked_at][voiced].sum(axis=0)

    def median_hz(self) -> float:
        if not self.voiced:
            return 0.0
        middle = int(np.searchsorted(np.cumsum(self._counts), self.voiced / 2))
        return float(2 ** (0.5 * (_PITCH_EDGES[middle] + _PITCH_EDGES[middle + 1])))

    def low_db(self) -> tuple[float, float]:
        """Share of voiced sound below 500 and below 750 Hz."""
        whole = max(float(self._bands.sum()), _TINY)
        return _db(self._bands[:2].sum() / whole), _db(self._bands[:3].sum() / whole)


def _db(share: float) -> float:
    return float(10 * np.log10(max(share, _TINY)))


def _spectra(block: Audio, frame_samples: int) -> Values:
    """Magnitudes of Hann-windowed frames, half of one apart: (frames, bins)."""
    frames = np.lib.stride_tricks.sliding_window_view(block, frame_samples)[:: frame_samples // 2]
    return np.abs(np.fft.rfft(frames * _window(frame_samples), axis=1))


@functools.cache
def _window(samples: int) -> Values:
    return np.hanning(samples).astype(np.float32)


@functools.cache
def _band_of_bin() -> Values:
    """Sums a spectrum's bins (but the last) to bands; a product with it is four times as fast as a sum."""
    return np.pad(np.repeat(np.eye(_BANDS, dtype=np.float32), _FRAME_SAMPLES // 2 // _BANDS, axis=0), ((0, 1), (0, 0)))


@functools.cache
def _cosines() -> Values:
    """DCT-II: bands to cepstra."""
    angles = np.outer(np.arange(_BANDS) + 0.5, np.arange(_CEPSTRA)) * np.pi / _BANDS
    return np.asarray(np.cos(angles) * np.sqrt(2 / _BANDS), dtype=np.float32)
