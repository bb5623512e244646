"""Answer detection as a service: the phrases of ``config/amd_fr.yaml`` behind ``detect(text)``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from V3.calls.answer import AnswerDecider, AnswerLabel, AnswerVerdict, KeywordClass, Timing
from V3.calls.words import Phrases
from V3.config import KeywordClassSettings, load_keywords

__all__ = ["AMDService", "AnswerLabel", "AnswerVerdict", "Timing"]


class AMDService:
    """Who answered: HUMAN, MACHINE or NO_ANSWER.

    ``AMDService()`` reads ``config/amd_fr.yaml``; a path takes another file. Raises ConfigError where it is wrong.
    """

    def __init__(self, keywords: Path | None = None) -> None:
        settings = load_keywords(keywords)
        self._decider = AnswerDecider(
            machine=_classes(settings.machine),
            human=_classes(settings.human),
            hallucinations=settings.hallucinations,
            machine_from=settings.machine_from,
        )

    @property
    def keyword_counts(self) -> Mapping[AnswerLabel, int]:
        """How many phrases speak for MACHINE and for HUMAN."""
        return self._decider.keyword_counts

    def detect(self, text: str, *, timing: Timing | None = None) -> AnswerVerdict:
        """The verdict on what was said in the first seconds; ``timing`` adds the voice activity heard with it."""
        return self._decider.decide(text, timing=timing)


def _classes(groups: Mapping[str, KeywordClassSettings]) -> list[KeywordClass]:
    return [KeywordClass(name, group.weight, Phrases(group.phrases)) for name, group in groups.items()]
