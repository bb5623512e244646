"""When a prompt is ignored over, paused, stopped and resumed: every rule, and what may never happen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.barge_in import Action, BargeIn, BargeInDetector, BargeInMode, BargeInRules
from V3.calls.echo import EchoMatcher
from V3.calls.words import Phrases
from V3.config import BACKCHANNELS, STOP_WORDS, BargeInSettings
from V3.events import (
    Alternative,
    Event,
    Final,
    Partial,
    SpeechContinues,
    SpeechEnded,
    SpeechStarted,
    StreamOpened,
    ToneHeard,
    Word,
)

SETTINGS = BargeInSettings()
RULES = BargeInRules(
    speech_ms=SETTINGS.speech_ms,
    pause_ms=SETTINGS.pause_ms,
    words=SETTINGS.words,
    min_confidence=SETTINGS.min_confidence,
    false_after_ms=SETTINGS.false_after_ms,
    faint_db=SETTINGS.faint_db,
    backchannels=Phrases(SETTINGS.backchannels),
    stop_words=Phrases(SETTINGS.stop_words),
)
PROMPT_MS = 10_000
PROMPT = "Vous avez demandé à être rappelé au sujet d'un rendez-vous avec un conseiller"
LENGTH_MS = 5000
VOICE_DBFS = -20.0


def watch(
    prompt_start_ms: int = PROMPT_MS, *, mode: BargeInMode = BargeInMode.SPEECH, voice_dbfs: float = 0.0,
    echo: bool = False, echo_dbfs: float = 0.0, protected_until_ms: int = 0,
) -> BargeInDetector:  # fmt: skip
    return BargeInDetector(
        RULES,
        prompt_start_ms=prompt_start_ms,
        mode=mode,
        protected_until_ms=protected_until_ms,
        echo=EchoMatcher(PROMPT, length_ms=LENGTH_MS) if echo else None,
        echo_dbfs=echo_dbfs,
        voice_dbfs=voice_dbfs,
    )


def words(
    text: str, *, at_ms: int = PROMPT_MS + 1000, stable: int | None = None, confidence: float = 0.9
) -> tuple[Word, ...]:
    """Words of 200 ms; the first ``stable`` of them are stable (all, when not given)."""
    parts = text.split()
    sure = len(parts) if stable is None else stable
    return tuple(
        Word(part, at_ms + 200 * i, at_ms + 200 * i + 200, confidence, i < sure) for i, part in enumerate(parts)
    )


def partial(said: str | tuple[Word, ...], *, at_ms: int = PROMPT_MS + 2000, stable: int | None = None) -> Partial:
    heard = words(said, stable=stable) if isinstance(said, str) else said
    text = " ".join(word.text for word in heard)
    return Partial(call_id="c", at_ms=at_ms, text=text, words=heard, start_ms=heard[0].start_ms if heard else 0)


def final(said: str | tuple[Word, ...], *, at_ms: int = PROMPT_MS + 2000, end_ms: int = 0, start_ms: int = 0) -> Final:
    p = partial(said, at_ms=at_ms)
    return Final(
        call_id="c", at_ms=at_ms, text=p.text, words=p.words, start_ms=start_ms or p.start_ms, end_ms=end_ms or at_ms
    )


def starts(start_ms: int) -> SpeechStarted:
    return SpeechStarted(call_id="c", at_ms=start_ms + 60, start_ms=start_ms)


def speaks(start_ms: int, until_ms: int, level_dbfs: float = 0.0) -> SpeechContinues:
    return SpeechContinues(
        call_id="c", at_ms=until_ms + 40, start_ms=start_ms, voiced_until_ms=until_ms, level_dbfs=level_dbfs
    )


def ends(start_ms: int, end_ms: int) -> SpeechEnded:
    return SpeechEnded(call_id="c", at_ms=end_ms + 500, start_ms=start_ms, end_ms=end_ms)


def feed(detector: BargeInDetector, *events: Event) -> list[BargeIn]:
    return [decision for event in events if (decision := detector.feed(event)) is not None]


def actions(detector: BargeInDetector, *events: Event) -> list[Action]:
    return [decision.action for decision in feed(detector, *events)]


def paused(*, start_ms: int = PROMPT_MS + 500) -> BargeInDetector:
    """A prompt that somebody's voice has just paused."""
    detector = watch()
    assert actions(detector, starts(start_ms), speaks(start_ms, start_ms + 360)) == [Action.PAUSE]
    return detector


# ---- what stops a prompt for good


@pytest.mark.parametrize("stop", STOP_WORDS)
def test_a_stop_word_stops_at_once_stable_or_not(stop: str) -> None:
    (decision,) = feed(watch(), partial(f"euh {stop}", stable=0))
    assert decision.action is Action.STOP
    assert decision.reason.startswith("stop word: ")
    assert decision.text == f"euh {stop}"
    assert decision.at_ms == PROMPT_MS + 2000


def test_two_words_that_are_no_backchannel_stop_it() -> None:
    assert actions(watch(), partial("oui bonjour")) == [Action.PAUSE]  # one: more may come
    (decision,) = feed(watch(), partial("oui bonjour madame"))
    assert decision.action is Action.STOP
    assert decision.reason == "2 words that are no backchannel"
    assert decision.text == "oui bonjour madame"


