"""Scenarios: what a file may say, and the way through it."""

from __future__ import annotations

import wave
from datetime import date
from pathlib import Path

import pytest
import yaml

from V3.calls.barge_in import BargeInMode
from V3.calls.scenario import HangUp, Listen, Message, Play, Scenario, ScenarioRunner, parse_scenario
from V3.config import CONFIG_DIR
from V3.errors import ScenarioError
from V3.system.scenario_files import load_scenario

OFF, WORDS, SPEECH = BargeInMode.OFF, BargeInMode.WORDS, BargeInMode.SPEECH
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
    assert runner.next() == Play("ask.wav", barge_in=SPEECH, step="ask")
    assert runner.next() == Play("ask.wav", barge_in=SPEECH, step="ask")  # asking twice changes nothing
    runner.prompt_done()
    assert runner.next() == Listen(4.0, "ask")
    assert runner.heard("Oui, d'accord.") == "yes_please"
    assert runner.next() == Play("thanks.wav", barge_in=OFF, step="thanks")
    runner.prompt_done()
    assert (runner.next(), runner.step) == (Play("bye.wav", barge_in=SPEECH, step="bye"), "bye")
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
    assert runner.next() == Play("again.wav", barge_in=SPEECH, step="ask")
    runner.prompt_done()
    runner.silence()
    assert runner.next() == Play("again.wav", barge_in=SPEECH, step="ask")
    runner.prompt_done()
    runner.silence()
    assert runner.next() == Play("sorry.wav", barge_in=SPEECH, step="give_up")
    assert runner.outcome == "unclear"
    runner.prompt_done()
    assert runner.next() == HangUp("no_reply")


def test_without_a_retry_prompt_the_prompt_itself_is_played_again() -> None:
    runner = talk(changed(retry_prompt=""))
    runner.prompt_done()
    runner.silence()
    assert runner.next() == Play("ask.wav", barge_in=SPEECH, step="ask")


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
    assert runner.next() == Play("ask.wav", barge_in=SPEECH, step="ask")
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
        (changed(intents={"a": {"phrases": [], "next": "end"}}), ["steps.ask.intents.a:", "phrases or keys"]),
        (changed(intents={"a": {"keys": "12A", "next": "end"}}), ["steps.ask.intents.a.keys"]),
        (changed(prompt="a.wav@@8000"), ["steps.ask.prompt", "a.wav@@8000"]),  # FreeSWITCH would begin inside it
        (changed(retry_prompt="a.wav@@8000"), ["steps.ask.retry_prompt"]),
        (TALK + "message: {prompt: a.wav@@8000}\n", ["message.prompt", "a.wav@@8000"]),
        (TALK + "message: {prompt: ../a.wav}\n", ["message.prompt", "inside the prompts folder"]),
        (TALK + "message: {text: bonjour}\n", ["message.prompt"]),
        (TALK + "opt_out: nowhere\n", ["opt_out names the step 'nowhere'"]),
        (changed(barge_in="loud"), ["steps.ask.barge_in", "'words'"]),
        (changed(protected_s=-1), ["steps.ask.protected_s"]),
        (changed(protected_s=61), ["steps.ask.protected_s", "60"]),
        (changed(value="iban"), ["steps.ask.value", "'phone'"]),
        (changed(value="phone", intents={}, listen_s=0), ["steps.ask", "listen_s"]),
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


# ---- what may stop a prompt


@pytest.mark.parametrize(
    ("written", "mode"),
    [
        ("off", OFF),  # which YAML reads as false
        ("no", OFF),
        ("false", OFF),
        ("'off'", OFF),
        ("words", WORDS),
        ("speech", SPEECH),
        ("on", SPEECH),
        ("yes", SPEECH),
        ("true", SPEECH),
    ],
)
def test_what_may_stop_a_prompt_is_written_as_yaml_likes_it(written: str, mode: BargeInMode) -> None:
    runner = talk(f"name: x\nstart: a\nsteps: {{a: {{prompt: a.wav, barge_in: {written}}}}}\n")
    assert runner.next() == Play("a.wav", barge_in=mode, step="a")


def test_speech_stops_a_prompt_where_nothing_is_written() -> None:
    assert talk("name: x\nstart: a\nsteps: {a: {prompt: a.wav}}\n").next() == Play("a.wav", SPEECH, "a")


def test_a_protected_beginning_goes_with_the_prompt_and_with_its_repetition() -> None:
    runner = talk(changed(protected_s=2.5))
    assert runner.next() == Play("ask.wav", SPEECH, "ask", protected_s=2.5)
    runner.prompt_done()
    runner.silence()
    assert runner.next() == Play("again.wav", SPEECH, "ask", protected_s=2.5)


# ---- keys


KEYS = changed(
    intents={
        "one": {"keys": "1", "next": "thanks", "outcome": "accepted"},
        "other": {"keys": "29#", "phrases": ["non"], "next": "end", "outcome": "declined"},
    }
)


@pytest.mark.parametrize(
    ("key", "label", "step"), [("1", "one", "thanks"), ("2", "other", "end"), ("#", "other", "end")]
)
def test_a_key_is_an_answer(key: str, label: str, step: str) -> None:
    runner = talk(KEYS)
    runner.prompt_done()
    assert runner.pressed(key) == label
    assert runner.step == step


@pytest.mark.parametrize("key", ["3", "*", "", "x"])
def test_a_key_without_an_intent_changes_nothing(key: str) -> None:
    runner = talk(KEYS)
    runner.prompt_done()
    assert runner.pressed(key) == ""
    assert runner.next() == Listen(4.0, "ask")
    assert runner.pressed("1") == "one"


