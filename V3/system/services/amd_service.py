"""Answer detection as a service: the tables of ``config/amd_fr.yaml`` behind ``detect(text)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from V3.audio.tones import Tone
from V3.calls.answer import TIMING_FEATURES, AnswerDecider, AnswerKind, AnswerLabel, AnswerVerdict, Timing
from V3.calls.answer_words import Cues, KeywordClass
from V3.calls.words import Phrases
from V3.config import AnswerKeywords, KeywordClassSettings, config_dir, load_cues, load_keywords
from V3.errors import ConfigError

__all__ = ["AMDService", "AnswerKind", "AnswerLabel", "AnswerVerdict", "Timing", "decider_from"]


class AMDService:
    """Who answered: HUMAN, MACHINE or NO_ANSWER, and more finely what kind.

    ``AMDService()`` reads ``config/amd_fr.yaml``; a path takes another file. Raises ConfigError where it is wrong.
    """

    def __init__(self, keywords: Path | None = None) -> None:
        path = keywords or config_dir() / "amd_fr.yaml"
        settings = load_keywords(path)
        cues = load_cues(path.parent / settings.cues) if settings.cues else {}
        self.decider = decider_from(settings, cues, source=str(path))

    @property
    def keyword_counts(self) -> Mapping[AnswerLabel, int]:
        """How many phrases speak for MACHINE and for HUMAN."""
        return self.decider.keyword_counts

    def detect(self, text: str, *, timing: Timing | None = None, tones: Sequence[Tone] = ()) -> AnswerVerdict:
        """The verdict on what was said in the first seconds; ``timing`` and ``tones`` add what was heard with it."""
        return self.decider.decide(text, timing=timing, tones=tones)


def decider_from(settings: AnswerKeywords, cues: Mapping[str, float], *, source: str = "amd_fr.yaml") -> AnswerDecider:
    """The decider of these tables. Raises ConfigError for a timing feature or a kind that there is none of."""
    if unknown := [name for name in settings.timing if name not in TIMING_FEATURES]:
        raise ConfigError(f"{source}: timing.{unknown[0]}: one of {', '.join(TIMING_FEATURES)} is taken")
    return AnswerDecider(
        machine=_classes(settings.machine, source),
        human=_classes(settings.human, source),
        kinds={_kind(kind, f"{source}: kinds"): Phrases(phrases) for kind, phrases in settings.kinds.items()},
        hallucinations=Phrases(settings.hallucinations),
        hallucination_marks=Phrases(settings.hallucination_marks),
        cues=Cues(cues),
        timing=settings.timing,
        bias=settings.bias,
        machine_from=settings.machine_from,
    )


def _classes(groups: Mapping[str, KeywordClassSettings], source: str) -> list[KeywordClass]:
    for name, group in groups.items():
        if group.kind:
            _kind(group.kind, f"{source}: {name}.kind")
    return [KeywordClass(name, group.weight, Phrases(group.phrases), group.kind) for name, group in groups.items()]


def _kind(value: str, where: str) -> AnswerKind:
    try:
        return AnswerKind(value)
    except ValueError:
        raise ConfigError(f"{where} {value!r}: one of {', '.join(AnswerKind)} is taken") from None
