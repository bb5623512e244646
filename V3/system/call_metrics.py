"""Counts of calls for Prometheus: what a robot's calls came to, and how fast they were heard.

Labels are words of ours, each of a short list: no number, call id, word or address is ever one. What is a state (calls
in progress, room) is asked for when it is scraped; the rest is counted as it happens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from V3 import __version__
from V3.audio.health import FindingKind
from V3.calls.answer import AnswerLabel
from V3.calls.report import CallReport
from V3.events import AnswerClassified, AudioFlagged, Event, Partial, StreamClosed, StreamOpened
from V3.system.far_server import FarServer
from V3.system.loop_watch import Turn
from V3.system.robot_freeswitch_v3 import RobotFreeSwitchV3
from V3.system.services.websocket_audio_server import REFUSALS, WebSocketAudioServer
from V3.telephony.esl import EslClient

__all__ = ["CallMetrics"]

_VERDICT_S: Final = (0.5, 1.0, 1.5, 2.0, 2.3, 2.4, 2.45, 2.5, 2.75, 3.0, 4.0, 6.0)
_LAG_S: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0)
_BREAK_S: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_SHORT_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_CALL_S: Final = (1.0, 3.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0)
_ROWS: Final = (1, 2, 3, 4, 6, 8, 12, 16)
_ENDS: Final = {1000: "normal", 1001: "stopped", 1006: "lost"}
_OUTCOMES: Final = {"stopped": "stopped", "resumed": "resumed", "": "call_ended"}
_VERDICTS: Final = frozenset(AnswerLabel)
_NO_VERDICT: Final = "NONE"


class CallMetrics:
    """One process's counts. Hand it what there is: ``hears``, ``dials``; ``registry`` is what is scraped."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry(auto_describe=False)
        self._server: WebSocketAudioServer | None = None
        self._places: WebSocketAudioServer | FarServer | None = None
        self._calls: Callable[[], int] = lambda: 0
        self._esl: EslClient | None = None  # of a robot
        self._draining: Callable[[], bool] = lambda: False
        self._opened_s: dict[str, float] = {}  # streams without a verdict, by call
        self._define()
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def _define(self) -> None:
        registry = self.registry
        info = Gauge("voicebot_info", "1, with the version", ["version"], registry=registry)
        info.labels(__version__).set(1)
        labels = ["disposition", "verdict"]
        self.calls = Counter("voicebot_calls", "calls that have ended", labels, registry=registry)
        self.call_s = Histogram(
            "voicebot_call_duration_seconds", "from the answer to the hang-up", buckets=_CALL_S, registry=registry
        )
        self.verdict_s = Histogram(
            "voicebot_time_to_verdict_seconds",
            "from the answer (servers without the robot: from the first audio) to the verdict on who answered",
            buckets=_VERDICT_S,
            registry=registry,
        )
        self.verdicts = Counter("voicebot_verdicts", "verdicts on who answered", ["verdict"], registry=registry)
        for label in AnswerLabel:
            self.verdicts.labels(label)
        self.partial_s = Histogram(
            "voicebot_partial_lag_seconds", "from audio to the words of it", buckets=_LAG_S, registry=registry
        )
        self.break_s = Histogram(
            "voicebot_speech_to_break_seconds",
            "from the callee's first sound to the confirmed silence of the prompt",
            buckets=_BREAK_S,
            registry=registry,
        )
        self.barge_ins = Counter("voicebot_barge_ins", "speech over a prompt", ["outcome"], registry=registry)
        for outcome in (*_OUTCOMES.values(), "ignored"):
            self.barge_ins.labels(outcome)
        self.resent = Counter("voicebot_breaks_resent", "breaks that had to be sent again", registry=registry)
        self.restarts = Counter("voicebot_stream_restarts", "audio streams started once more", registry=registry)
        self.failed = Counter("voicebot_calls_with_errors", "calls whose report names an error", registry=registry)
        self.flags = Counter("voicebot_audio_flags", "streams with faulty audio", ["finding"], registry=registry)
        for finding in FindingKind:
            self.flags.labels(finding)
        self.ends = Counter("voicebot_streams_ended", "audio streams that ended", ["how"], registry=registry)
        for how in (*_ENDS.values(), "error"):
            self.ends.labels(how)
        self._define_engine()

    def _define_engine(self) -> None:
        registry = self.registry
        self.rows = Histogram("voicebot_batch_size", "decodes of a batch", buckets=_ROWS, registry=registry)
        self.waits_s = Histogram(
            "voicebot_queue_wait_seconds",
            "from a request to the batch it goes with",
            buckets=_SHORT_S,
            registry=registry,
        )
        self.decode_s = Histogram("voicebot_decode_seconds", "time of a batch", buckets=_SHORT_S, registry=registry)
        self.loop_lag_s = Histogram(
            "voicebot_event_loop_lag_seconds", "how late the event loop was", buckets=_SHORT_S, registry=registry
        )
        self.loop_busy = Gauge("voicebot_event_loop_busy_ratio", "busy share of the event loop", registry=registry)

    def hears(self, server: WebSocketAudioServer) -> None:
        """Calls are heard in this process; where a robot dials them, say that first (:meth:`dials`)."""
        self._server = server
        if self._esl is None:
            self._places = server
            self._calls = lambda: server.calls
            self._draining = lambda: server.draining
        server.on_event.append(self.heard)
        server.loop_watch.on_turn.append(self.turned)
        if (batcher := getattr(server.stt, "batcher", None)) is not None:
            batcher.on_batch.append(self.decoded)

    def leaves(self, server: WebSocketAudioServer) -> None:
        """What :meth:`hears` began ends: the recogniser may outlive this."""
        if (batcher := getattr(server.stt, "batcher", None)) is not None:
            batcher.on_batch.remove(self.decoded)

    def dials(self, robot: RobotFreeSwitchV3, esl: EslClient, *, draining: Callable[[], bool]) -> None:
        """A robot calls from this process."""
        self._places, self._esl, self._draining = robot.places, esl, draining
        self._calls = lambda: robot.calls_in_progress
        robot.on_report.append(self.ended)

    # What happens.

    def ended(self, report: CallReport) -> None:
        """A call of the robot has ended."""
        verdict = report.label if report.label in _VERDICTS else _NO_VERDICT  # it may come from a server elsewhere
        self.calls.labels(report.disposition, verdict).inc()
        if report.duration_ms:
            self.call_s.observe(report.duration_ms / 1000)
        if report.verdict is not None:
            self.verdict_s.observe(report.moments.get("verdict", report.verdict.at_ms) / 1000)
        for barge_in in report.barge_ins:
            self.barge_ins.labels(_OUTCOMES[barge_in.outcome]).inc()
            if barge_in.break_confirmed_ms is not None:
                self.break_s.observe((barge_in.break_confirmed_ms - barge_in.speech_start_ms) / 1000)
        self.barge_ins.labels("ignored").inc(len(report.ignored))
        self.resent.inc(report.breaks_resent)
        self.restarts.inc(report.stream_restarts)
        self.failed.inc(bool(report.errors))

    def heard(self, event: Event) -> None:
        """Something was heard in a call."""
        match event:
            case Partial():
                behind_ms = self._server.behind_ms(event) if self._server is not None else None
                if behind_ms is not None:
                    self.partial_s.observe(behind_ms / 1000)
            case StreamOpened():
                self._opened_s[event.call_id] = time.monotonic()
            case AnswerClassified():
                self.verdicts.labels(event.label).inc()
                began_s = self._opened_s.pop(event.call_id, None)
                if began_s is not None and self._esl is None:  # a robot counts from the answer
                    self.verdict_s.observe(time.monotonic() - began_s)
            case AudioFlagged():
                self.flags.labels(event.finding).inc()
            case StreamClosed():
                self._opened_s.pop(event.call_id, None)
                self.ends.labels(_ENDS.get(event.code, "error")).inc()

    def decoded(self, waits_s: Sequence[float], busy_s: float) -> None:
        """A batch was decoded; from a worker's thread."""
        self.rows.observe(len(waits_s))
        for wait_s in waits_s:
            self.waits_s.observe(wait_s)
        self.decode_s.observe(busy_s)

    def turned(self, turn: Turn) -> None:
        """The event loop was looked at."""
        self.loop_lag_s.observe(turn.late_s)
        self.loop_busy.set(min(1.0, turn.busy_s / max(turn.passed_s, 1e-9)))

    # What is asked for.

    def collect(self) -> Iterator[Metric]:
        """States, and counts that others keep."""
        yield GaugeMetricFamily("voicebot_calls_in_progress", "calls dialled or heard now", value=self._calls())
        yield GaugeMetricFamily("voicebot_draining", "1 while no new calls are taken", value=float(self._draining()))
        places, server = self._places, self._server
        if places is not None:
            yield GaugeMetricFamily("voicebot_capacity", "calls that can be heard at once", value=places.capacity)
            yield GaugeMetricFamily("voicebot_room", "calls that would be taken now", value=places.room)
        refused = CounterMetricFamily("voicebot_refused", "calls' streams that were refused", labels=["reason"])
        if server is not None:
            for reason in REFUSALS:
                refused.add_metric([reason], server.refusals[reason])
            yield GaugeMetricFamily("voicebot_streams", "calls' streams that are open", value=server.streams)
            yield CounterMetricFamily("voicebot_audio_gaps", "audio that came late", value=server.audio_gaps)
        elif places is not None:
            refused.add_metric(["audio_server"], places.refused)
        yield refused
        if (esl := self._esl) is not None:
            yield GaugeMetricFamily("voicebot_esl_connected", "1 with FreeSWITCH", value=float(esl.connected))
            yield CounterMetricFamily("voicebot_esl_reconnects", "connections made again", value=esl.reconnects)
