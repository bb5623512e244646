"""The demonstration: the robot calls eight simulated callees at the same time, with real speech recognition.

Everything but the telephone is real: the event socket, the WebSockets, Whisper, the decisions. What was meant to
happen stands in ``EXPECTED``; what the simulator saw happen is compared with it.
"""

from __future__ import annotations

import tempfile

from rich.console import Console
from rich.table import Table
from rich.text import Text

from V3.calls.report import CallReport
from V3.clock import Clock
from V3.config import RobotConfig
from V3.console import LiveCalls
from V3.simulator import CallTruth, FreeSwitchSimulator, load_callees
from V3.simulator.cast import CALLEES, CAST, ended, faults_of
from V3.system.assembly import assembled
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

__all__ = ["EXPECTED", "demo_config", "run_demo"]

EXPECTED = {f"019900120{digit}": CAST[digit] for digit in "12345678"}


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
    faults = {report.number: "; ".join(faults_of(report, EXPECTED[report.number])) for report in reports}
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
    told = [f"{count} {what}" for what in ("stopped", "resumed") if (count := ended(report, what))]
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
