"""Each trigger and each action of a callee's script, and the ground truth of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from esl_client import EslClient, answered_call, assert_clean, stream_server, write_wav
from patient_loop import run_patiently

from V3.simulator import (
    Beep,
    Callee,
    CallTruth,
    Dtmf,
    FreeSwitchSimulator,
    HangUp,
    Record,
    Rule,
    Say,
    Silence,
    When,
)

SPEED = 10.0
EVENTS = "ALL"


def play(uuid: str, path: Path | str) -> str:
    return (
        f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: {path}\nevent-lock: true"
    )


def run_call(callee: Callee, commands: tuple[str, ...] = (), *, until: str = "CHANNEL_DESTROY") -> CallTruth:
    """One call to that callee; the commands are sent one by one, each waited for by its playback's end."""

    async def scene() -> CallTruth:
        async with FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            for command in commands:
                await client.command(command.replace("<uuid>", uuid))
            await client.event(until, lambda event: event.uuid == uuid)
            truth = simulator.truth(uuid)
            await client.close()
        assert_clean(simulator)
        return truth

    return run_patiently(scene())


def test_it_speaks_after_the_answer_and_then_hangs_up(tmp_path: Path) -> None:
    word = write_wav(tmp_path / "word.wav", 0.5)
    callee = Callee(
        rules=(
            Rule(When("answered"), (Say(word), Silence(200), Say(word)), 400),
            Rule(When("said", nth=2), (HangUp("USER_BUSY"),), 100),
        )
    )
    truth = run_call(callee)
    assert (truth.hangup_cause, truth.hangup_by, truth.answered, truth.ended) == ("USER_BUSY", "callee", True, True)
    first, second = truth.speech
    assert first.file == second.file == "word.wav"
    assert first.start_ms >= 400
    assert first.end_ms - first.start_ms == pytest.approx(500)
    assert second.start_ms >= first.end_ms + 200
    assert truth.hangup_ms is not None
    assert truth.hangup_ms >= second.end_ms + 100


def test_it_interrupts_a_prompt_that_has_played_for_a_while(tmp_path: Path) -> None:
    word, prompt = write_wav(tmp_path / "stop.wav", 0.3), write_wav(tmp_path / "prompt.wav", 5.0)
    callee = Callee(rules=(Rule(When("prompt_playing_ms", played_ms=1200), (Say(word), HangUp())),))
    truth = run_call(callee, (play("<uuid>", prompt),))
    heard = truth.prompts[0]
    assert truth.speech[0].start_ms - heard.start_ms >= 1200
    assert heard.path == str(prompt)
    assert heard.status == "hangup"
    assert heard.stop_ms is not None
    assert heard.stop_ms - heard.start_ms < 5000


def test_a_prompt_that_is_over_sooner_is_not_interrupted(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "prompt.wav", 0.3)
    callee = Callee(
        rules=(
            Rule(When("prompt_playing_ms", played_ms=1200), (Beep(),)),
            Rule(When("prompt_ended"), (HangUp(),), 1500),
        )
    )
    truth = run_call(callee, (play("<uuid>", prompt),))
    assert truth.beep_start_ms is None
    assert truth.prompts[0].status == "done"


def test_prompts_started_ended_and_broken_are_told_apart_and_counted(tmp_path: Path) -> None:
    short, long = write_wav(tmp_path / "short.wav", 0.2), write_wav(tmp_path / "long.wav", 9.0)
    word = write_wav(tmp_path / "a.wav", 0.05), write_wav(tmp_path / "b.wav", 0.05), write_wav(tmp_path / "c.wav", 0.05)
    callee = Callee(
        rules=(
            Rule(When("prompt_started", nth=2), (Say(word[0]),)),
            Rule(When("prompt_ended", nth=1), (Say(word[1]),)),
            Rule(When("prompt_broken"), (Say(word[2]), HangUp())),
        )
    )

    async def scene() -> CallTruth:
        async with FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            await client.command(play(uuid, short))
            await client.event("PLAYBACK_STOP", lambda event: event.uuid == uuid)
            await client.command(play(uuid, long))
            await client.count("PLAYBACK_START", 2, lambda event: event.uuid == uuid)
            await client.api(f"uuid_break {uuid} all")
            await client.event("CHANNEL_DESTROY")
            truth = simulator.truth(uuid)
            await client.close()
        return truth

    truth = run_patiently(scene())
    assert [prompt.status for prompt in truth.prompts] == ["done", "break"]
    assert sorted(utterance.file for utterance in truth.speech) == ["a.wav", "b.wav", "c.wav"]