@pytest.mark.parametrize("said", ["j'écoute", "qu'est-ce"])
def test_what_is_written_as_one_word_is_one(said: str) -> None:
    assert actions(watch(), final(said)) == [Action.IGNORE]


def test_words_count_only_once_two_hypotheses_agree_on_one() -> None:
    detector = watch()
    assert actions(detector, partial("mais dites donc voir un peu", stable=0)) == [Action.PAUSE]
    assert actions(detector, partial("mais dites donc voir un peu", stable=1)) == [Action.STOP]
    # a stable backchannel does not vouch for them
    assert actions(watch(), partial("oui mais dites", stable=1)) == [Action.PAUSE]


def test_a_paused_prompt_hears_out_what_takes_less_than_a_second() -> None:
    """Nothing is lost by it: a final tells more than a partial. A stop word among others need not be waited for."""
    assert actions(paused(), partial("mais dites donc")) == []
    assert actions(paused(), partial("mais dites donc"), final("mais dites donc")) == [Action.STOP]
    assert actions(paused(), partial("mais dites donc"), final("d'accord d'accord")) == [Action.RESUME]
    assert actions(paused(), partial("attendez")) == []
    assert actions(paused(), partial("attendez"), final("attendez")) == [Action.STOP]
    assert actions(paused(), partial("attendez"), final("entendu")) == [Action.RESUME]
    assert actions(paused(), partial("oui attendez")) == [Action.STOP]


def weighed(text: str, *, confidence: float = 0.6, **likelihoods: float) -> Final:
    """A final with its alternatives; underscores are spaces, and ``written`` is what ``text`` got."""
    heard = words(text, confidence=confidence)
    given = {text if name == "written" else name.replace("_", " "): value for name, value in likelihoods.items()}
    alternatives = tuple(Alternative(phrase, value) for phrase, value in given.items())
    return replace(final(heard, start_ms=PROMPT_MS + 500), alternatives=alternatives)


@pytest.mark.parametrize(
    ("heard", "action"),
    [
        (weighed("entenez", written=0.01, arrêtez=0.3, entendu=0.002), Action.STOP),
        (weighed("on coupe", written=0.03, ok=0.3), Action.RESUME),
        (weighed("pourquoi", written=0.7), Action.STOP),
        (weighed("c'est", written=0.4, stop=0.01), Action.RESUME),
        (weighed("arrêtez", written=0.2, parfait=0.5), Action.RESUME),
        (weighed("", arrêtez=0.4), Action.STOP),
        (weighed("", stop=0.05, ah=0.04), Action.RESUME),
    ],
)
def test_of_few_words_all_that_they_may_have_been_is_weighed(heard: Final, action: Action) -> None:
    assert actions(paused(), heard) == [action]


@pytest.mark.parametrize(
    "heard",
    [
        weighed("attendez, madame", **{"Attendez.": 0.4}),
        weighed("attendez, madame", **{"Attendez.": 0.4, "written": 0.02, "Entendu.": 0.03}),
        weighed("attendez, stop", **{"Attendez.": 0.3, "Ah.": 0.011}),
        weighed("oui, oui, attendez", **{"written": 0.03, "Ouais.": 0.04}),
    ],
)
def test_a_stop_word_among_others_stops_whatever_the_whole_is_likely_to_be(heard: Final) -> None:
    assert actions(paused(), heard) == [Action.STOP]


def test_many_sure_words_are_not_weighed_against_a_short_backchannel() -> None:
    heard = weighed("mais qui est à l'appareil", **{"written": 0.017, "Mais oui.": 0.012})
    assert actions(paused(), heard) == [Action.STOP]


@pytest.mark.parametrize("written", ["conseilla", ""])
def test_an_alternative_that_the_prompt_says_just_then_is_its_echo(written: str) -> None:
    """The prompt's own "attendez" comes back, misheard or too faint to be written."""
    detector = BargeInDetector(RULES, prompt_start_ms=PROMPT_MS, echo=EchoMatcher("attendez un conseiller"))
    start_ms = PROMPT_MS + 100
    feed(detector, starts(start_ms), speaks(start_ms, start_ms + 360))
    heard = replace(weighed(written, **{"Attendez.": 0.5}), start_ms=start_ms)
    assert actions(detector, heard) == [Action.RESUME]


def test_late_alternatives_of_what_began_before_the_prompt_are_not_weighed() -> None:
    detector = paused()
    feed(detector, SpeechEnded(call_id="c", at_ms=PROMPT_MS + 1400, start_ms=PROMPT_MS + 500, end_ms=PROMPT_MS + 900))
    assert detector.tick(PROMPT_MS + 2200) is not None
    detector.resumed(at_ms=PROMPT_MS + 2200, prompt_start_ms=PROMPT_MS + 1300)
    heard = weighed("oui", **{"written": 0.1, "Non merci.": 0.9})
    late = replace(heard, at_ms=PROMPT_MS + 2500, end_ms=PROMPT_MS + 900)
    assert actions(detector, replace(late, start_ms=PROMPT_MS - 500)) == []


