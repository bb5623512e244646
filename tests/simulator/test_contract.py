"""The simulator against transcripts of a real FreeSWITCH 1.10.12 with mod_audio_stream.

Each transcript's commands are sent again at the same pace. Compared are: our own leg's events (names in order,
header names, a few values), the replies byte for byte, and mod_audio_stream's events. Not compared: where between
the others BACKGROUND_JOB and the stream's events stand (they come from threads of their own), and values that
differ by nature (times, ports, tags).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from esl_client import EslClient, assert_clean, stream_server, write_wav
from patient_loop import run_patiently
from websockets.asyncio.server import ServerConnection

from V3.simulator import Callee, Dtmf, FreeSwitchSimulator, HangUp, Rule, Say, Silence, When
from V3.telephony.codec import EslEvent, EslMessage

TRACES = Path(__file__).parent / "traces"
OURS = "11111111-2222-3333-4444-555555555555"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
STREAM = "mod_audio_stream::"
SPEED = 8.0
PROMPT_S, HUMAN_S = 15.0, 7.04
SHARE = "/usr/share"  # where the transcripts' sounds lay
PLAY_ORDER = {"type": "streamAudio", "data": {"audioDataType": "raw", "sampleRate": 8000, "audioData": "AAAA"}}


@dataclass(frozen=True)
class Scenario:
    """A transcript, who is called in it, and what of it cannot be sent again."""

    trace: str
    callees: dict[str, Callee] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()  # commands (regular expressions) left out with their replies and events
    server_up: bool = True  # of the WebSocket
    connects_anywhere: bool = False  # the connection stands while the channel changes its state
    pipelined: bool = False  # commands within 2 ms are sent at once: faster than real time a reply takes longer
    cut_short: bool = False  # the transcript ends before its call does
    races: tuple[str, ...] = ()  # values that a hang-up may set in time or not


SILENT = Callee(media=False)
RINGS = Callee(outcome="no_answer", progress="ringing")
TALKS = Callee(rules=(Rule(When(), (Say("human.wav"),), 400),))
EARLY = Callee(progress="early_media", ring_ms=10_000)

SCENARIOS = [
    Scenario("03_busy", {"busy": Callee(outcome="busy")}),
    Scenario("03b_busy_sip", {"busy": Callee(outcome="busy")}),
    Scenario("03c_call_rejected_sip", {"cause_CALL_REJECTED": Callee(outcome="reject")}),
    Scenario("04_noanswer_timeout", {"noanswer": RINGS}),
    Scenario("04b_noanswer_killed_by_robot", {"noanswer": RINGS}),
    Scenario("04c_noanswer_sip_timeout", {"noanswer": RINGS}),
    Scenario("05_bad_dest_loopback"),
    Scenario("05b_bad_dest_sip404"),
    Scenario("05c_bad_gateway", {"998901234567": Callee(outcome="invalid_gateway")}),
    Scenario("05d_bad_endpoint"),
    Scenario("05e_sip_port_closed", {"human": Callee(outcome="unreachable")}),
    Scenario("05f_user_not_registered"),
    Scenario("05g_unallocated_sip", {"cause_UNALLOCATED_NUMBER": Callee(outcome="unallocated")}),
    Scenario("05h_congestion_sip", {"cause_NORMAL_CIRCUIT_CONGESTION": Callee(outcome="congestion")}),
    Scenario("05i_switched_off_sip", {"cause_SUBSCRIBER_ABSENT": Callee(outcome="switched_off")}),
    Scenario("01_human_full", {"human": TALKS}),
    Scenario("06_ws_refused", {"humanloop": TALKS}, server_up=False),
    Scenario("07c_ws_close1000", {"humanloop": TALKS}),
    Scenario(
        "20_playback_semantics",
        {"silent": SILENT},
        skipped=("uuid_displace", "uuid_fileman", "getvar <ours> playback_ms"),
        pipelined=True,
    ),
    Scenario("21_callee_hangs_up", {"humanhang": Callee(rules=(Rule(When(), (Say("human.wav"), HangUp())),))}),
    Scenario("21b_callee_hangs_up_sip", {"humanhang": Callee(rules=(Rule(When(), (Say("human.wav"), HangUp())),))}),
    Scenario("22_early_media_then_answer_sip", {"early": EARLY}, races=("Application-Response",)),
    Scenario("22b_early_media_loopback", {"early": EARLY}),
    Scenario("22c_ring_then_answer_sip", {"humanring2000": Callee(progress="ringing", ring_ms=2000)}),
    Scenario("22d_ring_then_answer_loopback", {"humanring2000": Callee(progress="ringing", ring_ms=2000)}),
    Scenario("22e_early_ignore_sip", {"early": EARLY}),
    Scenario("23_CRASH_start_on_ringing_sip", {"noanswer": RINGS}),
    Scenario("23b_start_on_ringing_loopback", {"noanswer": RINGS}, connects_anywhere=True),
    Scenario("30_esl_protocol"),
    Scenario("30b_esl_auth_fail"),
    Scenario("30c_esl_misc", {"busy": Callee(outcome="busy")}),
    Scenario("30d_esl_json_event", {"silent": SILENT}),
    Scenario("30e_esl_filter", {"silent": SILENT}),
    Scenario("30f_esl_blocking_api", {"noanswer": RINGS}, cut_short=True),
    Scenario(
        "31_api_on_answer",
        {
            "humanring500": Callee(
                progress="ringing", ring_ms=500, rules=(Rule(When(), (Silence(1000), Dtmf("5#@200"))),)
            ),
            "silent": SILENT,
        },
        skipped=("uuid_send_dtmf",),  # to the callee's own channel, which a remote callee does not have
        connects_anywhere=True,
    ),
    Scenario("32_endless_silence_app_break", {"humanloop": TALKS}),
]


def header_sets() -> list[frozenset[str]]:
    packed = json.loads((TRACES / "header_sets.json").read_text())
    return [frozenset(packed["names"][index] for index in one) for one in packed["sets"]]


def expected_records(scenario: Scenario) -> list[list[Any]]:
    """The transcript without the skipped commands, their replies and what they caused."""
    records = json.loads((TRACES / f"{scenario.trace}.json").read_text())
    kept, skip_reply = [], False
    for record in records:
        if record[1] == ">" and any(re.search(pattern, record[2]) for pattern in scenario.skipped):
            skip_reply = True
        elif record[1] == "<" and skip_reply:
            skip_reply = False
        elif record[1] != "E" or (record[3:] and record[4].get("Media-Bug-Function") != "displace"):
            kept.append(record)
    return kept


class Replay:
    """Sends a transcript's commands again and collects what comes back in the same form."""

    def __init__(self, scenario: Scenario, folder: Path, records: list[list[Any]]) -> None:
        self.scenario = scenario
        self.folder = folder
        self.records = records
        self.ours = OURS if any("<ours>" in str(record) for record in records) else ""

    async def run(self) -> list[list[Any]]:
        async with stream_server() as server, FreeSwitchSimulator(self.scenario.callees, speed=SPEED) as simulator:
            port = server.port
            if not self.scenario.server_up:
                assert server.server is not None
                server.server.close()
                await server.server.wait_closed()
            client = EslClient(*await asyncio.open_connection("127.0.0.1", simulator.port))
            last_s, last_ms = 0.0, simulator.clock.now_ms()
            for index, record in enumerate(self.records):
                if record[1] == ">" or (record[1] == "E" and record[2] in ACTS):
                    if not (self.scenario.pipelined and record[0] - last_s < 0.002):
                        await self._expect(client, self.records[:index])
                        await simulator.clock.sleep_until_ms(last_ms + (record[0] - last_s) * 1000)
                        last_ms = simulator.clock.now_ms()
                    last_s = record[0]
                if record[1] == ">":
                    client.send(self._sent(record[2], port))
                elif record[1] == "E" and record[2] in ACTS:
                    await ACTS[record[2]](server.open[-1], record[5])
            await self._expect(client, self.records)
            await simulator.clock.sleep_ms(60)  # nothing further comes
            found = [self._record(message) for message in client.received]
            await client.close()
        assert_clean(simulator)
        return [record for record in found if record]

    async def _expect(self, client: EslClient, before: list[list[Any]]) -> None:
        """Wait until as much has come as had come in the transcript."""
        wanted = sum(record[1] != ">" for record in before)
        try:
            async with asyncio.timeout(5):
                while sum(self._record(message) is not None for message in client.received) < wanted:
                    await client.news()
        except TimeoutError:
            pass  # what is missing shows in the comparison

    def _sent(self, command: str, port: int) -> str:
        command = command.replace("<ours>", OURS).replace(":9876", f":{port}")
        return command.replace(SHARE, str(self.folder))

    def _named(self, text: str) -> str:
        if self.ours:
            text = text.replace(OURS, "<ours>")
        return UUID.sub("<uuid>", text.replace(str(self.folder), SHARE))

    def _record(self, message: EslMessage | EslEvent) -> list[Any] | None:
        if isinstance(message, EslEvent):
            if self.ours and message.uuid not in ("", OURS):
                return None
            values = {name: self._named(value) for name, value in message.headers.items()}
            return [0, "E", message.name, frozenset(message.headers), values, self._named(message.text)]
        headers = {k: v for k, v in message.headers.items() if k not in ("Content-Type", "Content-Length")}
        return [0, "<", message.content_type, self._named(message.body.decode() or json.dumps(headers))]


