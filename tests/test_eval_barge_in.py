"""The barge-in evaluation: what is planned, how a dialogue is judged, what is counted, and that it runs."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from scripts.barge.accounts import resumes_of, tally, wilson
from scripts.barge.dialogues import ECHO_LEVELS_DB, SHARES, Dialogue, Kind, numbers_of, plan, scenario
from scripts.barge.plots import plot_barge_in
from scripts.barge.runs import Held, hold, robot_config
from scripts.barge.sounds import DialogueSound, load_bundled
from scripts.barge.tables import (
    by_condition_table,
    headlines,
    ignored_line,
    kind_table,
    resumes_line,
    voids_line,
    wrong_table,
)
from scripts.barge.verdicts import Fate, Verdict, judge
from scripts.bench.report import Machine, write_json
from scripts.eval_barge_in import app
from V3.errors import ConfigError
from V3.simulator import CallTruth, Echo, HeardPrompt, Utterance
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

PROMPT_MS = 10_000.0
SOUND = DialogueSound(Path("stop.wav"), "stop_word", "Stop.", "fr+f5", onset_ms=40, end_ms=500)
GREETING = DialogueSound(Path("allo.wav"), "greeting", "Allô ?", "fr+f5", onset_ms=0, end_ms=600)
MACHINE = Machine("a cpu", 2, 0.5, "3.12", "4", "1", "telephone-fr", "cpu", "int8", 1)


def dialogue(kind: Kind, **changes: Any) -> Dialogue:
    sound = SOUND if kind.sounds else None
    echo = Echo(-18, 100) if kind.has_echo else None
    made = Dialogue("0199000000", kind, GREETING, 300, 100, 1, sound, at_ms=2000 if sound else 0, echo=echo)
    return replace(made, **changes)


def truth(*prompts: HeardPrompt, said_at_ms: float | None = 5000) -> CallTruth:
    speech = [Utterance("allo.wav", 300, 900)]
    if said_at_ms is not None:
        speech.append(Utterance("stop.wav", said_at_ms, said_at_ms + 540))
    return CallTruth("u", "0199000000", answered=True, speech=speech, prompts=list(prompts), hangup_by="robot")


def heard_out(*, start_ms: float = 3000, from_ms: float = 0) -> HeardPrompt:
    stop_ms = start_ms + PROMPT_MS - from_ms
    return HeardPrompt("p.wav", start_ms, stop_ms, "done", from_ms=from_ms, to_ms=PROMPT_MS, file_ms=PROMPT_MS)


def cut(at_ms: float, *, start_ms: float = 3000, from_ms: float = 0) -> HeardPrompt:
    to_ms = from_ms + at_ms - start_ms
    return HeardPrompt("p.wav", start_ms, at_ms, "break", from_ms=from_ms, to_ms=to_ms, file_ms=PROMPT_MS)


def report(*barge_ins: dict[str, Any], **fields: Any) -> dict[str, Any]:
    plain = {"barge_ins": list(barge_ins), "transcript": [], "errors": [], "verdict": {"label": "HUMAN"}}
    return plain | fields


def barge_in(sent_ms: int, outcome: str = "stopped") -> dict[str, Any]:
    return {
        "reason": "stop word: stop", "break_sent_ms": sent_ms, "break_confirmed_ms": sent_ms + 20, "outcome": outcome,
        "resumed_ms": sent_ms + 1200 if outcome == "resumed" else None, "verdict": "backchannel",
    }  # fmt: skip


def judged(kind: Kind, seen: CallTruth, told: dict[str, Any], **changes: Any) -> Verdict:
    return judge(dialogue(kind, **changes), told, seen, shift_ms=15)


def test_an_interruption_that_stops_the_prompt_is_right_and_timed_from_its_first_sound() -> None:
    verdict = judged(Kind.STOP_WORD, truth(cut(5600)), report(barge_in(5570)))
    assert (verdict.fate, verdict.right, verdict.early, verdict.disagreement) == (Fate.STOPPED, True, False, "")
    assert verdict.stop_ms == 5600 - 5000 - 40
    assert verdict.sent_ms == 5570 + 15 - 5000 - 40
    assert verdict.after_word_ms == 5600 - 5000 - 500
    assert verdict.reasons == ("stop word: stop",)


def test_only_a_stop_word_counts_from_its_end() -> None:
    assert judged(Kind.INTERRUPTION, truth(cut(5600)), report(barge_in(5570))).after_word_ms is None


def test_an_interruption_that_changes_nothing_is_missed() -> None:
    verdict = judged(Kind.INTERRUPTION, truth(heard_out()), report())
    assert (verdict.fate, verdict.right, verdict.stop_ms) == (Fate.UNTOUCHED, False, None)


def test_going_on_over_an_interruption_is_wrong_even_if_it_stops_later() -> None:
    went_on = truth(cut(5600), heard_out(start_ms=6800, from_ms=2600))
    told = report(barge_in(5570, "resumed"))
    verdict = judged(Kind.INTERRUPTION, went_on, told)
    assert (verdict.fate, verdict.right, verdict.resumes, verdict.over) == (Fate.RESUMED, False, 1, 1)
    stopped_again = truth(cut(5600), cut(7000, start_ms=6800, from_ms=2600))
    verdict = judged(Kind.INTERRUPTION, stopped_again, report(barge_in(5570, "resumed"), barge_in(6980)))
    assert (verdict.fate, verdict.right, verdict.resumes, verdict.over) == (Fate.STOPPED, False, 1, 1)
    assert verdict.stop_ms == 7000 - 5040


@pytest.mark.parametrize("kind", [Kind.BACKCHANNEL, Kind.NOISE, Kind.SIDE_TALK])
def test_a_pause_that_is_taken_back_is_right_for_what_is_no_interruption(kind: Kind) -> None:
    seen = truth(cut(5600), heard_out(start_ms=6800, from_ms=2400))
    verdict = judged(kind, seen, report(barge_in(5570, "resumed"), ignored=[{"reason": "backchannel"}]))
    assert (verdict.fate, verdict.right, verdict.resumes) == (Fate.RESUMED, True, 1)
    assert (verdict.pause_ms, verdict.said_again_ms) == (1200, 200)
    assert verdict.ignored == ("backchannel",)
    assert verdict.reasons == ("stop word: stop (resumed: backchannel)",)
    assert judged(kind, truth(cut(5600)), report(barge_in(5570))).right is False
    assert judged(kind, truth(heard_out()), report()).right is True


@pytest.mark.parametrize("kind", [Kind.ECHO, Kind.SILENCE])
def test_where_nobody_speaks_a_stop_is_false_and_has_no_time(kind: Kind) -> None:
    verdict = judged(kind, truth(cut(5600), said_at_ms=None), report(barge_in(5570)))
    assert (verdict.fate, verdict.right, verdict.stop_ms, verdict.sent_ms) == (Fate.STOPPED, False, None, None)


def test_an_echo_that_paused_the_prompt_before_the_callee_spoke_is_no_fault_of_the_detection() -> None:
    seen = truth(cut(3800), cut(5600, start_ms=4600, from_ms=700))
    verdict = judged(Kind.ECHO_INTERRUPTION, seen, report(barge_in(3780, "resumed"), barge_in(5570)))
    assert (verdict.fate, verdict.right, verdict.resumes, verdict.over) == (Fate.STOPPED, True, 1, 0)
    assert (verdict.early, verdict.stop_ms) == (False, 560)
    found = resumes_of([verdict])
    assert (found.right, found.wrong) == (1, 0)


def test_a_stop_long_after_the_callee_spoke_had_another_cause() -> None:
    just = judged(Kind.ECHO_INTERRUPTION, truth(cut(5500 + 1500)), report(barge_in(6980)))
    assert (just.late, just.right, just.stop_ms) == (False, True, 1960)
    late = judged(Kind.ECHO_INTERRUPTION, truth(cut(5500 + 1501)), report(barge_in(6980)))
    assert (late.late, late.right, late.stop_ms, late.sent_ms) == (True, False, None, None)
    assert judged(Kind.BACKCHANNEL, truth(cut(7001)), report(barge_in(6980))).right is False
    assert tally("late", [just, late]).late == 1


@pytest.mark.parametrize("said_at_ms", [None, 5600])
def test_a_stop_before_the_callee_speaks_detects_nothing(said_at_ms: float | None) -> None:
    verdict = judged(Kind.ECHO_INTERRUPTION, truth(cut(5600), said_at_ms=said_at_ms), report(barge_in(5570)))
    assert (verdict.fate, verdict.early, verdict.right, verdict.stop_ms) == (Fate.STOPPED, True, False, None)


@pytest.mark.parametrize(
    ("seen", "told", "why"),
    [
        (truth(), report(verdict={"label": "MACHINE"}, errors=["x"]), "no prompt was played; taken for MACHINE; x"),
        (truth(), report(verdict=None), "no prompt was played; no verdict"),
        (truth(HeardPrompt("p.wav", 3000, 4000, "hangup")), report(), "the call ended while"),
        (truth(heard_out(), said_at_ms=None), report(), "before the callee's turn"),
        (truth(cut(5600)), report(verdict={"label": "MACHINE"}), "taken for MACHINE after all"),
    ],
)
def test_what_nothing_can_be_learned_of_is_void(seen: CallTruth, told: dict[str, Any], why: str) -> None:
    verdict = judged(Kind.BACKCHANNEL, seen, told)
    assert verdict.fate is Fate.VOID
    assert why in verdict.why_void


@pytest.mark.parametrize(
    ("seen", "told", "says"),
    [
        (truth(cut(5600)), report(), "0 breaks reported, 1 heard"),
        (truth(cut(5600)), report(barge_in(5570, "resumed")), "reported resumed; heard stopped"),
        (truth(cut(5600), heard_out(start_ms=6800)), report(barge_in(5570)), "reported stopped; heard resumed"),
    ],
)
def test_a_report_that_tells_another_story_is_shown(seen: CallTruth, told: dict[str, Any], says: str) -> None:
    assert judged(Kind.INTERRUPTION, seen, told).disagreement == says


def test_a_report_without_outcomes_is_taken_too() -> None:
    """A robot that never resumes reports none."""
    entry = {name: value for name, value in barge_in(5570).items() if name != "outcome"}
    assert judged(Kind.INTERRUPTION, truth(cut(5600)), report(entry)).disagreement == ""


def verdicts() -> list[Verdict]:
    stopped = [judged(Kind.STOP_WORD, truth(cut(5500 + 100 * n)), report(barge_in(5480 + 100 * n))) for n in range(4)]
    missed = judged(Kind.STOP_WORD, truth(heard_out()), report())
    void = judged(Kind.STOP_WORD, truth(), report())
    early = judged(Kind.ECHO_INTERRUPTION, truth(cut(4000)), report(barge_in(3980)))
    resumed = judged(
        Kind.BACKCHANNEL, truth(cut(5600), heard_out(start_ms=6800, from_ms=2600)), report(barge_in(5570, "resumed"))
    )
    false_stop = judged(Kind.ECHO, truth(cut(5600), said_at_ms=None), report(barge_in(5570)))
    return [*stopped, missed, void, early, resumed, false_stop]


def test_shares_are_of_what_is_not_void() -> None:
    found = tally("stop word", [verdict for verdict in verdicts() if verdict.kind is Kind.STOP_WORD])
    assert (found.dialogues, found.fates[Fate.VOID], found.fates[Fate.STOPPED]) == (6, 1, 4)
    assert (found.right.count, found.right.of) == (4, 5)
    assert found.stop.count == 4
    assert found.stop.median_ms == pytest.approx(610)
    assert tally("nothing", []).stop.median_ms is None


def test_resumes_are_told_apart() -> None:
    over_an_interruption = judged(
        Kind.INTERRUPTION, truth(cut(5600), heard_out(start_ms=6800, from_ms=2600)), report(barge_in(5570, "resumed"))
    )
    found = resumes_of([*verdicts(), over_an_interruption])
    assert (found.right, found.wrong, found.missed) == (1, 1, 1)
    assert found.pause.values_ms == (1200, 1200)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 0, 0, 1), (0, 50, 0, 0.0713), (50, 50, 0.9287, 1), (97, 100, 0.9155, 0.9897), (5, 10, 0.2366, 0.7634)],
)
def test_the_interval_after_wilson(count: int, of: int, low: float, high: float) -> None:
    share = wilson(count, of)
    assert share.low == pytest.approx(low, abs=1e-4)
    assert share.high == pytest.approx(high, abs=1e-4)


def test_two_hundred_dialogues_have_the_shares_that_are_written() -> None:
    assert sum(SHARES.values()) == 200
    assert numbers_of(200) == SHARES


@pytest.mark.parametrize("dialogues", [8, 9, 20, 40, 199, 201, 1000])
def test_every_kind_has_a_dialogue_and_none_is_lost(dialogues: int) -> None:
    numbers = numbers_of(dialogues)
    assert sum(numbers.values()) == dialogues
    assert min(numbers.values()) >= 1


@pytest.mark.parametrize("dialogues", [0, 7, 10_001])
def test_a_number_that_cannot_be_planned_is_refused(dialogues: int) -> None:
    with pytest.raises(ConfigError, match="from 8 to 10000"):
        numbers_of(dialogues)


def test_a_seed_plans_the_same_dialogues_again() -> None:
    sounds = load_bundled()
    one = plan(60, sounds, prompt_ms=PROMPT_MS, seed=3)
    assert one == plan(60, sounds, prompt_ms=PROMPT_MS, seed=3)
    assert one != plan(60, sounds, prompt_ms=PROMPT_MS, seed=4)


def test_what_is_planned_can_be_held() -> None:
    planned = plan(400, load_bundled(), prompt_ms=PROMPT_MS, seed=1)
    assert len({one.number for one in planned}) == 400
    assert Counter(one.kind for one in planned) == numbers_of(400)
    for one in planned:
        assert (one.sound.kind if one.sound else "") == one.kind.sounds
        assert (one.echo is not None) == one.kind.has_echo
        if one.sound is not None:
            assert 700 <= one.at_ms <= PROMPT_MS - one.sound.end_ms - 2000
            assert one.condition
        if one.kind is Kind.SIDE_TALK:
            assert -28 <= one.level_db <= -20
            assert one.greeting.speaker
        elif one.sound is not None and one.sound.speaker:
            assert one.greeting.speaker == one.sound.speaker
        assert one.callee().outcome == "answer"
    levels = Counter(one.echo.db for one in planned if one.echo and one.kind is Kind.ECHO)
    assert set(levels) == set(ECHO_LEVELS_DB)
    assert max(levels.values()) - min(levels.values()) <= 1


def test_every_sound_is_used_before_one_comes_again() -> None:
    planned = plan(200, load_bundled(), prompt_ms=PROMPT_MS, seed=1)
    used = Counter(one.sound.path for one in planned if one.kind is Kind.STOP_WORD and one.sound)
    assert max(used.values()) == 1


def test_a_kind_without_sounds_is_named() -> None:
    with pytest.raises(ConfigError, match="stop_word"):
        plan(20, [one for one in load_bundled() if one.kind != "stop_word"], prompt_ms=PROMPT_MS, seed=1)


def test_the_scenario_is_one_long_prompt_with_the_text_that_it_says() -> None:
    steps = scenario().steps
    assert list(steps) == ["prompt"]
    assert steps["prompt"].text.startswith("Pardon, je n'ai pas bien compris. Bonjour")
    assert steps["prompt"].listen_s > 0


def test_the_tables_say_it(tmp_path: Path) -> None:
    found = verdicts()
    by_kind = {kind: tally(str(kind), [verdict for verdict in found if verdict.kind is kind]) for kind in Kind}
    interruptions = tally("all", [verdict for verdict in found if verdict.kind.wants_stop])
    looked_into = wrong_table(found, most=3)
    assert looked_into is not None
    assert wrong_table(found[:1], most=3) is None
    lines = [*headlines(by_kind, interruptions), resumes_line(resumes_of(found)), voids_line(found)]
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
    for shown in (kind_table(list(by_kind.values())), by_condition_table("echo", [by_kind[Kind.ECHO]]), looked_into):
        console.print(shown)
    console.print("\n".join(lines))
    console.file.close()
    text = console.export_text()
    assert "66.7% (4 of 6" in text
    assert "resumes: 1 right, 0 over a true interruption, 1 missed; after median 1200 ms" in text
    assert "void: 1 of 9 dialogues (1 times no prompt was played; taken for HUMAN)" in text
    assert "before the callee's sound" in text
    assert "backchannels that stopped the prompt for good: 0.0% (0 of 1" in text
    assert voids_line(found[:1]) == ""
    assert ignored_line(found) == ""
    twice = replace(found[0], ignored=("cough", "cough", "echo"))
    assert ignored_line([twice]) == "ignored, by dialogues: stop word: cough (1); stop word: echo (1)"


def test_the_figures_are_written_and_drawn(tmp_path: Path) -> None:
    found = verdicts()
    by_kind = {kind: tally(str(kind), [verdict for verdict in found if verdict.kind is kind]) for kind in Kind}
    write_json(tmp_path / "barge_in.json", MACHINE, kinds=by_kind, dialogues=found)
    read = json.loads((tmp_path / "barge_in.json").read_text(), parse_constant=pytest.fail)
    assert read["kinds"]["stop_word"]["fates"]["stopped for good"] == 4
    assert read["dialogues"][0]["stop_ms"] == 460
    drawn = plot_barge_in(tmp_path, list(by_kind.values()), [by_kind[Kind.STOP_WORD]], MACHINE)
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_dialogues_are_held_by_the_real_robot(stt: WhisperStreamingSTT) -> None:
    """Faster than real time, so no time is asserted; what is right or wrong is the robot's affair."""
    chosen = {one.kind: one for one in plan(8, load_bundled(), prompt_ms=PROMPT_MS, seed=1)}
    wanted = [chosen[Kind.SILENCE], chosen[Kind.STOP_WORD]]
    held: list[Held] = []
    asyncio.run(hold(wanted, stt, robot_config(None, model=""), at_once=2, seed=1, on_held=held.append, speed=4))
    assert {one.dialogue.kind for one in held} == {Kind.SILENCE, Kind.STOP_WORD}
    for one in held:
        assert one.report["number"] == one.truth.number == one.dialogue.number
        assert one.shift_ms > -1  # the robot hears of the answer after it; its moments are whole ms
        verdict = judge(one.dialogue, one.report, one.truth, shift_ms=one.shift_ms)
        answered = (one.report["verdict"] or {}).get("label") == "HUMAN"  # not surely, on a machine that is too slow
        assert (verdict.fate is not Fate.VOID) == answered, verdict.why_void
        assert verdict.disagreement == ""


def test_the_command_explains_itself_and_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    assert told.exit_code == 0
    for option in ("--dialogues", "--seed", "--at-once", "--model", "--out", "--own", "--config"):
        assert option in told.output
    refused = CliRunner().invoke(app, ["--dialogues", "3"])
    assert refused.exit_code == 1
    refused = CliRunner().invoke(app, ["--own", str(tmp_path)])
    assert refused.exit_code == 1
