"""Scenarios: what a file may say, and the way through it."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
import yaml

from V3.calls.scenario import HangUp, Listen, Play, Scenario, ScenarioRunner, parse_scenario
from V3.config import CONFIG_DIR
from V3.errors import ScenarioError
from V3.system.scenario_files import load_scenario

TALK = """
name: talk
start: ask
steps:
  ask:
    prompt: ask.wav
    listen_s: 4
    retries: 2
    retry_prompt: again.wav
    next: give_up
    outcome: unclear
    intents:
      yes_please: {phrases: [oui, d'accord], next: thanks, outcome: accepted}
      no_thanks: {phrases: [non, "ça ne m'intéresse pas"], next: end, outcome: declined}
      details: {phrases: ["oui mais c'est quoi"], next: ask}
  thanks: {prompt: thanks.wav, barge_in: false, next: bye}
  bye: {prompt: bye.wav}
  give_up: {prompt: sorry.wav, outcome: no_reply}
"""


def talk(text: str = TALK) -> ScenarioRunner:
    return ScenarioRunner(parse_scenario(text))


def changed(**changes: object) -> str:
    """TALK with keys of the step ``ask`` replaced."""
    data = yaml.safe_load(TALK)
    data["steps"]["ask"] |= changes
    return str(yaml.safe_dump(data, sort_keys=False))


def test_the_way_of_somebody_who_agrees() -> None:
    runner = talk()
    assert runner.next() == Play("ask.wav", barge_in=True, step="ask")
    assert runner.next() == Play("ask.wav", barge_in=True, step="ask")  # asking twice changes nothing
    runner.prompt_done()
    assert runner.next() == Listen(4.0, "ask")
    assert runner.heard("Oui, d'accord.") == "yes_please"
    assert runner.next() == Play("thanks.wav", barge_in=False, step="thanks")
    runner.prompt_done()
    assert (runner.next(), runner.step) == (Play("bye.wav", barge_in=True, step="bye"), "bye")
    runner.prompt_done()
    assert runner.next() == HangUp("accepted")


def test_the_longest_phrase_decides_and_the_first_of_equals() -> None:
    runner = talk()
    runner.prompt_done()
    assert runner.heard("oui mais c'est quoi ?") == "details"  # oui alone would be yes_please
    runner.prompt_done()
    assert runner.heard("oui enfin ça ne m'intéresse pas") == "no_thanks"
    assert runner.next() == HangUp("declined")
    runner = talk()
    runner.prompt_done()
    assert runner.heard("non, oui") == "yes_please"


def test_words_without_an_intent_and_silence_ask_again_until_the_retries_are_used_up() -> None:
    runner = talk()
    runner.prompt_done()
    assert runner.heard("le chat dort") == ""
    assert runner.next() == Play("again.wav", barge_in=True, step="ask")
    runner.prompt_done()
    runner.silence()
    assert runner.next() == Play("again.wav", barge_in=True, step="ask")
    runner.prompt_done()
    runner.silence()
    assert runner.next() == Play("sorry.wav", barge_in=True, step="give_up")
    assert runner.outcome == "unclear"
    runner.prompt_done()
    assert runner.next() == HangUp("no_reply")


def test_without_a_retry_prompt_the_prompt_itself_is_played_again() -> None:
    runner = talk(changed(retry_prompt=""))
    runner.prompt_done()
    runner.silence()
    assert runner.next() == Play("ask.wav", barge_in=True, step="ask")


def test_no_retries_means_one_chance() -> None:
    runner = talk(changed(retries=0))
    runner.prompt_done()
    runner.silence()
    assert runner.step == "give_up"


def test_coming_back_to_a_step_begins_its_retries_anew() -> None:
    runner = talk()
    runner.prompt_done()
    runner.silence()
    runner.prompt_done()
    assert runner.heard("oui mais c'est quoi") == "details"
    assert runner.next() == Play("ask.wav", barge_in=True, step="ask")
    for _ in range(2):
        runner.prompt_done()
        runner.silence()
        assert runner.step == "ask"


def test_an_outcome_stays_where_a_later_step_has_none() -> None:
    runner = talk(changed(next="bye"))
    for _ in range(3):
        runner.prompt_done()
        runner.silence()
    runner.prompt_done()
    assert runner.next() == HangUp("unclear")


def test_a_scenario_that_starts_at_its_end_hangs_up() -> None:
    assert talk(TALK.replace("start: ask", "start: end")).next() == HangUp("")


@pytest.mark.parametrize(
    ("call", "state"), [("heard", "PLAY"), ("silence", "PLAY"), ("prompt_done", "LISTEN"), ("prompt_done", "ENDED")]
)
def test_a_call_out_of_turn_names_itself_the_step_and_the_state(call: str, state: str) -> None:
    runner = talk(TALK.replace("start: ask", "start: end") if state == "ENDED" else TALK)
    if state == "LISTEN":
        runner.prompt_done()
    before = runner.next()
    with pytest.raises(ScenarioError, match=rf"^{call} in step '\w+': the runner is at {state}"):
        runner.heard("oui") if call == "heard" else getattr(runner, call)()
    assert runner.next() == before


@pytest.mark.parametrize("call", ["heard", "silence"])
def test_after_the_end_nothing_is_taken(call: str) -> None:
    runner = talk()
    runner.prompt_done()
    runner.heard("non")
    with pytest.raises(ScenarioError, match="ENDED"):
        runner.heard("oui") if call == "heard" else runner.silence()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (changed(next="nowhere"), ["ask.next", "'nowhere'"]),
        (TALK.replace("start: ask", "start: begin"), ["start names the step 'begin'"]),
        (TALK.replace("next: thanks, outcome", "next: thx, outcome"), ["ask.intents.yes_please.next", "'thx'"]),
        (changed(next="nowhere").replace("next: bye", "next: nowhere"), ["ask.next", "thanks.next"]),
        (changed(prompt="../secret.wav"), ["steps.ask.prompt", "../secret.wav", "inside the prompts folder"]),
        (changed(prompt="a/../../b.wav"), ["steps.ask.prompt"]),
        (changed(prompt="/etc/passwd"), ["steps.ask.prompt"]),
        (changed(prompt="a\nb.wav"), ["steps.ask.prompt"]),
        (changed(retry_prompt="../x.wav"), ["steps.ask.retry_prompt"]),
        (changed(prompt=""), ["steps.ask.prompt"]),
        (changed(propmt="x.wav"), ["steps.ask.propmt"]),
        (changed(listen_s=0), ["steps.ask", "listen_s"]),
        (changed(listen_s=61), ["steps.ask.listen_s", "60"]),
        (changed(retries=6), ["steps.ask.retries"]),
        (changed(intents={"a": {"phrases": [], "next": "end"}}), ["steps.ask.intents.a.phrases"]),
        (changed(intents={"a": {"phrases": ["?!"], "next": "end"}}), ["steps.ask.intents.a.phrases", "'?!'"]),
        (changed(intents={"a": {"phrases": ["oui"]}}), ["steps.ask.intents.a.next"]),
        (
            changed(intents={"a": {"phrases": [False], "next": "end"}}),
            ["steps.ask.intents.a.phrases.0"],
        ),  # an unquoted no
        (TALK.replace("  bye:", "  end:").replace("next: bye", "next: end"), ["'end'"]),
        ("name: x\nstart: a\nsteps: {}\n", ["steps"]),
        ("name: x\nsteps: {a: {prompt: a.wav}}\n", ["start"]),
        ("steps: [", ["no YAML"]),
        ("name: 2001-13-45\n", ["no YAML"]),
        ("- a\n- b\n", ["file"]),
        ("", ["file"]),
        (changed(retries=-1, listen_s=-1), ["steps.ask.retries", "steps.ask.listen_s"]),  # all of them, not the first
    ],
)
def test_every_fault_of_a_file_is_named(text: str, named: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, source="talk.yaml")
    message = str(caught.value)
    assert message.startswith("talk.yaml")
    assert all(name in message for name in named), message


def test_prompts_are_told_once_each() -> None:
    prompts = parse_scenario(changed(retry_prompt="bye.wav")).prompts
    assert prompts == ("ask.wav", "bye.wav", "thanks.wav", "sorry.wav")


def test_a_scenario_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(TALK)
    assert load_scenario(str(own)).name == "talk"
    with pytest.raises(ScenarioError, match=r"nonesuch\.yaml cannot be read"):
        load_scenario("nonesuch.yaml")
    own.write_bytes(b"name: \xff\xfe")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(str(own))


def shipped() -> Scenario:
    return load_scenario("rendez_vous.yaml")


def test_the_shipped_scenario_has_every_prompt_as_a_wav_that_freeswitch_plays() -> None:
    prompts = shipped().prompts
    assert len(prompts) >= 9
    for name in prompts:
        with wave.open(str(CONFIG_DIR / "scenarios" / "prompts" / name), "rb") as prompt:
            assert (prompt.getnchannels(), prompt.getsampwidth()) == (1, 2), name
            assert prompt.getframerate() in (8000, 16000), name
            assert 1 < prompt.getnframes() / prompt.getframerate() < 20, name


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("Oui, ça m'intéresse.", "accepted"),
        ("Oui bien sûr", "accepted"),
        ("Non merci.", "declined"),
        ("Ça ne m'intéresse pas", "declined"),
        ("Oui mais je n'ai pas le temps", "call_later"),
        ("Ne m'appelez plus", "do_not_call"),
        ("Vous vous êtes trompé de numéro", "wrong_number"),
        ("", "no_reply"),
    ],
)
def test_the_shipped_scenario_understands(said: str, outcome: str) -> None:
    runner = ScenarioRunner(shipped())
    for _ in range(10):
        match runner.next():
            case Play():
                runner.prompt_done()
            case Listen() if said:
                runner.heard(said)
            case Listen():
                runner.silence()
            case HangUp(outcome=found):
                assert found == outcome
                return
    pytest.fail("it never hung up")
