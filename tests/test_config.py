"""Settings: what is in the files, what is refused, and what is never shown."""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from V3 import config as settings
from V3.calls.words import fold
from V3.config import (
    CONFIG_DIR,
    AnswerKeywords,
    RobotConfig,
    config_dir,
    load_cues,
    load_keywords,
    load_robot,
    parse_robot,
)
from V3.errors import ConfigError

ROBOT = (CONFIG_DIR / "robot.yaml").read_text(encoding="utf-8")
SECRETS = {"VOICEBOT_ESL_PASSWORD": "hidden-esl-7", "VOICEBOT_SERVER_TOKEN": "hidden-token-7"}
KEY = re.compile(r"^(?P<indent> *)(?P<key>\w+):")


def keys_of(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield path + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys_of(field.annotation, f"{path}{name}.")


def keys_in(text: str) -> Iterator[tuple[str, str]]:
    """Every key of the file by its path, with the line above it."""
    section, above = "", ""
    for line in text.splitlines():
        if found := KEY.match(line):
            section = section if found["indent"] else found["key"]
            yield (f"{section}.{found['key']}" if found["indent"] else section), above
        above = line


def refused(text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_robot(text, environ=environ, source="robot.yaml")
    message = str(caught.value)
    assert message.startswith("robot.yaml")
    return message


# ---- the files


def test_every_key_of_robot_yaml_has_a_comment_directly_above_it() -> None:
    bare = [key for key, above in keys_in(ROBOT) if not re.match(r"^ *# \w", above)]
    assert bare == []


def test_robot_yaml_holds_every_key_once_in_the_order_of_the_models_and_no_other() -> None:
    assert [key for key, _ in keys_in(ROBOT)] == list(keys_of(RobotConfig))


def test_robot_yaml_says_what_holds_without_it() -> None:
    assert parse_robot(ROBOT, environ={}) == parse_robot("", environ={}) == RobotConfig()


def test_the_shipped_settings_load(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_robot(environ={}) == RobotConfig()
    monkeypatch.setenv("VOICEBOT_CONFIG_DIR", str(CONFIG_DIR))
    assert load_keywords().machine_from == 0.5
    assert len(load_cues(CONFIG_DIR / load_keywords().cues)) > 1000


def test_another_folder_of_settings_is_chosen_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "robot.yaml").write_text("server: {port: 9000}\n")
    environ = {"VOICEBOT_CONFIG_DIR": str(tmp_path)}
    assert config_dir(environ) == tmp_path
    assert load_robot(environ=environ).server.port == 9000


def test_there_are_enough_phrases_and_none_is_in_two_classes() -> None:
    keywords = load_keywords()
    machine = [fold(p) for group in keywords.machine.values() for p in group.phrases]
    human = [fold(p) for group in keywords.human.values() for p in group.phrases]
    assert len(set(machine)) >= 86
    assert len(set(human)) >= 14
    assert [phrase for phrase, count in Counter(machine + human).items() if count > 1] == []
    assert all(machine + human)  # each holds a word


# ---- what is refused


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sever: {}", ["unknown key sever", "answer", "barge_in", "server"]),
        ("server: {prot: 1}", ["unknown key server.prot", "port", "max_streams"]),
        ("stt: {modle: small, device: tpu}", ["stt.modle", "beam_size", "stt.device", "'cuda'"]),  # both
        ("server: {port: 65536}", ["server.port", "65535"]),
        ("server: {port: abc}", ["server.port", "integer"]),
        ("server: {rate_hz: 11025}", ["server.rate_hz", "8000", "16000"]),
        ("server: {max_message_bytes: 100}", ["server.max_message_bytes", "640"]),
        ("server: 5", ["server"]),
        ("call: {break_resend_ms: 301}", ["call.break_resend_ms", "300"]),
        ("answer: {window_s: .nan}", ["answer.window_s"]),
        ("answer: {early_person_from: 0.4}", ["answer.early_person_from", "0.5"]),
        ("answer: {revise_from: 1.1}", ["answer.revise_from"]),
        ("answer: {on_machine: ring_on}", ["answer.on_machine", "'leave_message'"]),
        ("answer: {message_silence_s: 0}", ["answer.message_silence_s", "0.5"]),
        ("barge_in: {words: 0}", ["barge_in.words"]),
        ("barge_in: {stop_words: [no]}", ["barge_in.stop_words.0", "string"]),  # YAML reads: false
        ("freeswitch: {variables: {a: 1}}", ["freeswitch.variables.a", "string"]),
        ("- a", ["list"]),
        ("just words", ["str"]),
        ("1: 2", ["1"]),
        ("server: {port: 1", ["no YAML"]),
        ("a: 2001-13-45", ["no YAML"]),
        ("\x00", ["no YAML"]),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(text: str, named: list[str]) -> None:
    message = refused(text)
    assert all(name in message for name in named), message


def test_a_section_that_is_no_mapping_is_refused_with_secrets_in_the_environment_too() -> None:
    assert "server" in refused("server: words", **SECRETS)
    assert "freeswitch" in refused("freeswitch: [a]", **SECRETS)


@pytest.mark.parametrize("environ", [{}, SECRETS])
def test_a_section_with_all_its_keys_commented_out_is_as_if_absent(environ: dict[str, str]) -> None:
    assert parse_robot("server:\nfreeswitch:\n", environ=environ) == parse_robot("", environ=environ)


def test_a_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nonesuch\.yaml cannot be read"):
        load_robot(tmp_path / "nonesuch.yaml")
    with pytest.raises(ConfigError, match=r"nonesuch\.yaml cannot be read"):
        load_keywords(tmp_path / "nonesuch.yaml")
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match=r"odd\.yaml cannot be read"):
        load_robot(tmp_path / "odd.yaml")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("machine: {}", "human"),
        ("machine: {a: {weight: 0, phrases: [x]}}\nhuman: {}", "machine.a.weight"),
        ("machine: {a: {weight: 1, phrases: []}}\nhuman: {}", "machine.a.phrases"),
        ("machine: {a: {wieght: 1}}\nhuman: {}", "unknown key machine.a.wieght; known here: kind, phrases, weight"),
        ("machine: {}\nhuman: {}\nbias: .nan", "bias"),
        ("machine: {}\nhuman: {}\nmachine_from: .inf", "machine_from"),
        ("machine: {}\nhuman: {}\ntiming: {waits: -.inf}", "timing.waits"),
        ("machine: {}\nhuman: {}\ntiming: [waits]", "timing"),
        ("machine: {}\nhuman: {}\nhallucinations: [no]", "hallucinations.0"),  # YAML reads: false
    ],
)
def test_a_wrong_file_of_phrases_names_its_fault(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "amd.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(named)):
        load_keywords(path)


def test_cues_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "cues.tsv"
    path.write_bytes("# = and ~\n=a b\t1.5\r\n~ ƒa \t-0.25\n\n".encode())
    assert load_cues(path) == {"=a b": 1.5, "~ ƒa ": -0.25}  # a blank is a sound like another
    with pytest.raises(ConfigError, match=r"nonesuch\.tsv cannot be read"):
        load_cues(tmp_path / "nonesuch.tsv")
    path.write_text("=a\t1\n=b\n")
    with pytest.raises(ConfigError, match=r"cues\.tsv, line 2: a cue, a tab and its weight are taken"):
        load_cues(path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "", "voicebot.example"])
