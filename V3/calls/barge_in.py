"""When to stop talking: what the callee does while a prompt plays, weighed. A core: events in, a decision out.

A prompt is stopped by a stop word at once, by ``words`` words that are no backchannel ("oui", "mmh", "d'accord" tell
that someone listens), or by ``speech_ms`` of speech whatever its words. Only what is said while the prompt plays
counts: ``prompt_start_ms`` is when it began, on the clock of the audio. A word is what is written between spaces
("j'écoute" is one); the last words of a partial that may become a backchannel ("tout à ...") are waited for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from V3.calls.words import Phrases, fold_words
from V3.events import Event, Final, Partial, SpeechContinues, SpeechEnded, SpeechStarted, Word

__all__ = ["BargeIn", "BargeInDetector", "BargeInRules"]

WORD_SLACK_MS = 150  # the recogniser's word times are this uncertain (half its median error, measured, doubled)


@dataclass(frozen=True, slots=True)
class BargeInRules:
    """When a prompt gives way.

    speech_ms: speech this long stops it whatever the words. words: so many words that are no backchannel stop it, once
    one of them is stable (two hypotheses agree: a cough makes words, but not the same ones twice). min_confidence:
    words below it do not count.
    """

    speech_ms: int = 1500
    words: int = 2
    min_confidence: float = 0.6
    backchannels: Phrases = field(default_factory=lambda: Phrases(()))
    stop_words: Phrases = field(default_factory=lambda: Phrases(()))


@dataclass(frozen=True, slots=True)
class BargeIn:
    """A decision to stop: why, what was heard, and when (ms of audio) it began and was decided."""

    reason: str
    text: str
    speech_start_ms: int
    at_ms: int


class BargeInDetector:
    """One prompt's watch. Feed it the call's audio events; it answers at most once."""

    def __init__(self, rules: BargeInRules, *, prompt_start_ms: int) -> None:
        self._rules = rules
        self._prompt_start_ms = prompt_start_ms
        self._speech_start_ms: int | None = None
        self._done = False

    def feed(self, event: Event) -> BargeIn | None:
        """Weigh one event of the call's audio."""
        if self._done:
            return None
        decision: BargeIn | None = None
        if isinstance(event, SpeechStarted):
            self._speech_start_ms = max(event.start_ms, self._prompt_start_ms)
        elif isinstance(event, SpeechContinues):
            decision = self._weigh_speech(event.start_ms, event.voiced_until_ms, event.at_ms)
        elif isinstance(event, SpeechEnded):
            decision = self._weigh_speech(event.start_ms, event.end_ms, event.at_ms)
        elif isinstance(event, Partial | Final):
            decision = self._weigh_words(event.words, event.at_ms, is_final=isinstance(event, Final))
        self._done = decision is not None
        return decision

    def _weigh_speech(self, start_ms: int, end_ms: int, at_ms: int) -> BargeIn | None:
        start_ms = max(start_ms, self._prompt_start_ms)
        if end_ms - start_ms < self._rules.speech_ms:
            return None
        return BargeIn(f"speech over {self._rules.speech_ms} ms", "", start_ms, at_ms)

    def _weigh_words(self, words: Iterable[Word], at_ms: int, *, is_final: bool) -> BargeIn | None:
        said = [word for word in words if word.end_ms > self._prompt_start_ms + WORD_SLACK_MS]
        sure = [word.confidence >= self._rules.min_confidence for word in said]
        owners = [(part, index) for index, word in enumerate(said) for part in fold_words(word.text)]
        text = " ".join(word.text for word, counts in zip(said, sure, strict=True) if counts)
        start_ms = self._speech_start_ms if self._speech_start_ms is not None else max(0, self._prompt_start_ms)
        # an unsure word is a gap: the words around it do not join to a stop word
        stop, _ = self._rules.stop_words.longest([part if sure[index] else "" for part, index in owners])
        if stop:
            return BargeIn(f"stop word: {stop}", text, start_ms, at_ms)
        counted = [said[index] for index in self._no_backchannel(owners, is_final=is_final) if sure[index]]
        if len(counted) >= self._rules.words and any(word.stable for word in counted):
            return BargeIn(f"{len(counted)} words that are no backchannel", text, start_ms, at_ms)
        return None

    def _no_backchannel(self, owners: list[tuple[str, int]], *, is_final: bool) -> list[int]:
        """The words (each once) that belong to no backchannel; unsure ones too, which may be part of one."""
        parts = [part for part, _ in owners]
        kept = self._rules.backchannels.kept(parts)
        settled = len(parts) if is_final else len(parts) - self._rules.backchannels.begun(parts)
        return sorted({owners[index][1] for index in kept if index < settled})