async def _say(connection: ServerConnection, body: str) -> None:
    await connection.send(body)


async def _order_play(connection: ServerConnection, _body: str) -> None:
    await connection.send(json.dumps(PLAY_ORDER))


async def _say_goodbye(connection: ServerConnection, _body: str) -> None:
    await connection.close(1000, "bye")


ACTS: dict[str, Callable[[ServerConnection, str], Awaitable[None]]] = {
    f"{STREAM}json": _say,
    f"{STREAM}play": _order_play,
    f"{STREAM}disconnect": _say_goodbye,
}


def in_order(records: list[list[Any]]) -> list[list[Any]]:
    """Events whose place among the others is fixed."""
    return [r for r in records if r[1] == "E" and r[2] != "BACKGROUND_JOB" and not r[2].startswith(STREAM)]


def of_kind(records: list[list[Any]], name: str) -> list[list[Any]]:
    return [record for record in records if record[1] == "E" and record[2].startswith(name)]


def replies(records: list[list[Any]]) -> list[tuple[str, str]]:
    return [(record[2], _without_counts(record[3])) for record in records if record[1] == "<"]


def _without_counts(reply: str) -> str:
    """``status`` counts time and sessions."""
    if not reply.startswith("UP "):
        return reply
    first, _, rest = reply.partition("\n")
    return re.sub(r"s?(?=,|$)", "", re.sub(r"\d+", "N", first)) + "\n" + re.sub(r"\d+", "N", rest)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.trace)
