"""When to stop talking: what the callee does while a prompt plays, weighed. A core: events in, decisions out.

Three outcomes. *Ignored*: a backchannel ("oui", "mmh", "d'accord" tell that someone listens), a noise, an echo of the
prompt. *Pause*: somebody has spoken for ``pause_ms`` and nothing says yet that it is less than an interruption: the
prompt is broken now, and goes on where it was cut if no more than that comes of it. *Stop*: a stop word, ``words``
words that are no backchannel (and more than a sentence's opening, "je vous"), ``speech_ms`` of speech, or a digit: the
prompt does not come back.

After a pause the callee's final words decide: what takes less than a second is heard out, and of few words all that
they may have been is weighed (:mod:`V3.calls.lone_words`). Where speech stops and no words come within
``false_after_ms``, or only a backchannel or an echo, the prompt is *resumed*. After an echo this call pauses for words
only. What is ``faint_db`` fainter than the callee's own voice is talk beside the telephone, or an echo: it is ignored,
whatever its words and however long.

Only what is said while the prompt plays counts: ``prompt_start_ms`` is when it began, on the clock of the audio. A word
is what is written between spaces ("j'écoute" is one); the last words of a partial that may become a backchannel ("tout
à ...") are waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from V3.calls.echo import EchoMatcher, EchoSign
from V3.calls.lone_words import interruption
from V3.calls.words import Phrases, fold_words
from V3.events import Alternative, Event, Final, Partial, SpeechContinues, SpeechEnded, SpeechStarted, Word

__all__ = ["Action", "BargeIn", "BargeInDetector", "BargeInMode", "BargeInRules"]

ECHO_SWING_DB = 4.0  # between the words of one prompt
WEAK_SIGNS = 2  # of an echo are a sure one
UNKNOWN_ECHO_DBFS = -120.0  # its words told, and no level
WORDS_WITHIN_MS = 300  # of being told that speech has ended
SHORT_MS = 900  # a paused prompt waits for the final of what takes no longer
MANY_WORDS = 3  # that count are no lone words
MISHEARD_MS = 550  # no backchannel takes so long
SHORT_CONFIDENCE = 0.75  # of words that are too short to be sure that they are no backchannel
OPENERS = frozenset(
    (
        *("je", "j", "tu", "il", "elle", "on", "nous", "vous", "ils", "elles", "me", "te", "se", "ce", "c", "ca"),
        *("le", "la", "les", "l", "un", "une", "des", "de", "du", "d", "a", "au", "aux", "est", "suis"),
    )
)  # a sentence begins with them, folded: by themselves they say nothing yet
WORD_SLACK_MS = 150  # the recogniser's word times are this uncertain (half its median error, measured, doubled)


class BargeInMode(StrEnum):
    """What may stop a step's prompt: nothing (off), words, or speech as such (the fastest)."""

    OFF = "off"
    WORDS = "words"
    SPEECH = "speech"


class Action(StrEnum):
    """What to do about what was heard."""

    IGNORE = "ignore"
    PAUSE = "pause"
    STOP = "stop"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class BargeInRules:
    """When a prompt gives way.

    pause_ms: speech this long, without words that say it is nothing, pauses it (mode ``speech``). speech_ms: speech
    this long stops it whatever the words. words: so many words that are no backchannel stop it, once one of them is
    stable (two hypotheses agree: a cough makes words, but not the same ones twice). min_confidence: words below it do
    not count (stop words after a pause: below half of it). false_after_ms: a pause after which no words came ends so
    long after the speech. faint_db: what is so much fainter than the callee's voice is not the callee talking to us.
    """

    speech_ms: int = 1500
    pause_ms: int = 350
    words: int = 2
    min_confidence: float = 0.5
    false_after_ms: int = 1200
    faint_db: float = 10.0
    backchannels: Phrases = field(default_factory=lambda: Phrases(()))
    stop_words: Phrases = field(default_factory=lambda: Phrases(()))


@dataclass(frozen=True, slots=True)
class BargeIn:
    """A decision: what to do and why, what was heard, and when (ms of audio) it began and was decided."""

    reason: str
    text: str
    speech_start_ms: int
    at_ms: int
    action: Action = Action.STOP


