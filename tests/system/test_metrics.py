"""What Prometheus is told: after real calls, by the robot and by servers without one; and never who was called."""

from __future__ import annotations

import asyncio
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audio_samples import silence, speech
from audio_server_rig import frames, run
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from robot_rig import hangs_up, person, rigged, says, until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from V3.calls.report import BargeInReport, CallReport, VerdictReport
from V3.config import RobotConfig
from V3.events import AnswerClassified, Event, Partial, StreamClosed
from V3.simulator import Callee, Trigger, When
from V3.system.call_metrics import CallMetrics
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT
from V3.system.serving import serving, status_server

SETTINGS = RobotConfig().replacing(server={"port": 0}, clients={"port": 0}, answer={"decode_timeout_s": 10})
INTERRUPTS = says("de_la_part_de_qui", when=When(Trigger.PROMPT_PLAYING_MS, nth=1, played_ms=1500), after_ms=0)
LEAVES = hangs_up(When(Trigger.PROMPT_STARTED, nth=2), after_ms=500)


async def get(port: int, path: str, **headers: str) -> tuple[int, str]:
    def fetch() -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code, exc.read().decode()

    return await asyncio.to_thread(fetch)


class Scraped:
    """Samples by name and labels."""

    def __init__(self, page: str) -> None:
        self.page = page
        self._samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        (value,) = (s.value for s in self._samples if s.name == name and s.labels == labels)
        return value


def test_a_robots_calls_are_counted_and_nobody_is_named(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        callees = {"0199001231": person(INTERRUPTS, LEAVES), "0199001232": Callee(outcome="busy", ring_ms=50)}
        reports: list[CallReport] = []
        async with (
            rigged(stt, tmp_path, callees, speed=4.0) as rig,
            status_server(rig.config, 0, of=rig.parts, stt=stt) as status,
        ):
            assert (await get(status.port, "/healthz")) == (200, "alive\n")
            code, ready = await get(status.port, "/readyz")
            assert (code, '"freeswitch":true' in ready) == (200, True)
            await rig.parts.call_all(callees, at_once=2, on_end=reports.append)
            told = Scraped((await get(status.port, "/metrics"))[1])
            rig.parts.drain.set()
            assert (await get(status.port, "/readyz"))[0] == 503
        answered = next(report for report in reports if report.number == "0199001231")
        assert told("voicebot_calls_total", disposition="ANSWERED", verdict="HUMAN") == 1
        assert told("voicebot_calls_total", disposition="BUSY", verdict="NONE") == 1
        assert told("voicebot_calls_in_progress") == 0
        assert told("voicebot_time_to_verdict_seconds_count") == 1
        assert told("voicebot_time_to_verdict_seconds_sum") == pytest.approx(answered.moments["verdict"] / 1000)
        breaks = [b for b in answered.barge_ins if b.break_confirmed_ms is not None]
        assert breaks
        assert told("voicebot_speech_to_break_seconds_count") == len(breaks)
        assert told("voicebot_esl_connected") == 1
        assert told("voicebot_esl_reconnects_total") == 0
        assert told("voicebot_capacity") >= told("voicebot_room") > 0
        assert told("voicebot_refused_total", reason="capacity") == 0
        for name in ("batch_size", "queue_wait_seconds", "decode_seconds", "partial_lag_seconds"):
            assert told(f"voicebot_{name}_count") > 0
        for who in (*callees, *(report.call_id for report in reports), "199001231", "01 99 00 12", "127.0.0.1"):
            assert who not in told.page
        assert re.findall(r'="[^"]*\d{6,}[^"]*"', told.page) == []  # no label holds a number of any kind

    run(test)


def test_servers_without_a_robot_count_what_they_hear_and_refuse(stt: WhisperStreamingSTT) -> None:
    events: list[Event] = []

    async def test() -> None:
        async with serving(SETTINGS, stt=stt, on_event=events.append) as parts:
            assert parts.calls is not None
            assert parts.clients is not None
            url = f"ws://127.0.0.1:{parts.calls.port}/call/"
            async with connect(f"{url}0199001233") as call:
                for frame in frames(np.concatenate([speech("oui_bonjour"), silence(3)])):
                    await call.send(frame)
                await until(lambda: any(isinstance(event, AnswerClassified) for event in events))
                for frame in frames(np.concatenate([speech("pas_joignable"), silence(1)])):
                    await call.send(frame)
                await until(lambda: any(isinstance(event, Partial) for event in events))
                with pytest.raises(InvalidStatus):
                    await connect(f"ws://127.0.0.1:{parts.calls.port}/nowhere")
                during = Scraped((await get(parts.clients.port, "/metrics"))[1])
            await until(lambda: any(isinstance(event, StreamClosed) for event in events))
            after = Scraped((await get(parts.clients.port, "/metrics"))[1])
        assert (during("voicebot_calls_in_progress"), after("voicebot_calls_in_progress")) == (1, 0)
        assert during("voicebot_streams") == 1
        assert after("voicebot_streams_ended_total", how="normal") == 1
        assert after("voicebot_refused_total", reason="path") == 1
        assert after("voicebot_time_to_verdict_seconds_count") == 1
        assert sum(after("voicebot_verdicts_total", verdict=v) for v in ("HUMAN", "MACHINE", "NO_ANSWER")) >= 1
        assert after("voicebot_partial_lag_seconds_count") > 0
        assert after("voicebot_engine_decoded_total") > 0  # the engine's own are on the same page
        assert "0199001233" not in after.page
        assert stt.batcher.on_batch == []  # the recogniser outlives the servers

    run(test)


def test_metrics_alone_want_the_token(stt: WhisperStreamingSTT, tmp_path: Path) -> None:
    async def test() -> None:
        clients: dict[str, Any] = {"token": SecretStr("client-secret-1")}
        async with (
            rigged(stt, tmp_path, Callee(), clients=clients) as rig,
            status_server(rig.config, 0, of=rig.parts, stt=None) as status,
        ):
            assert (await get(status.port, "/metrics"))[0] == 401
            assert (await get(status.port, "/metrics", Authorization="Bearer client-secret-1"))[0] == 200
            assert (await get(status.port, "/readyz"))[0] == 200

    run(test)


def test_what_a_server_elsewhere_says_is_no_label() -> None:
    metrics = CallMetrics()
    report = CallReport(call_id="c", number="0199001234", started_at="")
    report.verdict = VerdictReport(label="0199001234", reason="", confidence=1, text="", evidence=[], at_ms=2000)
    report.barge_ins = [BargeInReport(reason="words", text="stop", speech_start_ms=1000, detected_ms=1300)]
    metrics.ended(report)
    assert metrics.registry.get_sample_value(
        "voicebot_calls_total", {"disposition": "UNKNOWN", "verdict": "NONE"}
    ) == pytest.approx(1)
    assert metrics.registry.get_sample_value("voicebot_barge_ins_total", {"outcome": "call_ended"}) == pytest.approx(1)
    assert metrics.registry.get_sample_value("voicebot_speech_to_break_seconds_count") == pytest.approx(0)
