"""What a callee's stream carries besides plain speech (echo of the robot, quiet voices), and what a voicemail kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from esl_client import EslClient, answered_call, assert_clean, stream_server, write_wav
from patient_loop import run_patiently

from V3.simulator import Beep, Callee, CallTruth, Echo, FreeSwitchSimulator, HangUp, Record, Rule, Say, Silence, When

SPEED = 10.0
RATE_HZ = 8000


def play(uuid: str, path: Path | str) -> str:
    return (
        f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: {path}\nevent-lock: true"
    )


def streamed(callee: Callee, prompt: Path | str = "") -> npt.NDArray[np.float64]:
    """What the robot's audio server gets of a call in which ``prompt`` is played to its end."""
    return call(callee, prompt)[1]


def call(callee: Callee, prompt: Path | str, *, stop_after_ms: float = 0) -> tuple[CallTruth, npt.NDArray[np.float64]]:
    """The same, with the truth; ``stop_after_ms`` breaks the prompt."""

    async def scene() -> tuple[CallTruth, bytes]:
        async with stream_server() as server, FreeSwitchSimulator({"7": callee}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events="ALL")
            uuid = await answered_call(client, "7")
            await client.api(f"uuid_audio_stream {uuid} start ws://127.0.0.1:{server.port}/ mono 8k")
            if prompt:
                await client.command(play(uuid, prompt))
                await client.event("PLAYBACK_START")
            if stop_after_ms:
                await simulator.clock.sleep_ms(stop_after_ms)
                await client.api(f"uuid_break {uuid} all")
            await simulator.clock.sleep_ms(2500)
            await client.api(f"uuid_kill {uuid}")
            await client.event("CHANNEL_DESTROY")
            await server.until(lambda: bool(server.close_codes))
            await client.close()
            return simulator.truth(uuid), b"".join(server.audio())

    truth, heard = run_patiently(scene())
    return truth, np.frombuffer(heard, "<i2").astype(float)


def sounding_ms(heard: npt.NDArray[np.float64], above: float) -> float:
    loud = np.flatnonzero(np.abs(heard) > above)
    return float(loud[-1] - loud[0]) * 1000 / RATE_HZ if loud.size else 0.0


@pytest.mark.parametrize("db", [-12.0, -30.0])
def test_an_echo_is_quieter_by_its_level(tmp_path: Path, db: float) -> None:
    prompt = write_wav(tmp_path / "prompt.wav", 1.0, hz=1000)
    heard = streamed(Callee(echo=Echo(db=db, delay_ms=100), noise_peak=0), prompt)
    assert np.abs(heard).max() == pytest.approx(8000 * 10 ** (db / 20), rel=0.1)
    assert sounding_ms(heard, 20) == pytest.approx(1000, abs=20)


@pytest.mark.parametrize("hz", [100.0, 3700.0])
def test_a_handset_lets_little_pass_outside_its_band(tmp_path: Path, hz: float) -> None:
    prompt = write_wav(tmp_path / "prompt.wav", 1.0, hz=hz)
    heard = streamed(Callee(echo=Echo(db=0, delay_ms=0), noise_peak=0), prompt)
    middle = heard[np.flatnonzero(np.abs(heard) > 1)][2000:-2000]
    assert np.abs(middle).max() < 8000 / 10


def test_an_echo_comes_later_by_its_delay(tmp_path: Path) -> None:
    """A word said as the prompt begins, then the echo of the prompt: the distance between them is the delay."""
    prompt = write_wav(tmp_path / "prompt.wav", 0.2, hz=1000)
    click = write_wav(tmp_path / "click.wav", 0.01, hz=1000)
    callee = Callee(echo=Echo(db=-12, delay_ms=600), noise_peak=0, rules=(Rule(When("prompt_started"), (Say(click),)),))
    truth, heard = call(callee, prompt)
    loud = np.flatnonzero(np.abs(heard) > 500)
    apart = loud[np.flatnonzero(np.diff(loud) > 1600)[0] + 1] - loud[0]
    late_ms = truth.speech[0].start_ms - truth.prompts[0].start_ms  # the word is begun in a task of its own
    assert apart / 8 == pytest.approx(600 - late_ms, abs=5)


