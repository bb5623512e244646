"""Callee scripts read from YAML, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from esl_client import write_wav

from V3.errors import SimulatorError
from V3.simulator import Beep, Callee, Dtmf, Echo, HangUp, Record, Rule, Say, Silence, When, load_callees

FULL = """
callees:
  "0601020304":
    leg: sip
    ring_ms: 800
    progress: ringing
    noise_peak: 20
    hangs_up_after_ms: 30000
    rules:
      - when: answered
        after_ms: 400
        do: {say: allo.wav}
      - when: {prompt_playing_ms: 1200, nth: 2}
        do: [{say: allo.wav}, {silence: 500}, {beep: {hz: 440, ms: 250}}, record]
      - when: {prompt_ended: 1}
        repeat: true
        do: {dtmf: "12#"}
      - {when: {dtmf: "1"}, do: {hang_up: USER_BUSY}}
      - {when: said, do: hang_up}
      - {when: {prompt_at_ms: 900}, do: hang_up}
  busy: {outcome: busy}
  mute: {media: false}
  loud: {echo: {db: -12, delay_ms: 80}, rules: [{when: answered, do: {say: {file: allo.wav, level_db: -20}}}]}
  plain_echo: {echo: {}}
"""


def written(folder: Path, text: str) -> Path:
    write_wav(folder / "allo.wav", 0.1)
    path = folder / "callees.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_a_script_can_say(tmp_path: Path) -> None:
    callees = load_callees(written(tmp_path, FULL))
    say = Say(tmp_path / "allo.wav")
    assert callees["0601020304"] == Callee(
        leg="sip",
        ring_ms=800,
        progress="ringing",
        noise_peak=20,
        hangs_up_after_ms=30000,
        rules=(
            Rule(When("answered"), (say,), 400),
            Rule(When("prompt_playing_ms", nth=2, played_ms=1200), (say, Silence(500), Beep(440, 250), Record())),
            Rule(When("prompt_ended", nth=1), (Dtmf("12#"),), repeat=True),
            Rule(When("dtmf", digits="1"), (HangUp("USER_BUSY"),)),
            Rule(When("said"), (HangUp(),)),
            Rule(When("prompt_at_ms", played_ms=900), (HangUp(),)),
        ),
    )
    assert callees["busy"] == Callee(outcome="busy")
    assert callees["mute"] == Callee(media=False)
    quiet = Say(tmp_path / "allo.wav", level_db=-20)
    assert callees["loud"] == Callee(echo=Echo(-12, 80), rules=(Rule(When("answered"), (quiet,)),))
    assert callees["plain_echo"] == Callee(echo=Echo(db=-18, delay_ms=120))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("callees: {a: {rings: 3}}", "callees.a.rings"),
        ("callees: {a: {outcome: asleep}}", "callees.a: .*asleep.*busy"),
        ("callees: {a: {ring_ms: -1}}", "callees.a.ring_ms"),
        ("callees: {a: {rules: [{when: whenever, do: hang_up}]}}", "callees.a.rules.0.when"),
        ("callees: {a: {rules: [{when: {said: 1, dtmf: '2'}, do: hang_up}]}}", "callees.a.rules.0.when"),
        ("callees: {a: {rules: [{when: answered, do: {sing: x.wav}}]}}", "callees.a.rules.0.do.0.sing"),
        ("callees: {a: {rules: [{when: answered, do: {say: gone.wav}}]}}", "gone.wav: no such sound"),
        ("callees: {a: {rules: [{when: answered, do: {dtmf: x}}]}}", "callees.a.rules.0.do.0.dtmf"),
        ("callees: {a: {rules: [{when: answered, do: {say: {file: gone.wav}}}]}}", "gone.wav: no such sound"),
        ("callees: {a: {rules: [{when: answered, do: {say: {level_db: 3}}}]}}", "callees.a.rules.0.do.0.say.file"),
        ("callees: {a: {rules: [{when: answered, do: {say: {file: a, level_db: 30}}}]}}", "do.0.say.level_db"),
        ("callees: {a: {echo: {db: 3}}}", "callees.a.echo.db"),
        ("callees: {a: {echo: {db: -18, delay: 9}}}", "callees.a.echo.delay"),
        ("callees: {a: {echo: -18}}", "callees.a.echo"),
        ("callees: {0601: {}}", "quote the number"),
        ("people: {}", "people"),
        ("[", "no YAML"),
        ("", "file"),
    ],
)
def test_what_cannot_be_followed_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SimulatorError, match=named) as refusal:
        load_callees(path)
    assert str(path) in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match=r"none\.yaml: No such file"):
        load_callees(tmp_path / "none.yaml")


def test_a_sound_of_another_layout_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "callees: {a: {rules: [{when: answered, do: {say: fast.wav}}]}}")
    write_wav(tmp_path / "fast.wav", 0.1, rate_hz=44100)
    with pytest.raises(SimulatorError, match="44100"):
        load_callees(path)


def test_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(SimulatorError, match="asleep"):
        Callee(outcome="asleep")


@pytest.mark.parametrize("make", [lambda: Echo(db=1), lambda: Echo(delay_ms=-1), lambda: Say("a.wav", level_db=21)])
def test_levels_out_of_reason_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(SimulatorError, match="is taken"):
        make()
