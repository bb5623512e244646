"""SIGTERM and SIGKILL of the robot's process with calls in every state, and what the next start makes of it.

The robot is ``python -m V3 call`` with the shipped model, in real time; all states are there at once, one call each.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
import wave
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml
from fault_rig import NOBODY, assert_settled, faulty, works_again
from robot_rig import NUMBER, SOUNDS, answering, person, run, until
from robot_scenes import PROMPTS, VOICES, mid_prompt, said

from V3.calls.report import CallReport
from V3.clock import Clock
from V3.simulator import Beep, Callee, FreeSwitchSimulator, Rule, Say, When
from V3.system.journal import Journal
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT
from V3.telephony.esl import EslClient, EslSettings
from V3.telephony.line import Line

ROOT = Path(__file__).resolve().parents[2]
STATES = {
    "0199001201": "DIALLING",
    "0199001202": "DETECTING",
    "0199001203": "PLAYING",
    "0199001204": "PAUSED",
    "0199001205": "LISTENING",
    "0199001206": "MESSAGE",
}
TOLD = re.compile(r"\s*-?[\d.]+ s\s+(\d{10})\s+(\S+)")
SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}
TRIES = 3  # to have all states at the same time, on a machine that does other things too
pytestmark = pytest.mark.timeout(250)
RINGS_MS = 11_000  # until the one that is listened to has heard the whole prompt; then all others answer


def hum(folder: Path) -> Path:
    """Twelve seconds of "mmmh": a voice, and no words."""
    with wave.open(str(VOICES / "backchannel_mmh_105hz.wav")) as file:
        rate_hz, once = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    middle = once[once.size // 4 : -once.size // 4]
    path = folder / "hum.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.resize(middle, 12 * rate_hz).tobytes())
    return path


def callees(folder: Path) -> dict[str, Callee]:
    """Who leads a call into each state, and keeps it there for some seconds."""
    greets = (Say(SOUNDS / "je_vous_ecoute.wav"),)
    voicemail = (Say(SOUNDS / "messagerie.wav"), Beep())

    def somebody(*rules: Rule) -> Callee:
        return Callee(ring_ms=RINGS_MS, rules=(Rule(When(), greets, after_ms=500), *rules))

    return {
        "0199001201": Callee(ring_ms=120_000, progress="ringing"),
        "0199001202": Callee(ring_ms=RINGS_MS),
        "0199001203": somebody(),
        "0199001204": somebody(said(hum(folder), mid_prompt(300))),
        "0199001205": answering(Rule(When(), greets, after_ms=500)),
        "0199001206": Callee(ring_ms=RINGS_MS, rules=(Rule(When(), voicemail, after_ms=100),)),
    }


def settings(folder: Path, port: int) -> Path:
    scenario = {
        "name": "kill",
        "start": "ask",
        "message": {"prompt": "rendez_vous_message.wav", "text": "Bonjour."},
        "steps": {
            "ask": {"prompt": "rendez_vous_accueil.wav", "text": "Bonjour.", "listen_s": 30, "next": "end"},
        },
    }
    (folder / "kill.yaml").write_text(yaml.safe_dump(scenario))
    config = {
        "freeswitch": {
            "port": port,
            "dial_string": "sofia/gateway/x/{number}",
            "originate_timeout_s": 60,
            "prompts_dir": str(PROMPTS),
        },
        "stt": {"workers": 8},  # a machine that is busy as the model loads must not think it can hear five calls only
        "server": {"port": 0},
        "call": {"reports_dir": str(folder / "reports"), "scenario": str(folder / "kill.yaml"), "drain_s": 0},
        "answer": {"on_machine": "leave_message", "window_s": 10},
        "barge_in": {"speech_ms": 10_000, "words": 20},
    }
    path = folder / "robot.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@dataclass
class Outcome:
    """What was seen of one robot and of the start after it."""

    exit_status: int = 0
    left_up: int = 0
    restarted: int = 0
    up_at_the_end: int = 0
    dialled: Counter[str] = field(default_factory=Counter)
    reports: dict[str, CallReport] = field(default_factory=dict)
    interrupted: dict[str, str] = field(default_factory=dict)


@contextlib.asynccontextmanager
async def robot(folder: Path, config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """``python -m V3 call`` with all numbers; killed should the test fail."""
    (folder / "numbers.csv").write_text("\n".join(STATES))
    options = ["--config", str(config), "--list", str(folder / "numbers.csv"), "--at-once", str(len(STATES))]
    command = [sys.executable, "-m", "V3", "--no-mask", "call", *options]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def all_states(process: asyncio.subprocess.Process) -> bool:
    """Return when every call is in its state at the same time; False where one has left its state before."""
    seen: dict[str, str] = {}
    assert process.stdout is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(45):
            async for line in process.stdout:
                if told := TOLD.match(line.decode()):
                    seen[told[1]] = told[2]
                if seen == STATES:
                    return True
    return False


async def killed(folder: Path, number: signal.Signals) -> Outcome:
    for n in range(TRIES):
        (each := folder / str(n)).mkdir()
        if (outcome := await killed_once(each, number)) is not None:
            return outcome
    raise AssertionError(f"in none of {TRIES} runs were all calls in their states at the same time")


async def killed_once(folder: Path, number: signal.Signals) -> Outcome | None:
    outcome = Outcome()
    async with FreeSwitchSimulator(callees(folder).get) as simulator:
        config = settings(folder, simulator.port)
        async with robot(folder, config) as process:
            if not await all_states(process):
                return None
            process.send_signal(number)
            await process.communicate()
            outcome.exit_status = process.returncode or 0
        outcome.left_up = len(simulator.channels())
        async with robot(folder, config) as process:
            await process.communicate()
            outcome.restarted = process.returncode or 0
        outcome.up_at_the_end = len(simulator.channels())
        outcome.dialled = Counter(simulator.dialled)
    for path in (folder / "reports").glob("*.json"):
        report = CallReport.model_validate_json(path.read_text())
        outcome.reports[report.number] = report
    with Journal(folder / "reports" / "journal.jsonl") as journal:
        outcome.interrupted = journal.interrupted
    return outcome


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Both robots at the same time."""

    async def both() -> dict[str, Outcome]:
        kills = (killed(tmp_path_factory.mktemp(name), number) for name, number in SIGNALS.items())
        return dict(zip(SIGNALS, await asyncio.gather(*kills), strict=True))

    return asyncio.run(both())


