"""When a prompt is stopped, and when not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from V3.calls.barge_in import BargeIn, BargeInDetector, BargeInRules
from V3.calls.words import Phrases
from V3.config import BACKCHANNELS, STOP_WORDS, BargeInSettings
from V3.events import Event, Final, Partial, SpeechContinues, SpeechEnded, SpeechStarted, StreamOpened, Word

SETTINGS = BargeInSettings()
RULES = BargeInRules(
    speech_ms=SETTINGS.speech_ms,
    words=SETTINGS.words,
    min_confidence=SETTINGS.min_confidence,
    backchannels=Phrases(SETTINGS.backchannels),
    stop_words=Phrases(SETTINGS.stop_words),
)
PROMPT_MS = 10_000


def watch(prompt_start_ms: int = PROMPT_MS) -> BargeInDetector:
    return BargeInDetector(RULES, prompt_start_ms=prompt_start_ms)


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


def final(said: str | tuple[Word, ...], *, at_ms: int = PROMPT_MS + 2000) -> Final:
    p = partial(said, at_ms=at_ms)
    return Final(call_id="c", at_ms=at_ms, text=p.text, words=p.words, start_ms=p.start_ms, end_ms=at_ms)


def speaks(start_ms: int, until_ms: int) -> SpeechContinues:
    return SpeechContinues(call_id="c", at_ms=until_ms + 40, start_ms=start_ms, voiced_until_ms=until_ms)


def feed(detector: BargeInDetector, *events: Event) -> list[BargeIn]:
    return [decision for event in events if (decision := detector.feed(event)) is not None]


@pytest.mark.parametrize("stop", STOP_WORDS)
def test_a_stop_word_stops_at_once_stable_or_not(stop: str) -> None:
    (decision,) = feed(watch(), partial(f"euh {stop}", stable=0))
    assert decision.reason.startswith("stop word: ")
    assert decision.text == f"euh {stop}"
    assert decision.at_ms == PROMPT_MS + 2000


@pytest.mark.parametrize("said", BACKCHANNELS)
def test_backchannels_never_stop_nor_do_their_beginnings(said: str) -> None:
    parts = said.split()
    grown = [partial(" ".join(parts[: n + 1])) for n in range(len(parts))]
    assert feed(watch(), *grown, final(said), partial(f"oui {said}"), partial(f"{said} {said}")) == []


def test_two_words_that_are_no_backchannel_stop_it() -> None:
    assert feed(watch(), partial("oui bonjour")) == []  # one
    (decision,) = feed(watch(), partial("oui bonjour madame"))
    assert decision.reason == "2 words that are no backchannel"
    assert decision.text == "oui bonjour madame"


@pytest.mark.parametrize("said", ["j'écoute", "qu'est-ce"])
def test_what_is_written_as_one_word_is_one(said: str) -> None:
    assert feed(watch(), final(said)) == []


def test_the_end_of_a_partial_that_may_become_a_backchannel_is_waited_for() -> None:
    detector = watch()
    assert feed(detector, partial("tout à"), partial("tout à fait")) == []
    assert feed(detector, partial("tout à l'heure")) != []
    assert feed(watch(), final("tout à")) != []  # nothing more will come


def test_words_count_only_once_two_hypotheses_agree_on_one() -> None:
    detector = watch()
    assert feed(detector, partial("mais dites donc", stable=0)) == []
    assert len(feed(detector, partial("mais dites donc", stable=1))) == 1
    # a stable backchannel does not vouch for them
    assert feed(watch(), partial("oui mais dites", stable=1)) == []


def test_words_the_recogniser_is_not_sure_of_do_not_count() -> None:
    least = SETTINGS.min_confidence
    assert feed(watch(), partial(words("mais dites donc", confidence=least - 0.01))) == []
    assert feed(watch(), partial(words("arrêtez", confidence=least - 0.01))) == []
    assert len(feed(watch(), partial(words("arrêtez", confidence=least)))) == 1


def test_an_unsure_word_neither_joins_a_stop_word_nor_breaks_a_backchannel() -> None:
    no, sure, thanks = words("non madame merci")
    unsure = Word(sure.text, sure.start_ms, sure.end_ms, 0.2, stable=True)
    assert all("non merci" not in d.reason for d in feed(watch(), final((no, unsure, thanks))))
    all_, to, fact = words("tout à fait")
    assert feed(watch(), final((all_, Word(to.text, to.start_ms, to.end_ms, 0.2, stable=True), fact))) == []


def test_speech_of_1500_ms_stops_it_whatever_its_words() -> None:
    start = PROMPT_MS + 500
    detector = watch()
    assert feed(detector, speaks(start, start + 1499)) == []
    (decision,) = feed(detector, speaks(start, start + 1500))
    assert (decision.reason, decision.speech_start_ms) == ("speech over 1500 ms", start)


def test_speech_is_counted_from_the_prompts_start() -> None:
    before = PROMPT_MS - 3000
    detector = watch()
    assert feed(detector, speaks(before, PROMPT_MS + 1499)) == []
    (decision,) = feed(detector, speaks(before, PROMPT_MS + 1500))
    assert decision.speech_start_ms == PROMPT_MS


def test_speech_that_ended_long_enough_stops_it_too() -> None:
    def ended(start_ms: int, end_ms: int) -> SpeechEnded:
        return SpeechEnded(call_id="c", at_ms=end_ms + 500, start_ms=start_ms, end_ms=end_ms)

    assert feed(watch(), ended(PROMPT_MS - 5000, PROMPT_MS + 1499)) == []
    assert len(feed(watch(), ended(PROMPT_MS, PROMPT_MS + 1500))) == 1
    # the silence that tells the end is no speech
    assert feed(watch(), ended(PROMPT_MS, PROMPT_MS + 1400)) == []


def test_words_said_before_the_prompt_do_not_count() -> None:
    assert feed(watch(), final(words("je vous écoute madame", at_ms=PROMPT_MS - 1000))) == []
    assert feed(watch(), final(words("arrêtez", at_ms=PROMPT_MS - 100))) == []  # within the slack of word times
    assert len(feed(watch(), final(words("arrêtez", at_ms=PROMPT_MS)))) == 1


def test_it_tells_when_the_speech_began() -> None:
    started = SpeechStarted(call_id="c", at_ms=PROMPT_MS + 960, start_ms=PROMPT_MS + 900)
    (decision,) = feed(watch(), started, partial("stop"))
    assert decision.speech_start_ms == PROMPT_MS + 900
    early = SpeechStarted(call_id="c", at_ms=PROMPT_MS - 40, start_ms=PROMPT_MS - 100)
    assert feed(watch(), early, partial("stop"))[0].speech_start_ms == PROMPT_MS
    assert feed(watch(), partial("stop"))[0].speech_start_ms == PROMPT_MS  # speech from before the watch
    assert feed(watch(-500), partial("stop"))[0].speech_start_ms == 0


def test_it_answers_once() -> None:
    assert len(feed(watch(), partial("stop"), partial("stop stop"), final("arrêtez"), speaks(0, 90_000))) == 1


def test_other_events_and_empty_words_are_nothing() -> None:
    opened = StreamOpened(call_id="c", at_ms=0, rate_hz=16000)
    assert feed(watch(), opened, partial(()), final(words("? … !"))) == []


def test_rules_of_its_own_need_no_lists() -> None:
    detector = BargeInDetector(BargeInRules(speech_ms=300, words=1), prompt_start_ms=0)
    assert len(feed(detector, partial("oui"))) == 1
    detector = BargeInDetector(BargeInRules(speech_ms=300, words=1), prompt_start_ms=0)
    assert len(feed(detector, speaks(0, 300))) == 1


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
        for cut in cuts:
            shown = words(" ".join(burst), at_ms=said[0].start_ms, stable=min(stable, cut))[:cut]
            events.append(partial(shown, at_ms=now))
        voiced = min(now, said[0].start_ms + draw(st.integers(0, 1499)))
        events.append(speaks(said[0].start_ms, voiced))
        events.append(final(said, at_ms=now))
        now += 600
    return events


@given(listening())
def test_somebody_who_listens_is_never_taken_for_one_who_interrupts(events: Sequence[Event]) -> None:
    assert feed(watch(), *events) == []


@given(st.lists(st.integers(0, 4000), min_size=2, max_size=8), st.integers(-3000, 3000))
def test_speech_stops_it_exactly_when_it_is_long_enough(ends: list[int], offset: int) -> None:
    start = PROMPT_MS + offset
    counted = max(start, PROMPT_MS)
    reports = [speaks(start, start + end) for end in sorted(ends)]
    assert all(a.voiced_until_ms <= b.voiced_until_ms for a, b in pairwise(reports))
    decisions = feed(watch(), *reports)
    assert bool(decisions) == (reports[-1].voiced_until_ms - counted >= 1500)