def test_as_the_real_one(scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sounds = tmp_path / "sounds"
    write_wav(sounds / "prompt.wav", PROMPT_S)
    write_wav(sounds / "prompt16.wav", PROMPT_S, rate_hz=16000)
    write_wav(sounds / "human.wav", HUMAN_S)
    monkeypatch.chdir(sounds)
    sets = header_sets()
    expected = expected_records(scenario)
    actual = run_patiently(Replay(scenario, tmp_path, expected).run())
    if scenario.cut_short:
        actual = actual[: sum(record[1] != ">" for record in expected)]

    assert replies(actual) == replies(expected)
    assert [r[2] for r in in_order(actual)] == [r[2] for r in in_order(expected)]
    for kind in ("BACKGROUND_JOB", STREAM):
        assert [(r[2], r[5]) for r in of_kind(actual, kind)] == [(r[2], r[5]) for r in of_kind(expected, kind)]
    for mine, real in paired(scenario, actual, expected):
        values = {name: value for name, value in real[4].items() if name not in scenario.races}
        assert {name: mine[4].get(name) for name in values} == values, real[2]
        assert mine[3] - sets[real[3]] == set(), f"{real[2]}: the real one has none of these"
        assert sets[real[3]] - mine[3] == set(), f"{real[2]}: these are missing"


def paired(
    scenario: Scenario, actual: list[list[Any]], expected: list[list[Any]]
) -> Iterator[tuple[list[Any], list[Any]]]:
    """Every event beside its counterpart."""
    for choose in (
        in_order,
        lambda records: of_kind(records, "BACKGROUND_JOB"),
        lambda records: of_kind(records, STREAM),
    ):
        for mine, real in zip(choose(actual), choose(expected), strict=True):
            if not (scenario.connects_anywhere and real[2] == f"{STREAM}connect"):
                yield mine, real