def test_late_words_that_are_nothing_do_not_make_what_is_being_said_nothing() -> None:
    detector = paused()
    feed(detector, SpeechEnded(call_id="c", at_ms=PROMPT_MS + 1400, start_ms=PROMPT_MS + 500, end_ms=PROMPT_MS + 900))
    assert detector.tick(PROMPT_MS + 2200) is not None
    detector.resumed(at_ms=PROMPT_MS + 2200, prompt_start_ms=PROMPT_MS + 1300)
    late = replace(weighed("", **{"Ah.": 0.1}), at_ms=PROMPT_MS + 2500, end_ms=PROMPT_MS + 900)
    began_ms = PROMPT_MS + 2400
    assert actions(detector, starts(began_ms), late, speaks(began_ms, began_ms + 400)) == [Action.PAUSE]


def test_a_pause_that_the_end_of_speech_decides_ends_by_itself_too() -> None:
    detector = watch()
    start_ms = PROMPT_MS + 500
    ended = SpeechEnded(call_id="c", at_ms=start_ms + 900, start_ms=start_ms, end_ms=start_ms + 400)
    assert actions(detector, starts(start_ms), ended) == [Action.PAUSE]
    assert detector.due_ms == start_ms + 400 + SETTINGS.false_after_ms


def test_alternatives_of_what_began_before_the_prompt_are_not_weighed() -> None:
    early = replace(weighed("oui", written=0.1, arrêtez=0.9), start_ms=PROMPT_MS - 500)
    assert actions(paused(), early) == [Action.RESUME]


def test_words_only_mode_wants_two_words_of_neither_kind_and_one_stop_word() -> None:
    detector = watch(mode=BargeInMode.WORDS)
    assert actions(detector, weighed("pourquoi", confidence=0.9, written=0.9)) == [Action.IGNORE]
    assert actions(detector, weighed("pourquoi ça", confidence=0.9, written=0.9)) == [Action.STOP]
    assert actions(watch(mode=BargeInMode.WORDS), weighed("entenez", written=0.1, arrêtez=0.3)) == [Action.STOP]


def test_words_that_come_with_a_late_end_of_speech_are_waited_for() -> None:
    """After "attendez" or "qui" the end is told when false_after_ms has gone by already."""
    detector = paused()
    end_ms = PROMPT_MS + 900
    told_ms = end_ms + SETTINGS.false_after_ms + 20
    feed(detector, SpeechEnded(call_id="c", at_ms=told_ms, start_ms=PROMPT_MS + 500, end_ms=end_ms))
    assert detector.tick(told_ms + 200) is None
    assert detector.due_ms == told_ms + 300
    decision = detector.tick(told_ms + 300)
    assert decision is not None
    assert decision.action is Action.RESUME


def test_words_the_recogniser_is_not_sure_of_do_not_stop() -> None:
    least = SETTINGS.min_confidence
    assert actions(watch(), partial(words("mais dites donc", confidence=least - 0.01))) == [Action.PAUSE]
    assert Action.STOP not in actions(watch(), partial(words("arrêtez", confidence=least - 0.01)))
    assert actions(watch(), partial(words("arrêtez", confidence=least))) == [Action.STOP]


def test_an_unsure_word_neither_joins_a_stop_word_nor_breaks_a_backchannel() -> None:
    no, sure, thanks = words("non madame merci")
    unsure = Word(sure.text, sure.start_ms, sure.end_ms, 0.2, stable=True)
    assert all("non merci" not in d.reason for d in feed(watch(), final((no, unsure, thanks))))
    all_, to, fact = words("tout à fait")
    said = final((all_, Word(to.text, to.start_ms, to.end_ms, 0.2, stable=True), fact))
    assert [d.reason for d in feed(watch(), said)] == ["backchannel"]


def test_speech_of_1500_ms_stops_it_whatever_its_words() -> None:
    start = PROMPT_MS + 500
    detector = watch()
    assert actions(detector, speaks(start, start + 1499)) == [Action.PAUSE]
    (decision,) = feed(detector, speaks(start, start + 1500))
    assert (decision.action, decision.reason, decision.speech_start_ms) == (Action.STOP, "speech over 1500 ms", start)


def test_it_answers_once_after_a_stop() -> None:
    stops = (partial("stop"), partial("stop stop"), final("arrêtez"), speaks(0, 90_000))
    assert actions(watch(), *stops) == [Action.STOP]


# ---- what pauses it


def test_speech_of_350_ms_pauses_it_once() -> None:
    start = PROMPT_MS + 500
    detector = watch()
    assert feed(detector, speaks(start, start + 349)) == []
    assert not detector.paused
    (decision,) = feed(detector, speaks(start, start + 350))
    assert (decision.action, decision.reason, decision.speech_start_ms) == (Action.PAUSE, "speech for 350 ms", start)
    assert detector.paused
    assert feed(detector, speaks(start, start + 800)) == []


def test_speech_is_counted_from_the_prompts_start() -> None:
    before = PROMPT_MS - 3000
    detector = watch()
    assert feed(detector, speaks(before, PROMPT_MS + 349)) == []
    assert actions(detector, speaks(before, PROMPT_MS + 350)) == [Action.PAUSE]
    (decision,) = feed(detector, speaks(before, PROMPT_MS + 1500))
    assert (decision.action, decision.speech_start_ms) == (Action.STOP, PROMPT_MS)


