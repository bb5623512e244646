"""The robot put together: a list of numbers, of which one that goes wrong is nobody else's trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from robot_rig import answering, hangs_up, person, rigged, run, says, until

from V3.calls.report import CallReport, CallUpdate
from V3.demo import demo_config
from V3.errors import CapacityReached
from V3.simulator import Callee, FreeSwitchSimulator, Trigger, When
from V3.system.assembly import assembled
from V3.system.journal import Journal
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

ACCEPTS = says("oui_ca_m_interesse", when=When(Trigger.PROMPT_ENDED, nth=1), after_ms=600)


def test_a_number_refused_does_not_end_the_calls_of_the_others(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """Another robot dialled it between the reading of the list and now."""

    async def test() -> None:
        book = tmp_path / "journal.jsonl"
        with Journal(book) as journal:
            journal.claim("0199001297", "of-another-robot")
        callees = {"0199001298": person(ACCEPTS), "0199001297": answering(), "0199001296": Callee(outcome="busy")}
        reports: list[CallReport] = []
        async with rigged(stt, tmp_path, callees, journal=book) as rig:
            await rig.parts.call_all(callees, at_once=2, on_end=reports.append)
            assert sorted(rig.simulator.dialled) == ["0199001296", "0199001298"]
        by_number = {report.number: report for report in reports}
        assert by_number["0199001298"].outcome == "accepted"
        assert by_number["0199001298"].errors == []
        assert by_number["0199001296"].disposition == "BUSY"

    run(test)


def test_a_list_is_read_as_it_is_called(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """A list of any length costs what is called at once: no task waits per number."""

    async def test() -> None:
        read: list[str] = []

        def numbers() -> Iterator[str]:
            for n in range(40):
                read.append(f"01990{n:05d}")
                yield read[-1]

        async with rigged(stt, tmp_path, lambda _number: Callee(outcome="no_answer", ring_ms=60_000)) as rig:
            calling = asyncio.create_task(rig.parts.call_all(numbers(), at_once=3))
            await until(lambda: len(rig.simulator.dialled) == 3)
            assert len(read) == 3
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)

    run(test)


def test_whoever_watches_and_fails_ends_no_call(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """The screen is gone: every line of the live story raises."""

    async def test() -> None:
        def gone(_update: CallUpdate) -> None:
            raise BrokenPipeError("nobody reads any more")

        reports: list[CallReport] = []
        callee = person(hangs_up(When(Trigger.PROMPT_STARTED)))
        async with FreeSwitchSimulator({"0199001298": callee}, speed=8) as simulator:
            config = demo_config(port=simulator.port, reports_dir=str(tmp_path))
            async with assembled(config, stt=stt, on_update=gone) as parts:
                await parts.call_all(["0199001298"], at_once=1, on_end=reports.append)
            await until(lambda: not simulator.channels())
        (report,) = reports
        assert (report.label, report.hung_up_by, report.errors) == ("HUMAN", "callee", [])

    run(test)


def test_beyond_what_the_machine_can_hear_a_number_waits_and_is_dialled_once(
    stt: WhisperStreamingSTT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three numbers, three callers, and a machine that can hear one call: never two at once, and each once."""
    monkeypatch.setattr(WhisperStreamingSTT, "capacity", 1)

    async def test() -> None:
        callees = {f"019900129{n}": Callee(outcome="busy", ring_ms=200) for n in range(3)}
        most = 0
        reports: list[CallReport] = []
        async with rigged(stt, tmp_path, callees) as rig:
            server = rig.parts.server
            assert server is not None
            server.expect("another", lambda _event: None)
            with pytest.raises(CapacityReached):  # the robot itself refuses, before anything is dialled
                await rig.call("0199001290")
            assert rig.simulator.dialled == []
            server.forget("another")

            async def watch() -> None:
                nonlocal most
                while True:
                    most = max(most, rig.parts.robot.calls_in_progress)
                    await asyncio.sleep(0.005)

            watching = asyncio.create_task(watch())
            await rig.parts.call_all(callees, at_once=3, on_end=reports.append)
            watching.cancel()
            assert sorted(rig.simulator.dialled) == sorted(callees)
        assert most == 1
        assert [report.disposition for report in reports] == ["BUSY"] * 3

    run(test)


def test_a_number_that_waits_for_room_is_not_dialled_once_all_drains(
    stt: WhisperStreamingSTT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call goes on to its end; the number that waits, and those after it, are left."""
    monkeypatch.setattr(WhisperStreamingSTT, "capacity", 1)

    async def test() -> None:
        numbers = [f"019900129{n}" for n in range(4)]
        reports: list[CallReport] = []
        async with rigged(stt, tmp_path, dict.fromkeys(numbers, answering())) as rig:
            calling = asyncio.create_task(rig.parts.call_all(numbers, at_once=2, on_end=reports.append))
            await until(lambda: any(update.state == "DETECTING" for update in rig.updates))
            rig.parts.drain.set()
            await calling
            assert rig.simulator.dialled == numbers[:1]
        assert [(report.label, report.errors) for report in reports] == [("NO_ANSWER", [])]

    run(test)


def test_calls_that_last_longer_than_the_draining_are_hung_up(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        reports: list[CallReport] = []
        async with rigged(stt, tmp_path, {"0199001290": answering()}, call={"drain_s": 0.5}) as rig:
            calling = asyncio.create_task(rig.parts.call_all(["0199001290"], at_once=1, on_end=reports.append))
            await until(lambda: any(update.state == "DETECTING" for update in rig.updates))
            rig.parts.drain.set()
            await calling
            assert rig.updates[-1].state == "REPORTED"
        assert reports == []

    run(test)