def test_an_intent_of_keys_alone_is_never_heard() -> None:
    runner = talk(KEYS)
    runner.prompt_done()
    assert runner.heard("un") == ""
    assert runner.step == "ask"


def test_a_key_before_its_turn_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"^pressed in step 'ask': the runner is at PLAY"):
        talk(KEYS).pressed("1")


# ---- values


def asking(value: str, *, today: date | None = date(2026, 10, 12)) -> ScenarioRunner:
    intents = {"no_thanks": {"phrases": ["non"], "next": "end", "outcome": "declined"}}
    runner = ScenarioRunner(parse_scenario(changed(value=value, next="thanks", intents=intents)), today=today)
    runner.prompt_done()
    return runner


@pytest.mark.parametrize(
    ("value", "said", "kept"),
    [
        ("phone", "c'est le 01 99 00 12 34", "0199001234"),
        ("date", "mardi prochain", "2026-10-13"),
        ("time", "quatorze heures trente", "14:30"),
        ("number", "quarante-deux", "42"),
        ("amount", "douze euros cinquante", "12.50"),
        ("digits", "quatre cinq six", "456"),
    ],
)
def test_a_value_is_read_kept_under_its_step_and_leads_on(value: str, said: str, kept: str) -> None:
    runner = asking(value)
    assert runner.heard(said) == f"value:{value}"
    assert runner.values == {"ask": kept}
    assert (runner.step, runner.outcome) == ("thanks", "unclear")


def test_an_intent_is_heard_where_no_value_was_said() -> None:
    runner = asking("phone")
    assert runner.heard("non") == "no_thanks"
    assert (runner.values, runner.next()) == ({}, HangUp("declined"))


def test_half_a_value_asks_again_and_a_later_one_takes_the_place_of_the_first() -> None:
    runner = asking("phone")
    assert runner.heard("zéro un quatre-vingt-dix-neuf") == ""
    assert runner.next() == Play("again.wav", SPEECH, "ask")
    runner.prompt_done()
    assert runner.heard("zéro un quatre-vingt-dix-neuf zéro zéro douze trente-quatre") == "value:phone"
    assert runner.values == {"ask": "0199001234"}


def test_a_date_needs_to_know_the_day() -> None:
    assert asking("date", today=None).heard("demain") == ""


def test_the_values_of_one_call_are_not_those_of_another() -> None:
    first = asking("number")
    first.heard("trois")
    assert asking("number").values == {}


# ---- a wish not to be called again


NEVER = ["Ne m'appelez plus", "retirez-moi de votre liste", "Oui mais arrêtez de m'appeler"]
STOP = {"stop": {"phrases": ["ne m'appelez plus"], "next": "thanks", "outcome": "removed"}}


@pytest.mark.parametrize("said", NEVER)
def test_it_is_understood_whatever_a_step_listens_for(said: str) -> None:
    runner = talk()
    runner.prompt_done()
    assert not runner.opted_out
    assert runner.heard(said) == "opt_out"
    assert runner.opted_out
    assert runner.next() == HangUp("do_not_call")


@pytest.mark.parametrize("said", NEVER)
def test_it_leads_to_the_scenarios_step_for_it(said: str) -> None:
    runner = talk(TALK + "opt_out: bye\n")
    runner.prompt_done()
    runner.heard(said)
    assert runner.next() == Play("bye.wav", SPEECH, "bye")
    runner.prompt_done()
    assert (runner.next(), runner.opted_out) == (HangUp("do_not_call"), True)


@pytest.mark.parametrize("said", NEVER)
def test_a_steps_own_intent_for_it_comes_first(said: str) -> None:
    runner = talk(changed(intents=STOP) + "opt_out: bye\n")
    runner.prompt_done()
    assert runner.heard(said) == "stop"
    assert runner.next() == Play("thanks.wav", OFF, "thanks")
    assert (runner.outcome, runner.opted_out) == ("removed", True)


def test_it_is_understood_where_a_value_is_asked_for_and_no_value_is_kept() -> None:
    runner = asking("number")
    assert runner.heard("ne m'appelez plus, c'est la troisième fois") == "opt_out"
    assert (runner.values, runner.opted_out) == ({}, True)


def test_a_call_at_another_time_is_no_such_wish() -> None:
    runner = talk()
    runner.prompt_done()
    runner.heard("ne m'appelez pas maintenant")
    assert not runner.opted_out


# ---- what is left on a voicemail, and what the prompts say


def test_a_message_is_played_and_told_with_the_prompts() -> None:
    scenario = parse_scenario(TALK + "message: {prompt: message.wav, text: Bonjour}\n")
    assert scenario.message == Message(prompt="message.wav", text="Bonjour", outcome="message_left")
    assert scenario.prompts == ("ask.wav", "again.wav", "thanks.wav", "bye.wav", "sorry.wav", "message.wav")
    assert scenario.texts == {"message.wav": "Bonjour"}
    assert parse_scenario(TALK).message is None


def test_what_a_prompt_says_is_told_by_any_step_that_plays_it() -> None:
    scenario = parse_scenario(changed(prompt="bye.wav", text="Au revoir"))
    assert scenario.texts == {"bye.wav": "Au revoir"}  # the step "bye" plays it too, and does not say


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


def test_the_shipped_scenario_takes_a_wish_not_to_be_called_again_wherever_it_listens() -> None:
    scenario = shipped()
    listening = [name for name, step in scenario.steps.items() if step.listen_s]
    assert len(listening) >= 2
    for name in listening:
        runner = ScenarioRunner(scenario.model_copy(update={"start": name}))
        runner.prompt_done()
        assert runner.heard("Écoutez, je ne veux plus que vous m'appeliez")
        assert (runner.opted_out, runner.outcome) == (True, "do_not_call"), name