@dataclass(frozen=True, slots=True)
class _Owed:
    """A pause that went by without its final words: from when they count, and when its speech ended."""

    from_ms: int
    prompt_start_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class _Heard:
    """The words of one event. ``owners``: each folded part and its word; ``others``: the words that are no backchannel.

    A confidence from which they count: ``sure``; ``surer`` where they are few; ``likely`` once they need less.
    """

    words: Sequence[Word]
    owners: list[tuple[str, int]]
    others: list[int]
    sure: float
    surer: float

    @property
    def likely(self) -> float:
        return self.sure / 2  # a pause is half of an interruption

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words if word.confidence >= self.sure)

    @property
    def parts(self) -> list[str]:
        return [part for part, _ in self.owners]

    def parts_from(self, confidence: float) -> list[str]:
        """The parts, with a gap for each that is less sure."""
        return [part if self.words[index].confidence >= confidence else "" for part, index in self.owners]

    def no_backchannels(self, confidence: float) -> list[Word]:
        return [self.words[index] for index in self.others if self.words[index].confidence >= confidence]

    def telling(self, confidence: float) -> int:
        """How many parts of these are more than a sentence's opening."""
        counted = {index for index in self.others if self.words[index].confidence >= confidence}
        return sum(part not in OPENERS for part, index in self.owners if index in counted)