@pytest.mark.parametrize("number", STATES, ids=STATES.values())
def test_terminated(outcomes: dict[str, Outcome], number: str) -> None:
    """SIGTERM, in any state, to a robot that gives its calls no time to end.

    Sees: exit status 0 (130 after Ctrl-C, or a terminal that is closed); a report of each call: "cancelled: the robot
    is stopping". With ``call.drain_s`` calls may end first (tests/test_cli_drain.py).
    Kept: every number's outcome; no channel stays up; the next start dials none again.
    Normal: at once.
    """
    outcome = outcomes["SIGTERM"]
    assert (outcome.exit_status, outcome.left_up, outcome.interrupted) == (0, 0, {})
    report = outcome.reports[number]
    assert report.disposition == ("OURS" if STATES[number] == "DIALLING" else "ANSWERED")
    assert report.errors == ["cancelled: the robot is stopping"]
    assert outcome.dialled[number] == 1


@pytest.mark.parametrize("number", STATES, ids=STATES.values())
def test_killed(outcomes: dict[str, Outcome], number: str) -> None:
    """SIGKILL (or a crash, or no power), in any state, and the next start.

    Sees: at the next start the log names the calls that were left up; INTERRUPTED in their reports.
    Kept: every number's outcome; what was left up is hung up; none is dialled again without --again.
    Normal: when the robot is started again (FreeSWITCH ends a call by itself after call.max_duration_s and 30 s).
    """
    outcome = outcomes["SIGKILL"]
    assert (outcome.exit_status, outcome.left_up) == (-signal.SIGKILL, len(STATES))
    assert (outcome.up_at_the_end, outcome.interrupted) == (0, {})
    report = outcome.reports[number]
    assert (report.disposition, report.retry) == ("INTERRUPTED", "NEVER")
    assert report.errors == ["the robot ended in mid-call; it was still up and was hung up"]
    assert outcome.dialled[number] == 1


def test_the_next_start_has_nobody_to_dial(outcomes: dict[str, Outcome]) -> None:
    """The same list again, after either.

    Sees: "was dialled before, left out" for each number; exit status 2.
    Kept: nobody is called twice.
    Normal: at once.
    """
    assert {outcome.restarted for outcome in outcomes.values()} == {2}


def test_a_robot_that_starts_ends_what_another_left(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """Calls of a robot that died: one is up, one is not there (and comes up late), one has a report.

    Sees: reports of the first two: INTERRUPTED.
    Kept: the outcome that a report has; a channel that comes up late is hung up.
    Normal: before the first number is dialled.
    """
    with Journal(tmp_path / "journal.jsonl") as journal:
        for number, name in zip(STATES, ("up", "gone", "told"), strict=False):
            journal.claim(number, f"call-{name}")
    told = CallReport(call_id="call-told", number="0199001203", started_at="", disposition="BUSY")
    (tmp_path / "call-told.json").write_text(told.model_dump_json())

    async def test() -> None:
        async with FreeSwitchSimulator({NUMBER: person()}, speed=8.0) as other:
            async with EslClient(EslSettings(port=other.port)) as esl:
                line = Line(esl, uuid="call-up", clock=Clock(8.0))
                await line.dial(f"loopback/{NUMBER}/default", {}, ring_s=5)
                line.close()
            async with faulty(stt, tmp_path, freeswitch={"port": other.port}) as rig:
                assert other.channels() == []
                assert other.truth("call-up").hangup_by == "robot"
                late = Line(rig.parts.esl, uuid="call-gone", clock=Clock(8.0))
                await asyncio.gather(late.dial(f"loopback/{NUMBER}/default", {}, ring_s=5), return_exceptions=True)
                await until(late.ended.done)
                late.close()
                await works_again(rig)
        assert_settled(rig, tmp_path)

    run(test)
    reports = {p.stem: CallReport.model_validate_json(p.read_text()) for p in tmp_path.glob("call-*.json")}
    assert {name: report.disposition for name, report in reports.items()} == {
        "call-up": "INTERRUPTED",
        "call-gone": "INTERRUPTED",
        "call-told": "BUSY",
    }
    assert NOBODY not in (report.number for report in reports.values())
