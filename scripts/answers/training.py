"""How the weights of answer detection are found: two logistic models, one on top of the other.

The *words* model: keyword classes and cue features of labelled texts, and of their beginnings (a call is judged before
all is said, too), ridge-regularised. The *timing* model: timing features and a bias on recordings heard for so long and
so long, with the words' sum as an offset, held to prior weights set by hand: what 80 synthetic calls cannot know (that
a machine pauses after "bonjour") is not unlearned from them. Both are convex, solved by L-BFGS: deterministic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from scripts.answers.recordings import LabelledText
from V3.calls.answer import TIMING_FEATURES, AnswerDecider, AnswerLabel, timing_features
from V3.calls.answer_policy import Evidence
from V3.calls.answer_words import Spoken, cue_features

__all__ = [
    "HAND_CLASS_WEIGHTS",
    "HAND_TIMING",
    "Sample",
    "WordModel",
    "fit_timing",
    "fit_words",
    "text_features",
    "text_samples",
]

CLASS = "class:"
RIDGE = 1e-4
CLASS_STRENGTH = 0.01
MIN_COUNT = 3
PRIOR_STRENGTH = 0.02
MIN_CLASS_WEIGHT = 0.05  # a class that tells nothing stays in the file, and says nothing

HAND_CLASS_WEIGHTS = {
    "voicemail": 1.6, "leave_a_message": 1.6, "carrier": 1.6, "call_screening": 1.6, "mailbox_full": 1.6, "absent": 1.2,
    "menu": 1.2, "hint": 0.3, "opener": -1.6, "asks": -2.4, "listens": -2.2, "speaks_of_calls": -2.0, "refuses": -1.6,
    "business": -1.8, "short": -0.4, "greeting": -0.1,
}  # fmt: skip
"""Where the classes' weights are held; a class that is not here is held at 1 for its label."""
HAND_TIMING = {
    "waits": -2.0, "goes_on": 1.0, "goes_on_unheard": 1.5, "waits_unheard": -0.5, "long_first": 0.5, "spoke_on": 0.5,
}  # fmt: skip
"""Where the timing weights are held; the file says what each feature is."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """One text as features, whether it was a machine, and how much it counts."""

    features: frozenset[str]
    is_machine: bool
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class WordModel:
    """Weights in log odds for a machine."""

    bias: float
    classes: dict[str, float] = field(default_factory=dict)
    cues: dict[str, float] = field(default_factory=dict)


def text_features(text: str, decider: AnswerDecider) -> frozenset[str]:
    """The classes and cue features of a text; empty where nothing was said."""
    words = decider.said(text)
    if not words:
        return frozenset()
    spoken = Spoken(words)
    groups = (*decider.machine, *decider.human)
    return frozenset(
        {CLASS + group.name for group in groups if group.hits(words, spoken)} | cue_features(spoken).keys()
    )


def text_samples(texts: Iterable[LabelledText], decider: AnswerDecider, *, beginnings: float = 0.5) -> list[Sample]:
    """Each text, and its beginnings of three words and more, which together count ``beginnings`` of it."""
    samples = []
    for labelled in texts:
        if labelled.label is AnswerLabel.NO_ANSWER:
            continue
        is_machine = labelled.label is AnswerLabel.MACHINE
        samples.append(Sample(text_features(labelled.text, decider), is_machine))
        words = labelled.text.split()
        parts = [" ".join(words[:count]) for count in range(3, len(words))]
        samples += [Sample(text_features(part, decider), is_machine, beginnings / len(parts)) for part in parts]
    return samples


def fit_words(
    samples: Sequence[Sample], prior: Mapping[str, float], *, ridge: float = RIDGE, min_count: int = MIN_COUNT
) -> WordModel:
    """Ridge logistic regression over the features that whole texts have at least ``min_count`` times.

    Class weights stay near ``prior`` (by name, in log odds for a machine): cues could say all that classes say, and a
    phrase that a user adds would then do nothing.
    """
    counts = Counter(name for sample in samples if sample.weight == 1.0 for name in sample.features)
    kept = {name for name, count in counts.items() if count >= min_count or name.startswith(CLASS)}
    names = {name: index for index, name in enumerate(sorted(kept))}
    rows = [
        sorted(names[name] for name in sample.features if name in names) for sample in samples
    ]  # a set has no order
    matrix = csr_matrix(
        (
            np.ones(sum(map(len, rows))),
            [index for row in rows for index in row],
            np.cumsum([0, *map(len, rows)]),
        ),
        shape=(len(samples), len(names)),
    )
    labels = np.array([sample.is_machine for sample in samples], dtype=float)
    counted = np.array([sample.weight for sample in samples])
    centre = np.array([prior.get(name.removeprefix(CLASS), 0.0) if name.startswith(CLASS) else 0.0 for name in names])
    strength = np.array([CLASS_STRENGTH if name.startswith(CLASS) else ridge for name in names])
    bias, weights = _logistic(matrix, labels, counted / counted.sum(), ridge=strength, centre=centre)
    found = {name: float(weights[index]) for name, index in names.items()}
    classes = {name.removeprefix(CLASS): value for name, value in found.items() if name.startswith(CLASS)}
    return WordModel(bias, classes, {name: value for name, value in found.items() if not name.startswith(CLASS)})


def fit_timing(
    moments: Sequence[tuple[Evidence, bool, float]], decider: AnswerDecider, prior: Mapping[str, float]
) -> dict[str, float]:
    """Weights of the timing features for (evidence, is a machine, how much it counts), near ``prior``."""
    offsets, rows = [], []
    for evidence, _, _ in moments:
        offsets.append(decider.words_total(evidence.text, evidence.timing))
        features = timing_features(evidence.timing, has_words=bool(decider.said(evidence.text, evidence.timing)))
        rows.append([features.get(name, 0.0) for name in TIMING_FEATURES])
    centre = np.array([prior.get(name, 0.0) for name in TIMING_FEATURES])
    matrix = np.array(rows)
    labels = np.array([is_machine for _, is_machine, _ in moments], dtype=float)
    counted = np.array([weight for _, _, weight in moments])
    counted /= counted.sum()
    base = np.array(offsets)

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = base + matrix @ weights
        chance = 1 / (1 + np.exp(-scores))
        value = float(counted @ (np.logaddexp(0, scores) - labels * scores))
        away = weights - centre
        return (
            value + PRIOR_STRENGTH * float(away @ away) / 2,
            matrix.T @ (counted * (chance - labels)) + PRIOR_STRENGTH * away,
        )

    weights = minimize(loss, centre, jac=True, method="L-BFGS-B").x
    return {name: float(weight) for name, weight in zip(TIMING_FEATURES, weights, strict=True)}


def _logistic(
    matrix: csr_matrix, labels: Floats, counted: Floats, *, ridge: Floats, centre: Floats
) -> tuple[float, Floats]:
    def loss(theta: Floats) -> tuple[float, Floats]:
        scores = matrix @ theta[1:] + theta[0]
        chance = 1 / (1 + np.exp(-scores))
        away = theta[1:] - centre
        value = float(counted @ (np.logaddexp(0, scores) - labels * scores)) + float(ridge @ away**2) / 2
        slope = counted * (chance - labels)
        return value, np.concatenate([[slope.sum()], matrix.T @ slope + ridge * away])

    theta = minimize(loss, np.concatenate([[0.0], centre]), jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
    return float(theta[0]), theta[1:]
