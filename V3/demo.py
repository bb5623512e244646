"""The demonstration: the robot calls eight simulated callees at the same time, with real speech recognition.

Everything but the telephone is real: the event socket, the WebSockets, Whisper, the decisions. What was meant to
happen stands in ``EXPECTED``; what the simulator saw happen is compared with it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from V3.calls.report import CallReport
from V3.clock import Clock
from V3.config import RobotConfig
from V3.console import LiveCalls
from V3.simulator import CallTruth, FreeSwitchSimulator, load_callees
from V3.system.assembly import assembled
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

__all__ = ["EXPECTED", "Expected", "run_demo"]

CALLEES = Path(__file__).resolve().parent / "simulator" / "demo_callees.yaml"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the script of a callee should lead to."""

    who: str
    disposition: str = "ANSWERED"
    label: str = ""
    outcome: str = ""
    stops: int = 0
    """Interruptions that stopped a prompt for good."""
    resumes: int | None = 0
    """Prompts that paused and went on; None where either is right."""


EXPECTED = {
    "0199001201": Expected("listens", label="HUMAN", outcome="accepted"),
    "0199001202": Expected("interrupts", label="HUMAN", outcome="declined", stops=1),
    "0199001203": Expected("says mmh, oui", label="HUMAN", outcome="accepted", resumes=None),
    "0199001204": Expected("voicemail", label="MACHINE", outcome="message_left"),
    "0199001205": Expected("silent line", label="NO_ANSWER"),
    "0199001206": Expected("busy", disposition="BUSY"),
    "0199001207": Expected("coughs", label="HUMAN", outcome="accepted", resumes=1),
    "0199001208": Expected("opts out", label="HUMAN", outcome="do_not_call", stops=1),
}


async def run_demo(console: Console, *, speed: float = 1.0, stt: WhisperStreamingSTT | None = None) -> bool:
    """Call all callees and show it; True when every call went as scripted."""
    names = {number: expected.who for number, expected in EXPECTED.items()}
    reports: list[CallReport] = []
    with tempfile.TemporaryDirectory(prefix="voicebot-demo-") as folder:
        async with FreeSwitchSimulator(load_callees(CALLEES), speed=speed) as simulator:
            config = demo_config(port=simulator.port, reports_dir=folder)
            with LiveCalls(console, names) as live:
                async with assembled(config, stt=stt, clock=Clock(speed), on_update=live.update) as parts:
                    await parts.call_all(EXPECTED, at_once=len(EXPECTED), on_end=reports.append)
            truths = {report.number: simulator.truth(report.call_id) for report in reports}
    reports.sort(key=lambda report: report.number)
    faults = {report.number: _faults(report, EXPECTED[report.number]) for report in reports}
    console.print(_summary(reports, truths, faults))
    right = sum(not fault for fault in faults.values())
    style = "bold green" if right == len(EXPECTED) else "bold red"
    console.print(Text(f"{right} of {len(EXPECTED)} as scripted", style=style))
    return right == len(EXPECTED)


def demo_config(*, port: int, reports_dir: str) -> RobotConfig:
    """Settings against the simulator: defaults, but for where things are, and a message for voicemails."""
    return RobotConfig().replacing(
        freeswitch={"port": port, "dial_string": "sofia/gateway/simulated/{number}"},
        server={"port": 0},
        call={"reports_dir": reports_dir},
        answer={"on_machine": "leave_message"},
    )


def _faults(report: CallReport, expected: Expected) -> str:
    found = [*report.errors]
    stops, resumes = _ended(report, "stopped"), _ended(report, "resumed")
    for what, got, wanted in (
        ("disposition", report.disposition, expected.disposition),
        ("verdict", report.label, expected.label),
        ("outcome", report.outcome, expected.outcome),
        ("stops", stops, expected.stops),
        ("resumes", resumes, resumes if expected.resumes is None else expected.resumes),
    ):
        if got != wanted:
            found.append(f"{what} {got or 'none'}, not {wanted or 'none'}")
    return "; ".join(found)


def _ended(report: CallReport, outcome: str) -> int:
    return sum(barge_in.outcome == outcome for barge_in in report.barge_ins)


def _summary(reports: list[CallReport], truths: dict[str, CallTruth], faults: dict[str, str]) -> Table:
    table = Table(title="what became of the calls", title_style="bold")
    headings = ("callee", "disposition", "verdict", "", "time to verdict", "speech to silence", "prompts", "outcome")
    for heading in headings:
        table.add_column(heading, justify="right" if heading.startswith(("time", "speech")) else "left")
    for report in reports:
        expected, fault = EXPECTED[report.number], faults[report.number]
        table.add_row(
            expected.who,
            report.disposition,
            f"{report.label} ({report.verdict.kind})" if report.verdict else "-",
            Text("right", style="green") if not fault else Text(f"WRONG: {fault}", style="bold red"),
            f"{report.verdict.at_ms} ms" if report.verdict else "-",
            _speech_to_silence(truths[report.number]),
            _prompts(report),
            report.outcome or "-",
        )
    return table


def _prompts(report: CallReport) -> str:
    if report.message is not None:
        return f"message left after the {report.message.reason}" if report.message.whole else "message cut"
    told = [f"{count} {what}" for what in ("stopped", "resumed") if (count := _ended(report, what))]
    told += [f"{len(report.ignored)} ignored"] if report.ignored else []
    return ", ".join(told) or ("heard out" if report.prompts else "-")


def _speech_to_silence(truth: CallTruth) -> str:
    """From the callee's first sound over a prompt to that prompt's silence, as the callee heard both."""
    for prompt in truth.prompts:
        if prompt.status == "break" and prompt.stop_ms is not None:
            over = [u.start_ms for u in truth.speech if prompt.start_ms <= u.start_ms <= prompt.stop_ms]
            if over:
                return f"{prompt.stop_ms - max(over):.0f} ms"
    return "-"