def test_the_silence_that_tells_the_end_is_no_speech() -> None:
    assert actions(watch(), ends(PROMPT_MS - 5000, PROMPT_MS + 349)) == []
    assert actions(watch(), ends(PROMPT_MS - 5000, PROMPT_MS + 1499)) == [Action.PAUSE]
    assert actions(watch(), ends(PROMPT_MS, PROMPT_MS + 1500)) == [Action.STOP]


def test_speech_that_is_a_backchannel_so_far_pauses_nothing() -> None:
    start = PROMPT_MS + 900
    detector = watch()
    assert feed(detector, starts(start), partial("oui", at_ms=start + 300), speaks(start, start + 900)) == []
    assert actions(detector, speaks(start, start + 1500)) == [Action.STOP]  # nobody listens for so long


@pytest.mark.parametrize("said", BACKCHANNELS)
def test_backchannels_and_their_beginnings_are_ignored_and_said_to_be(said: str) -> None:
    parts = said.split()
    grown = [partial(" ".join(parts[: n + 1])) for n in range(len(parts))]
    decisions = feed(watch(), *grown, final(said), partial(f"oui {said}"), partial(f"{said} {said}"))
    assert {d.action for d in decisions} == {Action.IGNORE}
    assert [(d.reason, d.text) for d in decisions] == [("backchannel", said)]


def test_the_opening_of_a_sentence_says_nothing_yet() -> None:
    assert actions(watch(), partial("je vous")) == [Action.PAUSE]  # one: more may come
    detector = paused()
    assert actions(detector, final("je vous", at_ms=PROMPT_MS + 1500, end_ms=PROMPT_MS + 900)) == [Action.RESUME]
    assert actions(watch(), partial("je vous écoute")) == [Action.STOP]
    detector = paused()
    assert actions(detector, final("c'est", at_ms=PROMPT_MS + 1500, end_ms=PROMPT_MS + 900)) == [Action.RESUME]


def test_the_end_of_a_partial_that_may_become_a_backchannel_is_waited_for() -> None:
    detector = watch()
    assert feed(detector, partial("tout à"), partial("tout à fait")) == []
    assert actions(detector, partial("tout à l'heure")) == [Action.STOP]
    assert actions(watch(), final("tout à")) == [Action.IGNORE]  # its end was not heard


def test_an_utterance_that_was_nothing_is_told_and_a_click_is_not() -> None:
    noise = final((), at_ms=PROMPT_MS + 2000, start_ms=PROMPT_MS + 1700)
    assert feed(watch(), noise) == []
    cough = replace(noise, start_ms=PROMPT_MS + 1000)
    (decision,) = feed(watch(), cough)
    assert (decision.action, decision.reason, decision.text) == (Action.IGNORE, "no words", "")


# ---- what becomes of a pause


def test_a_backchannel_resumes_it() -> None:
    detector = paused()
    (decision,) = feed(detector, ends(PROMPT_MS + 500, PROMPT_MS + 1200), final("mmh oui"))
    assert (decision.action, decision.reason, decision.text) == (Action.RESUME, "backchannel", "mmh oui")


def test_no_words_resume_it_at_their_bound_and_not_before() -> None:
    detector = paused()
    assert detector.due_ms is None  # somebody speaks
    assert detector.tick(PROMPT_MS + 90_000) is None
    feed(detector, ends(PROMPT_MS + 500, PROMPT_MS + 1000))
    due_ms = PROMPT_MS + 1000 + SETTINGS.false_after_ms
    assert detector.due_ms == due_ms
    assert detector.tick(due_ms - 1) is None
    decision = detector.tick(due_ms)
    assert decision is not None
    assert (decision.action, decision.at_ms) == (Action.RESUME, due_ms)


def test_speech_that_goes_on_after_a_gap_moves_the_bound() -> None:
    detector = paused()
    feed(detector, ends(PROMPT_MS + 500, PROMPT_MS + 1000), starts(PROMPT_MS + 1800))
    assert detector.due_ms is None


def test_one_word_that_is_no_backchannel_stops_a_paused_prompt() -> None:
    assert actions(paused(), final("pourquoi")) == [Action.STOP]
    assert actions(paused(), partial("pourquoi")) == []  # it may become "pourquoi pas"


def test_after_a_pause_a_stop_word_may_be_less_sure() -> None:
    low, lower = SETTINGS.min_confidence / 2, SETTINGS.min_confidence / 2 - 0.01
    assert actions(paused(), partial(words("arrêtez", confidence=low))) == []  # its final will tell
    assert actions(paused(), final(words("arrêtez", confidence=low))) == [Action.STOP]
    assert actions(paused(), final(words("arrêtez", confidence=lower))) == [Action.RESUME]


def test_unsure_words_after_a_pause_count_where_they_are_many_and_long() -> None:
    unsure = SETTINGS.min_confidence / 2
    assert actions(paused(), final(words("quel genre de chose", confidence=unsure))) == [Action.STOP]
    (decision,) = feed(paused(), final(words("quel genre", confidence=unsure)))  # 400 ms: "mmh oui", misheard
    assert (decision.action, decision.reason) == (Action.RESUME, "unsure words")