class BargeInDetector:
    """One prompt's watch, through its pauses. Feed it the call's audio events.

    ``mode``: what may stop the prompt. ``protected_until_ms``: before that nothing does (a legal notice). ``echo``
    knows the prompt's words. ``echo_dbfs``: how loud this call has echoed before (0.0: it has not). ``voice_dbfs``: how
    loud the callee spoke so far (0.0: not known).
    """

    def __init__(
        self,
        rules: BargeInRules,
        *,
        prompt_start_ms: int,
        mode: BargeInMode = BargeInMode.SPEECH,
        protected_until_ms: int = 0,
        echo: EchoMatcher | None = None,
        echo_dbfs: float = 0.0,
        voice_dbfs: float = 0.0,
    ) -> None:
        self._rules = rules
        self._mode = mode
        self._protected_until_ms = protected_until_ms
        self._echo = echo
        self.echo_dbfs = echo_dbfs
        self._from_ms = prompt_start_ms  # what was said before it does not count
        self._prompt_start_ms = prompt_start_ms
        self._speech_start_ms: int | None = None
        self._ended_ms: int | None = None  # of the speech that paused it, while no final words have come
        self._words_due_ms = 0  # where its end was told late: what words it had come after that
        self._owed: _Owed | None = None  # the words of a pause that ended without them
        self._paused = False
        self._done = mode is BargeInMode.OFF
        self._harmless = False  # what is being said is a backchannel or an echo so far
        self._voice_dbfs = voice_dbfs
        self._level_dbfs = 0.0  # of what is being said
        self._weak_signs = 0  # of an echo
        self._hint_dbfs = 0.0  # how loud the last of them was
        self._faint = False  # it is too faint to be said to us

    @property
    def paused(self) -> bool:
        """Whether the prompt is to be silent for now."""
        return self._paused

    @property
    def due_ms(self) -> int | None:
        """When :meth:`tick` has something to say, on the clock of the audio; None: not by itself."""
        if not self._paused or self._ended_ms is None:
            return None
        return max(self._ended_ms + self._rules.false_after_ms, self._words_due_ms)

    def tick(self, now_ms: int) -> BargeIn | None:
        """Time has passed: a pause without words may be over."""
        if self.due_ms is None or now_ms < self.due_ms:
            return None
        return self._decide(Action.RESUME, "speech stopped and no words came", "", now_ms)

    def resumed(self, *, at_ms: int, prompt_start_ms: int) -> None:
        """The prompt goes on since ``at_ms``; ``prompt_start_ms`` is when it would have begun had it not paused."""
        if self._ended_ms is not None:  # a recogniser that is late: its words count when they come
            self._owed = _Owed(self._from_ms, self._prompt_start_ms, self._ended_ms)
        self._from_ms, self._prompt_start_ms = at_ms, prompt_start_ms
        self._speech_start_ms = self._ended_ms = None
        self._paused = self._harmless = False

    def digit(self, digit: str, *, at_ms: int) -> BargeIn | None:
        """A key was pressed."""
        if self._done or at_ms < self._protected_until_ms:
            return None
        return self._decide(Action.STOP, f"key {digit}", "", at_ms)

    def feed(self, event: Event) -> BargeIn | None:
        """Weigh one event of the call's audio; IGNORE says what was heard and why it is nothing, once an utterance."""
        if self._done or event.at_ms < self._protected_until_ms:
            return None
        match event:
            case SpeechStarted():
                self._speech_start_ms = max(event.start_ms, self._from_ms)
                self._ended_ms, self._harmless, self._faint, self._level_dbfs = None, False, False, 0.0
            case SpeechContinues():
                if event.level_dbfs:  # of what is said without a pause: an utterance may have several
                    self._level_dbfs = max(self._level_dbfs or event.level_dbfs, event.level_dbfs)
                self._faint = self._is_faint(self._level_dbfs)
                return self._weigh_speech(event.start_ms, event.voiced_until_ms, event.at_ms)
            case SpeechEnded():
                decision = self._weigh_speech(event.start_ms, event.end_ms, event.at_ms)
                self._ended_ms = event.end_ms if self._paused else None
                self._words_due_ms = event.at_ms + WORDS_WITHIN_MS
                return decision
            case Partial():
                return self._weigh_words(event.words, event.at_ms, is_final=False)
            case Final():
                return self._weigh_final(event)
            case _:
                pass
        return None

    def _decide(self, action: Action, reason: str, text: str, at_ms: int, start_ms: int | None = None) -> BargeIn:
        began_ms = start_ms if start_ms is not None else self._speech_start_ms
        if action is Action.STOP:
            self._done, self._paused = True, False
        elif action is Action.PAUSE:
            self._paused = True
        return BargeIn(reason, text, self._from_ms if began_ms is None else began_ms, at_ms, action)

    @property
    def _echoes(self) -> bool:
        return self.echo_dbfs != 0.0

    @property
    def _hinted(self) -> bool:
        """What is being said is no louder than what may have been an echo: more words are waited for."""
        return bool(self._hint_dbfs) and self._level_dbfs < self._hint_dbfs + ECHO_SWING_DB

    def _is_faint(self, level_dbfs: float) -> bool:
        """Fainter than the callee by far, or no louder than the echo that was heard before."""
        if not level_dbfs:
            return False
        beside = bool(self._voice_dbfs) and level_dbfs < self._voice_dbfs - self._rules.faint_db
        echo_dbfs = self.echo_dbfs + ECHO_SWING_DB
        tells = self._echoes and (not self._voice_dbfs or echo_dbfs < self._voice_dbfs)  # fainter than the callee
        return beside or (tells and level_dbfs < echo_dbfs)

    def _weigh_speech(self, start_ms: int, end_ms: int, at_ms: int) -> BargeIn | None:
        start_ms = max(start_ms, self._from_ms)
        voiced_ms = end_ms - start_ms
        if self._faint:
            return None
        if voiced_ms >= self._rules.speech_ms and not (self._harmless and (self._echoes or self._hinted)):
            return self._decide(Action.STOP, f"speech over {self._rules.speech_ms} ms", "", at_ms, start_ms)
        by_speech = self._mode is BargeInMode.SPEECH and (self._above_echo if self._echoes else not self._hinted)
        if voiced_ms >= self._rules.pause_ms and by_speech and not (self._paused or self._harmless):
            return self._decide(Action.PAUSE, f"speech for {voiced_ms} ms", "", at_ms, start_ms)
        return None

    def _weigh_final(self, event: Final) -> BargeIn | None:
        """The utterance is over: what it was."""
        if event.end_ms <= self._from_ms:
            return self._weigh_late(event)
        harmless, alternatives = self._harmless, self._alternatives(event)
        decision = self._weigh_words(event.words, event.at_ms, is_final=True, alternatives=alternatives)
        if decision is not None:
            return decision
        if self._paused:
            began_ms = self._speech_start_ms
            if began_ms is not None and event.end_ms <= began_ms:
                self._harmless = harmless
                return None  # of an utterance before the one that is still to be understood
            self._ended_ms = None
            return self._decide(Action.RESUME, self._why_nothing(event), event.text, event.at_ms)
        self._harmless = False
        if not event.text and event.end_ms - event.start_ms < self._rules.pause_ms:
            return None  # a click: not worth a word
        return BargeIn(self._why_nothing(event), event.text, event.start_ms, event.at_ms, Action.IGNORE)

    def _weigh_late(self, event: Final) -> BargeIn | None:
        """Words of a pause that are here only after it: an interruption is one still."""
        if self._owed is None or event.end_ms < self._owed.ended_ms:
            return None
        owed, self._owed = self._owed, None
        before = self._from_ms, self._prompt_start_ms, self._paused, self._faint, self._harmless
        # as the end of the pause would have weighed them; what paused the prompt was not faint
        self._from_ms, self._prompt_start_ms = owed.from_ms, owed.prompt_start_ms
        self._paused, self._faint = True, False
        alternatives = self._alternatives(event)
        decision = self._weigh_words(
            event.words, event.at_ms, is_final=True, start_ms=event.start_ms, alternatives=alternatives
        )
        if decision is None:
            self._from_ms, self._prompt_start_ms, self._paused, self._faint, self._harmless = before
        return decision

    def _alternatives(self, event: Final) -> Sequence[Alternative]:
        """Those to be weighed: of what was said while the prompt plays, without what the prompt itself says."""
        if event.start_ms < self._from_ms - WORD_SLACK_MS:
            return ()
        if self._above_echo:
            return event.alternatives
        return [
            each
            for each in event.alternatives
            if self._sign([Word(each.text, event.start_ms, event.end_ms)]) is EchoSign.NONE
        ]

    def _why_nothing(self, event: Final) -> str:
        if self._faint:
            return "fainter than the callee"
        if self._sign(event.words):
            return "echo of the prompt"
        said = [part for word in event.words for part in fold_words(word.text)]
        if not said:
            return "no words"
        return "unsure words" if self._rules.backchannels.kept(said) else "backchannel"

    def _echo_sign(self, words: Sequence[Word], *, is_final: bool) -> EchoSign:
        """Whether these words are the prompt's. Only a sure sign tells how loud this call echoes; a voice well above
        that is the callee's, whatever else is in the words.
        """
        sign = EchoSign.NONE if self._above_echo else self._sign(words)
        if sign is EchoSign.WEAK and is_final:
            self._weak_signs += 1
            self._hint_dbfs = self._level_dbfs
            sign = EchoSign.SURE if self._weak_signs >= WEAK_SIGNS else sign
        if sign is EchoSign.SURE:
            level_dbfs = min(self._level_dbfs, self._hint_dbfs) or UNKNOWN_ECHO_DBFS
            self.echo_dbfs = min(self.echo_dbfs or level_dbfs, level_dbfs)  # the callee's voice may have been over it
        return sign

    def _sign(self, words: Sequence[Word]) -> EchoSign:
        if self._echo is None:
            return EchoSign.NONE
        return self._echo.sign(
            words, prompt_start_ms=self._prompt_start_ms, suspected=self._echoes, hinted=self._hinted
        )

    @property
    def _above_echo(self) -> bool:
        echo_dbfs = self.echo_dbfs or self._hint_dbfs
        return bool(echo_dbfs and self._level_dbfs) and self._level_dbfs >= echo_dbfs + 2 * ECHO_SWING_DB

    def _weigh_words(
        self,
        words: Sequence[Word],
        at_ms: int,
        *,
        is_final: bool,
        start_ms: int | None = None,
        alternatives: Sequence[Alternative] = (),
    ) -> BargeIn | None:
        said = [word for word in words if word.end_ms > self._from_ms + WORD_SLACK_MS]
        sign = self._echo_sign(said, is_final=is_final)
        if self._faint or sign is not EchoSign.NONE:
            # a weak sign of a partial: the prompt says these words just now, and more of them will tell
            self._harmless = self._faint or sign is EchoSign.SURE or is_final or self._echoes or self._weak_signs > 0
            return None
        heard = self._heard(said, is_final=is_final)
        if reason := self._why_stop(heard, alternatives, is_final=is_final):
            return self._decide(Action.STOP, reason, heard.text, at_ms, start_ms)
        self._harmless = bool(alternatives) or (bool(said) and not heard.others)
        if heard.others and not (self._paused or is_final or self._echoes) and self._mode is BargeInMode.SPEECH:
            return self._decide(Action.PAUSE, "words that are no backchannel so far", heard.text, at_ms, start_ms)
        return None

    def _heard(self, words: Sequence[Word], *, is_final: bool) -> _Heard:
        rules = self._rules
        owners = [(part, index) for index, word in enumerate(words) for part in fold_words(word.text)]
        return _Heard(
            words,
            owners,
            others=self._no_backchannel(owners, is_final=is_final),
            sure=rules.min_confidence,
            surer=rules.min_confidence if self._at_length(words) else max(rules.min_confidence, SHORT_CONFIDENCE),
        )

    def _why_stop(self, heard: _Heard, alternatives: Sequence[Alternative], *, is_final: bool) -> str:
        """Why these words stop the prompt; empty: they do not."""
        rules = self._rules
        counted = heard.no_backchannels(heard.surer)
        tells = heard.telling(heard.surer) > self._hinted  # one word of what may be an echo may be misheard
        # an unsure word is a gap: the words around it do not join to a stop word
        stop, _ = rules.stop_words.longest(heard.parts_from(heard.likely if self._paused and is_final else heard.sure))
        many = tells and len(counted) >= MANY_WORDS and self._at_length(heard.words)
        if alternatives and not many and stop.split() in ([], heard.parts):
            enough = self._paused or len(counted) >= rules.words
            return interruption(
                alternatives,
                heard.parts,
                stop_words=rules.stop_words,
                backchannels=rules.backchannels,
                tells=enough and heard.telling(heard.likely) > self._hinted,
                sure=enough and tells,
            )
        # nothing is lost by hearing out what is short, once the prompt is paused
        hear_out = self._paused and not is_final and not self._lasts(heard.words, SHORT_MS)
        if stop and not (hear_out and stop.split() == heard.parts):
            return f"stop word: {stop}"
        if is_final and self._paused:
            unsure = heard.no_backchannels(heard.likely)
            if tells or (len(unsure) >= rules.words and self._at_length(unsure)):
                return f"{_count(heard.others)} that are no backchannel"
        elif not hear_out and tells and len(counted) >= rules.words and any(word.stable for word in counted):
            return f"{_count(counted)} that are no backchannel"
        return ""

    def _at_length(self, words: Sequence[Word]) -> bool:
        return self._lasts(words, MISHEARD_MS)

    def _lasts(self, words: Sequence[Word], least_ms: int) -> bool:
        """Whether these words took so long.

        The recogniser lets the first word begin with its window, some 200 ms before the voice.
        """
        if not words:
            return False
        start_ms, end_ms = words[0].start_ms, words[-1].end_ms
        if self._speech_start_ms is not None and self._speech_start_ms < end_ms:  # else it is of a later utterance
            start_ms = max(start_ms, self._speech_start_ms)
        return end_ms - start_ms >= least_ms

    def _no_backchannel(self, owners: list[tuple[str, int]], *, is_final: bool) -> list[int]:
        """The words (each once) that belong to no backchannel; unsure ones too, which may be part of one."""
        parts = [part for part, _ in owners]
        kept = self._rules.backchannels.kept(parts)
        begun = self._rules.backchannels.begun(parts)
        # a final that is no more than a backchannel's beginning ("c'est") is one whose end was not heard
        settled = len(parts) - (begun if not is_final or begun == len(parts) else 0)
        return sorted({owners[index][1] for index in kept if index < settled})


def _count(words: Sequence[object]) -> str:
    return f"{len(words)} word{'s' if len(words) > 1 else ''}"