def test_a_rule_fires_once_unless_it_repeats(tmp_path: Path) -> None:
    prompt, word = write_wav(tmp_path / "p.wav", 0.1), write_wav(tmp_path / "w.wav", 0.02)
    rules = (Rule(When("prompt_started"), (Beep(ms=10),)), Rule(When("prompt_started"), (Say(word),), repeat=True))
    callee = Callee(rules=(*rules, Rule(When("prompt_ended", nth=3), (HangUp(),), 200)))
    truth = run_call(callee, (play("<uuid>", prompt),) * 3)
    assert len(truth.prompts) == 3
    assert len(truth.speech) == 3


def test_digits_go_both_ways() -> None:
    callee = Callee(rules=(Rule(When("dtmf", digits="9"), (HangUp(),)), Rule(When("dtmf", digits="42"), (Dtmf("1#"),))))

    async def scene() -> tuple[str, str]:
        async with FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            assert await client.api(f"uuid_send_dtmf {uuid} 42") == f"+OK {uuid} sent DTMF 42.\n"
            digits = await client.count("DTMF", 2)
            await client.api(f"uuid_send_dtmf {uuid} 9")
            ended = await client.event("CHANNEL_HANGUP_COMPLETE")
            assert ended["variable_digits_dialed"] == "1#"
            truth = simulator.truth(uuid)
            await client.close()
        return truth.digits_received, "".join(event["DTMF-Digit"] for event in digits)

    assert run_patiently(scene()) == ("429", "1#")


def test_a_voicemail_greets_beeps_and_records(tmp_path: Path) -> None:
    greeting = write_wav(tmp_path / "greeting.wav", 0.5)
    message = write_wav(tmp_path / "message.wav", 1.0)
    callee = Callee(
        rules=(
            Rule(When("answered"), (Say(greeting), Beep(1000, 400), Record())),
            Rule(When("prompt_ended"), (HangUp(),), 300),
        )
    )

    async def scene() -> CallTruth:
        async with FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            await simulator.clock.sleep_ms(1100)
            await client.command(play(uuid, message))
            await client.event("CHANNEL_DESTROY")
            await client.close()
            return simulator.truth(uuid)

    truth = run_patiently(scene())
    assert truth.beep_start_ms is not None
    assert truth.beep_start_ms >= truth.speech[0].end_ms
    assert truth.recorded_from_ms is not None
    kept = np.frombuffer(truth.recording_l16, "<i2").astype(int)
    assert 7800 <= int((np.abs(kept) > 0).sum()) <= 8000  # the whole second of the message, less zero crossings
    assert int(np.abs(kept).max()) == 8000


def test_it_loses_patience() -> None:
    truth = run_call(Callee(hangs_up_after_ms=700))
    assert truth.hangup_by == "callee"
    assert truth.hangup_ms is not None
    assert truth.hangup_ms >= 700


@pytest.mark.parametrize("rate", ["8k", "16k"])
def test_the_stream_carries_what_the_callee_says_when_it_says_it(tmp_path: Path, rate: str) -> None:
    word = write_wav(tmp_path / "word.wav", 0.6, rate_hz=16000)
    callee = Callee(rules=(Rule(When("answered"), (Say(word),), 1000),), noise_peak=3)

    async def scene() -> tuple[CallTruth, bytes]:
        async with stream_server() as server, FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            await client.api(f"uuid_audio_stream {uuid} start ws://127.0.0.1:{server.port}/ mono {rate}")
            await simulator.clock.sleep_ms(2500)
            await client.api(f"uuid_kill {uuid}")
            await client.event("CHANNEL_DESTROY")
            await server.until(lambda: bool(server.close_codes))
            await client.close()
            return simulator.truth(uuid), b"".join(server.audio())

    truth, heard = run_patiently(scene())
    samples = np.abs(np.frombuffer(heard, "<i2").astype(int))
    rate_hz = 1000 * int(rate.removesuffix("k"))
    loud = np.flatnonzero(samples > 100)
    quiet_before, quiet_after = samples[: loud[0] - 40], samples[loud[-1] + 40 :]
    assert quiet_before.max() <= 3
    assert quiet_after.max() <= 3
    assert (loud[-1] - loud[0]) / rate_hz == pytest.approx(0.6, abs=0.005)
    assert truth.speech[0].end_ms - truth.speech[0].start_ms == pytest.approx(600)


def test_a_far_end_without_media_is_heard_by_nobody(tmp_path: Path) -> None:
    word = write_wav(tmp_path / "word.wav", 0.5)
    callee = Callee(rules=(Rule(When("answered"), (Say(word),)),), media=False, noise_peak=500)

    async def scene() -> int:
        async with stream_server() as server, FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events=EVENTS)
            uuid = await answered_call(client, "7")
            await client.api(f"uuid_audio_stream {uuid} start ws://127.0.0.1:{server.port}/ mono 16k")
            await simulator.clock.sleep_ms(800)
            await client.close()
            return int(np.abs(np.frombuffer(b"".join(server.audio()), "<i2").astype(int)).max())

    assert run_patiently(scene()) <= 1