def test_a_final_of_an_utterance_before_does_not_end_the_pause() -> None:
    start = PROMPT_MS + 1500
    detector = paused(start_ms=start)
    before = final(words("oui", at_ms=PROMPT_MS + 1000), at_ms=start + 500, end_ms=PROMPT_MS + 1200)
    assert feed(detector, before) == []
    assert detector.paused
    assert actions(detector, final(words("oui", at_ms=start), end_ms=start + 400)) == [Action.RESUME]


def resume(detector: BargeInDetector, at_ms: int, cut_ms: int = 500) -> None:
    detector.resumed(at_ms=at_ms, prompt_start_ms=at_ms - cut_ms)


def test_after_a_resumption_only_what_comes_then_counts() -> None:
    detector = paused()
    feed(detector, ends(PROMPT_MS + 500, PROMPT_MS + 900), final("mmh", at_ms=PROMPT_MS + 1400, end_ms=PROMPT_MS + 900))
    resume(detector, PROMPT_MS + 1600)
    assert not detector.paused
    assert detector.due_ms is None
    said = words("je suis là", at_ms=PROMPT_MS + 700)
    assert feed(detector, partial(said), final(said, end_ms=PROMPT_MS + 1300)) == []
    again = PROMPT_MS + 3000
    assert actions(detector, starts(again), speaks(again, again + 360)) == [Action.PAUSE]
    assert actions(detector, final(words("attendez", at_ms=again), end_ms=again + 500)) == [Action.STOP]


def late(*said: str) -> list[BargeIn]:
    """What the words of a pause do that come after the prompt went on for want of them."""
    start, end = PROMPT_MS + 500, PROMPT_MS + 1100
    detector = paused(start_ms=start)
    feed(detector, ends(start, end))
    decision = detector.tick(end + SETTINGS.false_after_ms)
    assert decision is not None
    resume(detector, end + SETTINGS.false_after_ms + 50)
    at_ms = end + 2000
    decisions = [d for text in said for d in feed(detector, final(words(text, at_ms=start), at_ms=at_ms, end_ms=end))]
    after = at_ms + 500
    if not decisions:  # the watch goes on as ever
        assert actions(detector, starts(after), speaks(after, after + 400)) == [Action.PAUSE]
    return decisions


def test_words_that_come_after_their_pause_was_over_still_interrupt() -> None:
    (decision,) = late("mais qui êtes-vous")
    assert (decision.action, decision.speech_start_ms) == (Action.STOP, PROMPT_MS + 500)
    assert [d.action for d in late("pourquoi")] == [Action.STOP]
    assert late("oui d'accord") == []
    assert late("oui", "mais qui êtes-vous") == []  # they come once


def test_words_that_come_while_somebody_speaks_again_are_as_long_as_they_were() -> None:
    """Half a second of words, half sure: the length of what is said since is not theirs."""
    start, end = PROMPT_MS + 500, PROMPT_MS + 1100
    detector = paused(start_ms=start)
    feed(detector, ends(start, end))
    assert detector.tick(end + SETTINGS.false_after_ms) is not None
    resume(detector, end + SETTINGS.false_after_ms + 50)
    feed(detector, starts(end + 1500))
    said = words("mais dites donc", at_ms=start, confidence=0.6)
    assert actions(detector, final(said, at_ms=end + 1800, end_ms=end)) == [Action.STOP]


# ---- what does not count


def test_words_said_before_the_prompt_do_not_count() -> None:
    assert feed(watch(), final(words("je vous écoute madame", at_ms=PROMPT_MS - 1000), end_ms=PROMPT_MS)) == []
    # within the slack of word times
    assert Action.STOP not in actions(watch(), final(words("arrêtez", at_ms=PROMPT_MS - 100)))
    assert actions(watch(), final(words("arrêtez", at_ms=PROMPT_MS))) == [Action.STOP]


def test_it_tells_when_the_speech_began() -> None:
    (decision,) = feed(watch(), starts(PROMPT_MS + 900), partial("stop"))
    assert decision.speech_start_ms == PROMPT_MS + 900
    assert feed(watch(), starts(PROMPT_MS - 100), partial("stop"))[0].speech_start_ms == PROMPT_MS
    assert feed(watch(), partial("stop"))[0].speech_start_ms == PROMPT_MS  # speech from before the watch
    assert feed(watch(-500), partial("stop"))[0].speech_start_ms == -500  # before the answer


def test_other_events_and_empty_words_are_nothing() -> None:
    opened = StreamOpened(call_id="c", at_ms=0, rate_hz=16000)
    tone = ToneHeard(call_id="c", at_ms=PROMPT_MS + 500, kind="beep", start_ms=0, end_ms=400, hz=1000.0)
    assert feed(watch(), opened, tone, partial(()), partial(words("? … !"))) == []


