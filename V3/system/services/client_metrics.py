"""Counts of the client server and its engine for Prometheus. Labels are names of ours: no client, number or address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

__all__ = ["ClientMetrics", "EngineMetrics"]

_GAUGES: Final = {
    "queued": "decodes that wait",
    "mean_batch": "mean rows of a batch",
    "lag_ms": "mean time lately from a request to its answer, in ms",
    "load": "busy share of the decoding workers",
    "stretch": "how many times rarer partials come than wanted",
    "calls": "streams that are open, telephone calls included",
    "capacity": "streams that can be heard at once",
    "crowded": "1 while the streams that are open are too many already",
}
_COUNTERS: Final = {
    "decoded": "decodes that were answered",
    "batches": "batches",
    "dropped": "decodes that were dropped because too much was waiting",
    "failed": "decodes that failed",
    "replaced": "decoding threads that stalled or died",
    "reloads": "how often the model was loaded again",
}


class EngineMetrics:
    """The recogniser's counts, taken when they are asked for. ``engine`` gives them."""

    def __init__(self, engine: Callable[[], dict[str, Any]], registry: CollectorRegistry) -> None:
        self._engine = engine
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        told = self._engine()
        for name, help_text in _GAUGES.items():
            yield GaugeMetricFamily(f"voicebot_engine_{name}", help_text, value=float(told[name]))
        for name, help_text in _COUNTERS.items():
            yield CounterMetricFamily(f"voicebot_engine_{name}", help_text, value=float(told[name]))


class ClientMetrics:
    """One server's counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.clients = Gauge("voicebot_clients", "clients connected", ["dialect"], registry=registry)
        self.opened = Counter("voicebot_clients_opened", "clients that connected", ["dialect"], registry=registry)
        self.refused = Counter("voicebot_clients_refused", "clients refused", ["reason"], registry=registry)
        self.faults = Counter(
            "voicebot_client_faults", "messages that could not be served", ["dialect"], registry=registry
        )
        self.audio_s = Counter("voicebot_client_audio_seconds", "audio heard", ["dialect"], registry=registry)
        self.uploads = Counter("voicebot_uploads", "files sent to the HTTP API", ["outcome"], registry=registry)