def test_the_echo_ends_with_the_prompt_and_adds_to_the_voice(tmp_path: Path) -> None:
    prompt, word = write_wav(tmp_path / "prompt.wav", 9.0, hz=1000), write_wav(tmp_path / "word.wav", 0.2)
    says = Rule(When("prompt_started"), (Say(word),))
    truth, heard = call(Callee(echo=Echo(db=-6, delay_ms=40), noise_peak=0, rules=(says,)), prompt, stop_after_ms=800)
    played = truth.prompts[0]
    assert played.stop_ms is not None
    assert sounding_ms(heard, 100) == pytest.approx(played.stop_ms - played.start_ms + 20, abs=45)
    power = heard**2
    blocks = power[: len(power) // 160 * 160].reshape(-1, 160).mean(axis=1)
    assert blocks.max() == pytest.approx((8000**2 + 4000**2) / 2, rel=0.1)
    assert np.median(blocks[blocks > 1000]) == pytest.approx(4000**2 / 2, rel=0.1)


def test_without_media_there_is_no_echo(tmp_path: Path) -> None:
    prompt = write_wav(tmp_path / "prompt.wav", 0.5, hz=1000)
    heard = streamed(Callee(echo=Echo(), media=False, noise_peak=0), prompt)
    assert np.abs(heard).max() == 0


@pytest.mark.parametrize("level_db", [0.0, -20.0, 6.0])
def test_a_level_makes_a_voice_quieter_or_louder(tmp_path: Path, level_db: float) -> None:
    word = write_wav(tmp_path / "word.wav", 0.3)
    callee = Callee(rules=(Rule(When("answered"), (Say(word, level_db=level_db),), 500),), noise_peak=0)
    heard = streamed(callee)
    assert np.abs(heard).max() == pytest.approx(8000 * 10 ** (level_db / 20), rel=0.02)


def voicemail(tmp_path: Path, *, record_after_ms: float, message_s: float, cut: bool = False) -> CallTruth:
    """A message is left as soon as the call is up; the recording begins that long after the answer."""
    greeting, message = write_wav(tmp_path / "greeting.wav", 0.1), write_wav(tmp_path / "message.wav", message_s)
    ends = (
        Rule(When("prompt_playing_ms", played_ms=700), (HangUp(),)) if cut else Rule(When("prompt_ended"), (HangUp(),))
    )
    greets = Rule(When("answered"), (Say(greeting), Silence(record_after_ms), Beep(1000, 100), Record()))

    async def scene() -> CallTruth:
        async with FreeSwitchSimulator({"7": Callee(rules=(greets, ends))}, speed=SPEED) as simulator:
            client = await EslClient.connect(simulator.port, events="ALL")
            uuid = await answered_call(client, "7")
            await simulator.clock.sleep_ms(1000)
            await client.command(play(uuid, message))
            await client.event("CHANNEL_DESTROY", lambda event: event.uuid == uuid)
            await client.close()
            truth = simulator.truth(uuid)
        assert_clean(simulator)
        return truth

    return run_patiently(scene())


def test_a_message_left_after_the_beep_is_whole(tmp_path: Path) -> None:
    truth = voicemail(tmp_path, record_after_ms=0, message_s=0.5)
    assert truth.beep_start_ms is not None
    assert truth.beep_end_ms == pytest.approx(truth.beep_start_ms + 100)
    assert truth.beep_end_ms is not None
    assert truth.recorded_from_ms is not None
    assert truth.recorded_from_ms >= truth.beep_end_ms
    (part,) = truth.recorded()
    assert part.path.endswith("message.wav")
    assert (part.whole, part.from_ms, part.to_ms) == (True, 0, 500)


def test_a_message_begun_before_the_beep_lacks_its_beginning(tmp_path: Path) -> None:
    truth = voicemail(tmp_path, record_after_ms=1500, message_s=3.0)
    (part,) = truth.recorded()
    assert not part.whole
    assert truth.recorded_from_ms is not None
    assert part.from_ms == pytest.approx(truth.recorded_from_ms - truth.prompts[0].start_ms)
    assert part.to_ms == part.file_ms == 3000


def test_a_message_cut_off_lacks_its_end(tmp_path: Path) -> None:
    (part,) = voicemail(tmp_path, record_after_ms=0, message_s=3.0, cut=True).recorded()
    assert not part.whole
    assert part.from_ms == 0
    assert 700 <= part.to_ms < 3000


def test_nobody_who_does_not_record_keeps_anything() -> None:
    assert CallTruth("u", "7").recorded() == []