def test_listening_to_the_world_needs_a_token(host: str) -> None:
    message = refused(f"server: {{host: '{host}'}}")
    assert "server" in message
    assert "needs a token" in message
    assert parse_robot(f"server: {{host: '{host}'}}", environ=SECRETS).server.host == host
    assert parse_robot(f"server: {{host: '{host}', token: t}}", environ={}).server.host == host
    refused(f"server: {{host: '{host}', token: t}}", VOICEBOT_SERVER_TOKEN="")  # the environment wins


def test_clients_have_a_token_of_their_own_and_a_certificate_with_its_key() -> None:
    message = refused("clients: {host: 0.0.0.0}", VOICEBOT_SERVER_TOKEN="t")
    assert "clients.token or VOICEBOT_CLIENT_TOKEN" in message
    assert parse_robot("clients: {host: 0.0.0.0}", environ={"VOICEBOT_CLIENT_TOKEN": "t"}).clients.host == "0.0.0.0"
    assert "together" in refused("clients: {certificate: a.pem}")
    assert "clients.root" in refused("clients: {root: words}")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert parse_robot(f"server: {{host: '{host}'}}", environ={}).server.token.get_secret_value() == ""


# ---- secrets


def test_secrets_of_the_environment_win() -> None:
    given = "freeswitch: {password: from-file}\nserver: {token: from-file}\n"
    loaded = parse_robot(given, environ=SECRETS)
    assert loaded.freeswitch.password.get_secret_value() == "hidden-esl-7"
    assert loaded.server.token.get_secret_value() == "hidden-token-7"
    assert parse_robot(given, environ={}).server.token.get_secret_value() == "from-file"


