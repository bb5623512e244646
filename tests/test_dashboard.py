"""What Grafana and Prometheus are given: every metric named there is one that a scrape brings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from V3.calls.report import CallReport
from V3.config import ClientSettings
from V3.system.call_metrics import CallMetrics
from V3.system.far_server import FarServer
from V3.system.services.client_metrics import ClientMetrics, EngineMetrics
from V3.system.services.websocket_audio_server import WebSocketAudioServer
from V3.system.services.whisper_streaming_stt import WhisperStreamingSTT

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "config" / "deploy"
NAME = re.compile(r"\b(?:voicebot|process)_[a-z_]+\b")
PROMTOOL = shutil.which("promtool")


class Robot:
    """As much of a robot, and of its connection, as is asked for when metrics are scraped."""

    calls_in_progress = 0
    connected, reconnects = True, 0
    on_report: list[Any] = []  # noqa: RUF012 - nobody adds to it twice

    def __init__(self, places: WebSocketAudioServer | FarServer) -> None:
        self.places = places


@pytest.fixture(scope="module")
def exposed(stt: WhisperStreamingSTT) -> frozenset[str]:
    """Every name of a robot that hears its calls, with pages, after one call; and of one that is heard elsewhere."""
    server = WebSocketAudioServer(stt)
    near, far = CallMetrics(), CallMetrics()
    for metrics, robot in ((near, Robot(server)), (far, Robot(FarServer()))):
        metrics.dials(robot, robot, draining=lambda: False)  # type: ignore[arg-type]
        metrics.ended(CallReport(call_id="c", number="0199001200", started_at=""))
    near.hears(server)
    near.leaves(server)
    clients = ClientMetrics(near.registry)
    EngineMetrics(stt.stats, near.registry)
    for counter in (clients.clients, clients.opened, clients.refused, clients.faults, clients.audio_s, clients.uploads):
        counter.labels("any")
    return frozenset(_names(near.registry) | _names(far.registry))


def _names(registry: CollectorRegistry) -> set[str]:
    return {sample.name for family in registry.collect() for sample in family.samples}


@cache
def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DEPLOY / "grafana-voicebot.json").read_text())
    return loaded


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "voicebot-alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_metric_of_the_dashboard_exists(exposed: frozenset[str]) -> None:
    named = set(NAME.findall(json.dumps(dashboard()))) - {"voicebot_info"}
    assert len(named) > 30
    assert named - exposed == set()
    assert "voicebot_info" in exposed  # the variables of the dashboard ask for it


def test_every_metric_of_the_alerts_exists(exposed: frozenset[str]) -> None:
    for rule in rules():
        named = set(NAME.findall(rule["expr"]))
        assert named or "up{" in rule["expr"], rule
        assert named - exposed == set(), rule


def test_the_page_about_operation_explains_every_metric_that_is_ours(exposed: frozenset[str]) -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    ends = re.compile(r"_(?:total|bucket|sum|count|created)$")
    ours = {ends.sub("", name) for name in exposed if name.startswith("voicebot_")}
    assert {name for name in ours if name not in page} == set()
    told = {ends.sub("", name) for name in NAME.findall(page) if name.startswith("voicebot_")}
    assert told - ours == set()


def test_panels_have_their_place_and_the_chosen_datasource() -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["description"]
            assert all("$job" in target["expr"] for target in panel["targets"])
    variables = {variable["name"]: variable["type"] for variable in dashboard()["templating"]["list"]}
    assert variables == {"datasource": "datasource", "job": "query", "instance": "query"}


def test_brackets_of_every_expression_are_closed() -> None:
    expressions = [t["expr"] for panel in dashboard()["panels"] for t in panel.get("targets", [])]
    for expression in expressions + [rule["expr"] for rule in rules()]:
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), expression


def test_every_alert_says_how_bad_it_is_and_is_in_the_runbook() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["alert"] in page


def test_prometheus_scrapes_the_clients_port_with_the_token_and_knows_the_rules() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    servers, robots = config["scrape_configs"]
    assert servers["static_configs"][0]["targets"] == [f"127.0.0.1:{ClientSettings().port}"]
    assert robots["authorization"] == servers["authorization"]
    assert all((DEPLOY / name).is_file() for name in config["rule_files"])


@pytest.mark.skipif(PROMTOOL is None, reason="promtool reads the rules where it is installed")
def test_promtool_takes_the_rules() -> None:
    assert PROMTOOL is not None
    command = [PROMTOOL, "check", "rules", str(DEPLOY / "voicebot-alerts.yml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
