"""The api commands that only look: ``status``, ``show channels``, ``uuid_dump``."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from V3.simulator.leg import Leg
from V3.simulator.switch import Switch

__all__ = ["dump", "show", "status"]


def status(switch: Switch) -> str:
    up_us = int((switch.clock.now_ms() - switch.started_ms) * 1000)
    units = []
    for name, size in (
        ("year", 31_536_000_000_000),
        ("day", 86_400_000_000),
        ("hour", 3_600_000_000),
        ("minute", 60_000_000),
        ("second", 1_000_000),
        ("millisecond", 1000),
        ("microsecond", 1),
    ):
        count, up_us = divmod(up_us, size)
        units.append(f"{count} {name}{'' if count == 1 else 's'}")
    peak = switch.peak_sessions
    return (
        f"UP {', '.join(units)}\n"
        "FreeSWITCH (Version 1.10.12-release  64bit) is ready\n"
        f"{switch.sessions_since_start} session(s) since startup\n"
        f"{switch.sessions()} session(s) - peak {peak}, last 5min {peak} \n"
        f"0 session(s) per Sec out of max 500, peak {peak}, last 5min {peak} \n"
        f"{switch.max_sessions} session(s) max\n"
        "min idle cpu 0.00/100.00\n"
        "Current Stack Size/Max 240K/240K\n"
    )


def show(switch: Switch, arguments: str) -> str:
    """``show channels [count] [as json]``; both legs of loopback calls are listed, as on the real one."""
    words = arguments.split()
    if words[:1] not in (["channels"], ["calls"]):
        return "-USAGE: codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count]\n"
    rows = [_row(leg) for leg in switch.legs()]
    if words[-2:] == ["as", "json"]:
        found: dict[str, object] = {"row_count": len(rows)}
        return json.dumps(found | ({"rows": rows} if rows else {})) + "\n"
    if "count" in words or not rows:
        return f"\n{len(rows)} total.\n"
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return "\n".join(lines) + f"\n\n{len(rows)} total.\n"


def _row(leg: Leg) -> dict[str, str]:
    created_s = leg.created_us // 1_000_000
    return {
        "uuid": leg.uuid,
        "direction": "outbound" if leg.outbound else "inbound",
        "created": f"{datetime.fromtimestamp(created_s, UTC):%Y-%m-%d %H:%M:%S}",
        "created_epoch": str(created_s),
        "name": leg.name,
        "state": leg.running,
        "cid_name": leg.caller_name,
        "cid_num": leg.caller_number,
        "ip_addr": "",
        "dest": leg.destination,
        "application": leg.variables.get("current_application", ""),
        "application_data": leg.variables.get("current_application_data", ""),
        "dialplan": "xml",
        "context": "default",
        "read_codec": leg.codec,
        "read_rate": "8000" if leg.codec else "",
        "callstate": leg.call_state,
        "call_uuid": leg.uuid,
    }


def dump(switch: Switch, arguments: str) -> str:
    words = arguments.split()
    if not words:
        return "-USAGE: <uuid> [format]\n"
    leg = next((leg for leg in switch.legs() if leg.uuid == words[0]), None)
    if leg is None:
        return "-ERR No such channel!\n"
    fields = [("Event-Name", "CHANNEL_DATA"), *leg.headers()]
    fields += [(f"variable_{name}", value) for name, value in leg.variables.items()]
    if words[1:] == ["json"]:
        return json.dumps(dict(fields))
    return "".join(f"{name}: {value}\n" for name, value in fields) + "\n"