def test_rules_of_its_own_need_no_lists() -> None:
    detector = BargeInDetector(BargeInRules(speech_ms=300, words=1), prompt_start_ms=0)
    assert actions(detector, partial("oui")) == [Action.STOP]
    detector = BargeInDetector(BargeInRules(speech_ms=300, words=1), prompt_start_ms=0)
    assert actions(detector, speaks(0, 300)) == [Action.STOP]


# ---- modes, the protected opening, keys


def test_off_nothing_stops_it() -> None:
    detector = watch(mode=BargeInMode.OFF)
    assert feed(detector, starts(PROMPT_MS), speaks(PROMPT_MS, PROMPT_MS + 9000), partial("stop"), final("stop")) == []
    assert detector.digit("1", at_ms=PROMPT_MS + 500) is None


def test_by_words_speech_pauses_nothing_and_its_upper_bound_holds() -> None:
    start = PROMPT_MS + 500
    detector = watch(mode=BargeInMode.WORDS)
    assert feed(detector, speaks(start, start + 1499), partial("pourquoi")) == []
    assert actions(detector, speaks(start, start + 1500)) == [Action.STOP]
    assert actions(watch(mode=BargeInMode.WORDS), partial("mais dites donc")) == [Action.STOP]


def test_what_is_said_in_the_protected_opening_does_not_touch_it() -> None:
    until = PROMPT_MS + 3000
    detector = watch(protected_until_ms=until)
    assert (
        feed(detector, starts(PROMPT_MS + 900), partial("stop", at_ms=until - 1), speaks(PROMPT_MS, until - 100)) == []
    )
    assert detector.digit("1", at_ms=until - 1) is None
    key = detector.digit("1", at_ms=until)
    assert key is not None
    assert key.action is Action.STOP
    assert actions(watch(protected_until_ms=until), partial("stop", at_ms=until)) == [Action.STOP]


@pytest.mark.parametrize("key", ["0", "9", "*", "#"])
def test_a_key_stops_it_playing_or_paused_and_once(key: str) -> None:
    for detector in (watch(), paused()):
        decision = detector.digit(key, at_ms=PROMPT_MS + 900)
        assert decision is not None
        assert (decision.action, decision.reason) == (Action.STOP, f"key {key}")
        assert detector.digit(key, at_ms=PROMPT_MS + 950) is None
        assert not detector.paused


# ---- who is too faint, and our own echo


def test_what_is_faint_beside_the_callees_voice_is_ignored_however_long() -> None:
    start, faint = PROMPT_MS + 500, VOICE_DBFS - SETTINGS.faint_db - 0.1
    detector = watch(voice_dbfs=VOICE_DBFS)
    decisions = feed(
        detector,
        starts(start),
        speaks(start, start + 400, faint),
        partial("et arrêtez de crier"),
        speaks(start, start + 4000, faint),
        final("et arrêtez de crier", at_ms=start + 4500, end_ms=start + 4000),
    )
    assert [(d.action, d.reason) for d in decisions] == [(Action.IGNORE, "fainter than the callee")]


def test_what_is_nearly_as_loud_is_the_callee() -> None:
    start = PROMPT_MS + 500
    detector = watch(voice_dbfs=VOICE_DBFS)
    assert actions(detector, starts(start), speaks(start, start + 400, VOICE_DBFS - SETTINGS.faint_db)) == [
        Action.PAUSE
    ]


def test_the_loudest_of_an_utterance_counts() -> None:
    start = PROMPT_MS + 500
    detector = watch(voice_dbfs=VOICE_DBFS)
    assert feed(detector, starts(start), speaks(start, start + 400, -50.0)) == []
    assert actions(detector, speaks(start, start + 460, VOICE_DBFS)) == [Action.PAUSE]
    # the next one is judged anew
    feed(detector, ends(start, start + 460), final("oui", at_ms=start + 900, end_ms=start + 460))
    resume(detector, start + 1000)
    again = start + 2000
    assert feed(detector, starts(again), speaks(again, again + 1600, -50.0)) == []


def test_before_the_callees_voice_is_known_nobody_is_faint() -> None:
    start = PROMPT_MS + 500
    assert actions(watch(), starts(start), speaks(start, start + 400, -50.0)) == [Action.PAUSE]