def test_secrets_are_never_shown() -> None:
    loaded = parse_robot("", environ=SECRETS)
    shown = [repr(loaded), str(loaded), loaded.model_dump_json(), repr(loaded.model_dump()), repr(loaded.server)]
    assert "hidden" not in "".join(shown)


@pytest.mark.parametrize(
    "text",
    [
        "server: {host: 0.0.0.0, max_streams: none, token: hidden-7}",
        "freeswitch: {password: [hidden-7]}",
        "freeswitch: {password: {hidden-7: 1}}",
        'freeswitch:\n  password: "hidden-7\n  host: x\n',  # a quote that is not closed
        "freeswitch:\n  password: *hidden-7\n",
        "freeswitch:\n  password: !hidden-7 x\n",
        "freeswitch:\n  password: hidden-7\n bad indent: 1\n",
        "freeswitch: {password: hidden-7, password2: hidden-7}",
    ],
)
def test_errors_do_not_show_secrets(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_robot(text, environ={})
    assert "hidden" not in "".join(traceback.format_exception(caught.value)).partition("ConfigError")[2]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__  # what came before would be printed with the line


def test_an_environment_secret_is_not_shown_by_an_error_elsewhere() -> None:
    assert "hidden" not in refused("server: {port: x}", **SECRETS)


# ---- changing


def test_a_copy_with_some_keys_changed_is_checked_like_a_file() -> None:
    base = parse_robot("call: {max_duration_s: 60}", environ=SECRETS)
    changed = base.replacing(server={"port": 0}, stt={"model": "small"})
    assert (changed.server.port, changed.stt.model, changed.call.max_duration_s) == (0, "small", 60)
    assert changed.server.token == SecretStr("hidden-token-7")
    assert base.server.port == 8766
    for wrong, named in (({"server": {"prot": 1}}, "server.prot"), ({"sever": {}}, "unknown key sever")):
        with pytest.raises(ConfigError, match=named):
            base.replacing(**wrong)


@pytest.mark.parametrize("folder", ["/with blank", "relative/calls", "/quo'te", "C:\\calls", "/${x}", "/tab\there"])
def test_a_recording_folder_that_no_command_can_name_is_refused_by_name(folder: str) -> None:
    with pytest.raises(ConfigError, match=r"recording: .*folder is an absolute path without blanks"):
        RobotConfig().replacing(recording={"folder": folder})


def test_recording_wants_a_folder_and_is_off_without() -> None:
    with pytest.raises(ConfigError, match=r"recording: .*enabled needs a folder on FreeSWITCH's machine"):
        RobotConfig().replacing(recording={"enabled": True})
    assert RobotConfig().recording.enabled is False
    assert RobotConfig().replacing(recording={"enabled": True, "folder": "/var/calls"}).recording.enabled


def test_settings_are_frozen() -> None:
    loaded: Any = parse_robot("", environ={})
    with pytest.raises(ValidationError):
        loaded.server.port = 1


def test_documented_sections_are_the_exported_ones() -> None:
    sections = {field.annotation.__name__ for field in RobotConfig.model_fields.values() if field.annotation}
    assert sections | {AnswerKeywords.__name__} <= set(settings.__all__)
    assert yaml.safe_load(ROBOT).keys() == RobotConfig.model_fields.keys()
