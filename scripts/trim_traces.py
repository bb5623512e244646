"""Trim transcripts of a real FreeSWITCH to the small fixtures of tests/simulator/traces.

    python scripts/trim_traces.py TRACES_DIRECTORY [FIXTURE_DIRECTORY]

A transcript ``NAME.esl.txt`` has blocks ``>>> T N`` (client to FreeSWITCH) and ``<<< T N`` (back): T seconds since
connect, then N bytes, then a newline. Of each, the fixture keeps the commands, the replies, and of our own leg's
events the name, the header names (a number into ``header_sets.json``) and a few values. A capture ``NAME.ws.tsv``
is kept as the sizes and pace of its messages.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from V3.telephony.codec import EslDecoder, EslEvent, EslMessage

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "simulator" / "traces"
TRIMMED = """01_human_full 03_busy 03b_busy_sip 03c_call_rejected_sip 04_noanswer_timeout 04b_noanswer_killed_by_robot
04c_noanswer_sip_timeout 05_bad_dest_loopback 05b_bad_dest_sip404 05c_bad_gateway 05d_bad_endpoint 05e_sip_port_closed
05f_user_not_registered 05g_unallocated_sip 05h_congestion_sip 05i_switched_off_sip 06_ws_refused 06b_ws_http403
07_ws_dies_fin 07c_ws_close1000 20_playback_semantics 21_callee_hangs_up 21b_callee_hangs_up_sip
22_early_media_then_answer_sip 22b_early_media_loopback 22c_ring_then_answer_sip 22d_ring_then_answer_loopback
22e_early_ignore_sip 23_CRASH_start_on_ringing_sip 23b_start_on_ringing_loopback 30_esl_protocol 30b_esl_auth_fail
30c_esl_misc 30d_esl_json_event 30e_esl_filter 30f_esl_blocking_api 31_api_on_answer
32_endless_silence_app_break"""
RAW = ("05c_bad_gateway", "05d_bad_endpoint", "30b_esl_auth_fail", "30c_esl_misc")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
KEPT_VALUES = (
    "Answer-State",
    "Hangup-Cause",
    "Playback-Status",
    "Playback-File-Path",
    "Application",
    "Application-Data",
    "Application-Response",
    "Media-Bug-Function",
    "DTMF-Digit",
    "variable_hangup_cause_q850",
    "variable_sip_term_status",
    "variable_sip_hangup_disposition",
    "variable_sip_invite_failure_status",
    "variable_endpoint_disposition",
    "Channel-State",
    "Channel-Call-State",
    "Channel-State-Number",
    "Call-Direction",
)


def blocks(path: Path) -> list[tuple[str, float, bytes]]:
    """(direction, seconds, bytes) of every block."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        end = data.index(b"\n", at)
        line = data[at:end]
        at = end + 1
        if line.startswith((b">>>", b"<<<")):
            way, seconds, count = line.split()[:3]
            found.append((way.decode(), float(seconds), data[at : at + int(count)]))
            at += int(count) + 1
    return found


class Trimmer:
    """Collects header sets over all transcripts."""

    def __init__(self) -> None:
        self.sets: dict[tuple[str, ...], int] = {}

    def trim(self, path: Path) -> list[list[Any]]:
        """The records ``[seconds, ">", command]``, ``[seconds, "<", type, text]``, ``[seconds, "E", ...]``."""
        decoder, records = EslDecoder(), []
        named = re.search(rb"origination_uuid=([0-9a-f-]{36})", path.read_bytes())
        ours = named[1].decode() if named else ""
        for way, seconds, data in blocks(path):
            if way == ">>>":
                text = data.decode().removesuffix("\n\n").rstrip("\n")
                records.append([round(seconds, 4), ">", self._named(text, ours)])
                continue
            for message in decoder.feed(data):
                record = self._received(decoder, message, ours)
                if record:
                    records.append([round(seconds, 4), *record])
        if decoder.error_count:
            raise SystemExit(f"{path}: {decoder.errors[0]}")
        return records

    def _received(self, decoder: EslDecoder, message: EslMessage, ours: str) -> list[Any] | None:
        if message.content_type == "text/event-plain":
            event = decoder.event(message)
            return self._event(event, ours) if event else None
        if message.content_type == "text/event-json":
            fields = json.loads(message.body)
            return self._event(EslEvent(fields, fields.pop("_body", "").encode()), ours)
        headers = {k: v for k, v in message.headers.items() if k not in ("Content-Type", "Content-Length")}
        text = message.body.decode() or json.dumps(headers)
        return ["<", message.content_type, self._named(text, ours)]

    def _event(self, event: EslEvent, ours: str) -> list[Any] | None:
        if event.uuid and event.uuid != ours and ours:
            return None
        names = tuple(sorted(event.headers))
        number = self.sets.setdefault(names, len(self.sets))
        values = {name: self._named(event[name], ours) for name in KEPT_VALUES if name in event.headers}
        return ["E", event.name, number, values, self._named(event.text, ours)]

    @staticmethod
    def _named(text: str, ours: str) -> str:
        return UUID.sub("<uuid>", text.replace(ours, "<ours>") if ours else text)


def packed(sets: dict[tuple[str, ...], int]) -> dict[str, Any]:
    """All names once, each set as numbers into them."""
    names = sorted({name for names in sets for name in names})
    index = {name: number for number, name in enumerate(names)}
    return {"names": names, "sets": [[index[name] for name in one] for one in sets]}


def capture(path: Path) -> dict[str, Any] | None:
    """Sizes and pace of a WebSocket capture's messages; None where none was sent."""
    rows = [line.split("\t") for line in path.read_text().splitlines() if line and line[0] != "#"]
    sent = [row for row in rows if row[2] == "C>S"]
    binary = [(float(row[1]), int(row[7])) for row in sent if row[3] == "binary"]
    if not binary:
        return None
    sizes = Counter(size for _, size in binary)
    closes = [row[8] for row in sent if row[3] == "close"]
    masked = all(row[6] == "1" for row in sent if row[3] != "http")
    span_ms = binary[-1][0] - binary[0][0]
    return {"bytes": sorted(sizes), "count": len(binary), "span_ms": round(span_ms), "closes": closes, "masked": masked}


def main(source: Path, target: Path) -> None:
    """Write every fixture."""
    target.mkdir(parents=True, exist_ok=True)
    trimmer = Trimmer()
    for name in TRIMMED.split():
        records = trimmer.trim(source / f"{name}.esl.txt")
        lines = ",\n".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records)
        (target / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    for name in RAW:
        shutil.copyfile(source / f"{name}.esl.txt", target / f"{name}.esl.txt")
    layouts = {path.name.split(".")[0]: capture(path) for path in sorted(source.glob("1[02]_*.ws.tsv"))}
    (target / "layouts.json").write_text(json.dumps(layouts, indent=0) + "\n", encoding="utf-8")
    sets = json.dumps(packed(trimmer.sets), separators=(",", ":"))
    (target / "header_sets.json").write_text(sets.replace("],", "],\n") + "\n", encoding="utf-8")
    print(f"{len(TRIMMED.split())} transcripts, {len(trimmer.sets)} header sets, {len(layouts)} captures")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else FIXTURES)
