"""FreeSWITCH dies, or is stopped properly, in mid-call, and comes back: no call is left up, nobody is dialled again."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from fault_rig import INTERRUPTS, assert_settled, faulty, in_state, works_again
from robot_rig import NUMBER, answering, rigged, run, says, until

from V3.clock import Clock
from V3.errors import VoicebotError
from V3.simulator import Callee
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT
from V3.telephony.line import Line

RINGS = Callee(ring_ms=60_000, progress="ringing")


@pytest.mark.parametrize("state", ["DIALLING", "DETECTING", "PLAYING"])
@pytest.mark.parametrize("ending", ["killed", "stopped"])
def test_freeswitch_restarted(stt: WhisperStreamingSTT, tmp_path: Path, ending: str, state: str) -> None:
    """FreeSWITCH dies or is stopped in mid-call and is back a second later.

    Sees: the calls of that moment end (LOST, or SYSTEM_SHUTDOWN); one that rang is UNKNOWN or NETWORK.
    Kept: reports and journal; the robot asks for each call by its uuid, and dials none again.
    Normal: when FreeSWITCH listens again, and the next try to connect has come (0.2 to 5 s).
    """

    async def test() -> None:
        callee = RINGS if state == "DIALLING" else None
        async with faulty(stt, tmp_path, INTERRUPTS, callee=callee) as rig:
            call = asyncio.create_task(rig.call())
            await in_state(rig, state)
            await until(lambda: bool(rig.simulator.channels()))
            if ending == "stopped":
                await rig.simulator.shut_down()
            await rig.simulator.restart(down_s=1.0)
            report = await call
            assert rig.simulator.dialled == [NUMBER]
            await works_again(rig)
        assert_settled(rig, tmp_path)
        assert report.hangup_cause == ("SYSTEM_SHUTDOWN" if ending == "stopped" else "LOST")
        if state == "DIALLING":
            assert report.disposition == ("NETWORK" if ending == "stopped" else "UNKNOWN")
        else:
            assert (report.disposition, report.hung_up_by) == ("ANSWERED", "freeswitch")

    run(test)


def test_several_calls_of_a_freeswitch_that_restarts_all_end(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """FreeSWITCH dies with calls in several states.

    Sees: each of them ends, with a report of its own.
    Kept: each number's outcome in the journal.
    Normal: as for one call.
    """

    async def test() -> None:
        numbers = {"0199001201": RINGS, "0199001202": answering(), "0199001203": answering(says("je_vous_ecoute"))}

        async with faulty(stt, tmp_path, callee=numbers) as rig:
            calls = [asyncio.create_task(rig.call(number)) for number in numbers]
            await in_state(rig, "PLAYING")
            await rig.simulator.restart(down_s=0.5)
            reports = await asyncio.gather(*calls)
            assert sorted(rig.simulator.dialled) == sorted(numbers)
            await works_again(rig)
        assert_settled(rig, tmp_path)
        assert {report.hangup_cause for report in reports} == {"LOST"}

    run(test)
    assert len(list(tmp_path.glob("*.json"))) == 4  # with the one that shows that it works again


def test_a_call_given_up_for_lost_that_comes_up_is_hung_up(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    """An originate that a stuck FreeSWITCH carries out after its call was given up.

    Sees: nothing.
    Kept: the channel does not stay up: it is hung up when its first event comes.
    Normal: at once.
    """

    async def test() -> None:
        async with rigged(stt, tmp_path, answering()) as rig:
            rig.parts.robot.remember("late-uuid")
            late = Line(rig.parts.esl, uuid="late-uuid", clock=Clock(8.0))  # as a FreeSWITCH that was stuck would
            with contextlib.suppress(VoicebotError):
                await late.dial(f"loopback/{NUMBER}/default", {}, ring_s=5)
            await until(late.ended.done)  # nobody here hangs it up, and the callee stays on the line
            assert rig.simulator.truth("late-uuid").hangup_by == "robot"
            late.close()

    run(test)