def placed(*indexes: int, delay_ms: int = 120) -> tuple[Word, ...]:
    """The prompt's own words (by their index), as they come back."""
    parts = PROMPT.split()
    letters = sum(len(part) + 1 for part in parts)
    begins = [LENGTH_MS * sum(len(p) + 1 for p in parts[:i]) // letters for i in range(len(parts))]
    return tuple(
        Word(parts[i], PROMPT_MS + begins[i] + delay_ms, PROMPT_MS + begins[i] + delay_ms + 200, 0.9) for i in indexes
    )


def test_our_own_echo_stops_nothing_and_its_level_is_learned() -> None:
    start, level = PROMPT_MS + 120, -33.0
    detector = watch(echo=True)
    heard = placed(0, 1, 2)
    assert feed(detector, starts(start), speaks(start, start + 300, level), partial(heard)) == []
    assert detector.echo_dbfs == level
    assert feed(detector, speaks(start, start + 4000, level + 3), partial(placed(0, 1, 2, 5))) == []
    (decision,) = feed(detector, final(placed(0, 1, 2, 5), at_ms=start + 4700, end_ms=start + 4000))
    assert decision.action is Action.IGNORE


def test_a_pause_by_our_own_echo_is_resumed_and_the_next_speech_pauses_no_more() -> None:
    start, level = PROMPT_MS + 120, -33.0
    detector = watch(echo=True)
    assert actions(detector, starts(start), speaks(start, start + 360, level)) == [Action.PAUSE]
    (decision,) = feed(detector, final(placed(0, 1, 2), end_ms=start + 900))
    assert (decision.action, decision.reason) == (Action.RESUME, "echo of the prompt")
    detector.resumed(at_ms=PROMPT_MS + 2500, prompt_start_ms=PROMPT_MS + 2000)
    again = PROMPT_MS + 3000
    assert feed(detector, starts(again), speaks(again, again + 900, level)) == []  # an echo again
    assert feed(detector, speaks(again, again + 1000, level + 6)) == []  # in a call that echoes, words only
    said = partial(words("mais qui êtes-vous", at_ms=again), at_ms=again + 1000)
    assert actions(detector, said) == [Action.STOP]


def test_a_callee_who_says_one_of_the_prompts_words_at_its_moment_is_heard_on() -> None:
    """ "Vous" while the prompt says "vous": the words that follow are no echo, and neither is the voice."""
    start = PROMPT_MS + 120
    detector = watch(echo=True, voice_dbfs=VOICE_DBFS)
    first = placed(0)
    feed(detector, starts(start), speaks(start, start + 300, VOICE_DBFS), partial(first))
    assert detector.echo_dbfs == 0.0
    more = (*first, *words("appelez de la part de qui", at_ms=first[0].end_ms))
    heard = actions(detector, speaks(start, start + 800, VOICE_DBFS), partial(more))
    assert heard == [Action.PAUSE, Action.STOP]


def test_a_stop_word_that_the_prompt_says_itself_at_that_moment_waits_for_more() -> None:
    detector = BargeInDetector(RULES, prompt_start_ms=PROMPT_MS, echo=EchoMatcher("Pardon, je n'ai pas bien compris."))
    said = words("Pardon", at_ms=PROMPT_MS + 200)
    assert feed(detector, starts(PROMPT_MS + 200), partial(said, at_ms=PROMPT_MS + 500)) == []
    assert actions(detector, speaks(PROMPT_MS + 200, PROMPT_MS + 560)) == [Action.PAUSE]
    (decision,) = feed(detector, final(said, at_ms=PROMPT_MS + 900, end_ms=PROMPT_MS + 700))
    assert (decision.action, decision.reason) == (Action.RESUME, "echo of the prompt")
    later = words("Pardon", at_ms=PROMPT_MS + 5000)
    assert actions(detector, final(later, at_ms=PROMPT_MS + 5900, end_ms=PROMPT_MS + 5400)) == [Action.STOP]


def hinted(level_dbfs: float) -> BargeInDetector:
    """A prompt that goes on after what may have been its first word's echo, so loud."""
    text = "Pardon, je n'ai pas bien compris. Vous avez demandé à être rappelé."
    detector = BargeInDetector(RULES, prompt_start_ms=PROMPT_MS, echo=EchoMatcher(text), voice_dbfs=VOICE_DBFS)
    first = words("Pardon", at_ms=PROMPT_MS + 200)
    heard = (starts(PROMPT_MS + 200), speaks(PROMPT_MS + 200, PROMPT_MS + 560, level_dbfs))
    assert actions(detector, *heard, final(first, at_ms=PROMPT_MS + 900, end_ms=PROMPT_MS + 560)) == [
        Action.PAUSE,
        Action.RESUME,
    ]
    detector.resumed(at_ms=PROMPT_MS + 900, prompt_start_ms=PROMPT_MS + 600)
    return detector


def test_after_what_may_have_been_an_echo_as_faint_a_voice_waits_for_its_words() -> None:
    level, start = -28.0, PROMPT_MS + 1200
    detector = hinted(level)
    echo = (starts(start), speaks(start, start + 500, level + 2), partial(words("Bon je", at_ms=start)))
    assert feed(detector, *echo) == []
    more = partial(words("Bon je n'ai pas bien", at_ms=start))
    assert feed(detector, more, speaks(start, start + 2000, level + 2)) == []  # nor by its length
    assert detector.echo_dbfs == level
    detector = hinted(level)
    own = (starts(start), speaks(start, start + 500, level + 2), partial(words("Je voudrais parler", at_ms=start)))
    assert actions(detector, *own)[-1] is Action.STOP
    assert actions(hinted(level), starts(start), speaks(start, start + 400, level + 9)) == [Action.PAUSE]


def test_a_voice_well_above_the_echo_is_the_callee() -> None:
    start, level = PROMPT_MS + 120, -33.0
    detector = watch(echo=True, echo_dbfs=level)
    assert actions(detector, starts(start), speaks(start, start + 360, level + 9)) == [Action.PAUSE]
    mixed = (*placed(0, 1, 2), *words("non mais écoutez", at_ms=start + 1500))
    assert actions(detector, final(mixed, at_ms=start + 2600, end_ms=start + 2100)) == [Action.STOP]


def test_a_call_that_echoed_before_is_known_to() -> None:
    start, level = PROMPT_MS + 500, -35.0
    detector = watch(echo=True, echo_dbfs=level)
    assert feed(detector, starts(start), speaks(start, start + 3000, level + 2)) == []
    assert detector.echo_dbfs == level
    louder = watch(echo=True, echo_dbfs=level)
    assert actions(louder, starts(start), speaks(start, start + 1500, level + 12)) == [Action.STOP]


# ---- what may never happen


@st.composite
def listening(draw: st.DrawFn) -> list[Event]:
    """Somebody who only says backchannels: growing partials, cut anywhere, unstable at the end; pauses between."""
    events: list[Event] = []
    now = PROMPT_MS
    for burst in draw(st.lists(st.lists(st.sampled_from(BACKCHANNELS), min_size=1, max_size=4), max_size=5)):
        said = words(" ".join(burst), at_ms=now)
        now = said[-1].end_ms
        cuts = draw(st.lists(st.integers(1, len(said)), max_size=6).map(sorted))
        stable = draw(st.integers(0, len(said)))
        events.append(starts(said[0].start_ms))
        for cut in cuts:
            shown = words(" ".join(burst), at_ms=said[0].start_ms, stable=min(stable, cut))[:cut]
            events.append(partial(shown, at_ms=now))
        voiced = min(now, said[0].start_ms + draw(st.integers(0, 1499)))
        events += [speaks(said[0].start_ms, voiced), ends(said[0].start_ms, voiced), final(said, at_ms=now)]
        now += 600
    return events


@given(listening())
def test_somebody_who_listens_is_never_taken_for_one_who_interrupts(events: Sequence[Event]) -> None:
    detector = watch()
    for event in events:
        decision = detector.feed(event)
        assert decision is None or decision.action is not Action.STOP
        if decision is not None and decision.action is Action.RESUME:
            resume(detector, event.at_ms)
    assert not detector.paused  # each pause found its end


@given(st.lists(st.integers(0, 4000), min_size=2, max_size=8), st.integers(-3000, 3000))
def test_speech_stops_it_exactly_when_it_is_long_enough(ends_ms: list[int], offset: int) -> None:
    start = PROMPT_MS + offset
    counted = max(start, PROMPT_MS)
    reports = [speaks(start, start + end) for end in sorted(ends_ms)]
    assert all(a.voiced_until_ms <= b.voiced_until_ms for a, b in pairwise(reports))
    found = actions(watch(), *reports)
    spoken_ms = reports[-1].voiced_until_ms - counted
    assert (Action.STOP in found) == (spoken_ms >= 1500)
    assert bool(found) == (spoken_ms >= 350)


@st.composite
def anything(draw: st.DrawFn) -> Event | str | int:
    """An event of any kind at any time; a key; or a moment to tick at."""
    at_ms = draw(st.integers(PROMPT_MS - 1000, PROMPT_MS + 8000))
    level = draw(st.sampled_from([0.0, -20.0, -28.0, -34.0, -45.0]))
    texts = ["oui", "mmh", "vous avez demandé", "vous", "stop", "mais qui êtes-vous", "tout à", "pourquoi", ""]
    said = words(
        draw(st.sampled_from(texts)),
        at_ms=at_ms - draw(st.integers(0, 1500)),
        stable=draw(st.integers(0, 3)),
        confidence=draw(st.sampled_from([0.1, 0.4, 0.9])),
    )
    start = at_ms - draw(st.integers(0, 2000))
    choices: list[Event | str | int] = [
        starts(at_ms),
        speaks(start, at_ms, level),
        ends(start, at_ms),
        partial(said, at_ms=at_ms),
        final(said, at_ms=at_ms),
        final(said, at_ms=at_ms, end_ms=start),
        "5",
        at_ms,
    ]
    return draw(st.sampled_from(choices))


@given(
    st.lists(anything(), max_size=25),
    st.sampled_from(list(BargeInMode)),
    st.booleans(),
    st.sampled_from([0, PROMPT_MS + 1000]),
    st.booleans(),
)
def test_whatever_is_heard_the_decisions_make_sense(
    heard: Sequence[Event | str | int], mode: BargeInMode, echo: bool, protected: int, resumes: bool
) -> None:
    detector = watch(mode=mode, echo=echo, protected_until_ms=protected, voice_dbfs=VOICE_DBFS)
    stopped = is_paused = False
    for each in heard:
        if isinstance(each, str):
            decision = detector.digit(each, at_ms=PROMPT_MS + 2000)
        else:
            decision = detector.tick(each) if isinstance(each, int) else detector.feed(each)
        if decision is None:
            continue
        assert not stopped  # nothing is decided after the end
        assert mode is not BargeInMode.OFF
        assert decision.reason
        if decision.action is Action.RESUME:
            assert is_paused  # only what was paused goes on
            if resumes:
                resume(detector, decision.at_ms)
                is_paused = False
        elif decision.action is Action.PAUSE:
            assert not is_paused
            assert mode is BargeInMode.SPEECH
            is_paused = True
        stopped = stopped or decision.action is Action.STOP
        assert detector.paused == (is_paused and not stopped)
