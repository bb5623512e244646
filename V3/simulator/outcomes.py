"""How a call can end before it is answered, and FreeSWITCH's hangup causes with their Q.850 numbers.

Seen on a real FreeSWITCH 1.10.12: the SIP status and the cause of each refusal, and which failures leave nothing
but a BACKGROUND_JOB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

__all__ = ["OUTCOMES", "Manner", "Outcome", "cause_named", "q850"]


class Manner(StrEnum):
    """What the far end does with the INVITE."""

    ANSWER = "answer"
    RING = "ring"  # for ever: originate_timeout ends it
    REFUSE = "refuse"  # a final SIP status (loopback: the far leg hangs up)
    UNREACHABLE = "unreachable"  # refused by our own side: no packet came back
    BARE_DESTROY = "bare_destroy"  # CHANNEL_DESTROY without a name, no CREATE, no HANGUP_COMPLETE
    JOB_ONLY = "job_only"  # BACKGROUND_JOB is the only sign


@dataclass(frozen=True, slots=True)
class Outcome:
    manner: Manner
    cause: str = "NORMAL_CLEARING"
    sip_status: int = 200
    sip_phrase: str = "OK"


def _refuse(cause: str, sip_status: int, sip_phrase: str) -> Outcome:
    return Outcome(Manner.REFUSE, cause, sip_status, sip_phrase)


OUTCOMES: Mapping[str, Outcome] = MappingProxyType(
    {
        "answer": Outcome(Manner.ANSWER),
        "no_answer": Outcome(Manner.RING, "NO_ANSWER", 487, "CANCEL"),
        "busy": _refuse("USER_BUSY", 486, "Busy Here"),
        "reject": _refuse("CALL_REJECTED", 603, "Decline"),
        "no_route": _refuse("NO_ROUTE_DESTINATION", 404, "Not Found"),
        "unallocated": _refuse("UNALLOCATED_NUMBER", 404, "Not Found"),
        "switched_off": _refuse("SUBSCRIBER_ABSENT", 480, "Temporarily Unavailable"),
        "congestion": _refuse("NORMAL_CIRCUIT_CONGESTION", 503, "Service Unavailable"),
        "unreachable": Outcome(Manner.UNREACHABLE, "NORMAL_TEMPORARY_FAILURE", 503, "Service Unavailable"),
        "invalid_gateway": Outcome(Manner.BARE_DESTROY, "INVALID_GATEWAY"),
        "not_registered": Outcome(Manner.JOB_ONLY, "SUBSCRIBER_ABSENT"),
        "no_endpoint": Outcome(Manner.JOB_ONLY, "CHAN_NOT_IMPLEMENTED"),
        "out_of_order": Outcome(Manner.JOB_ONLY, "DESTINATION_OUT_OF_ORDER"),
    }
)

# FreeSWITCH's own numbers; those above 127 are no Q.850 causes and go out as 16.
_CAUSES: Mapping[str, int] = MappingProxyType(
    {
        "NONE": 0,
        "UNALLOCATED_NUMBER": 1,
        "NO_ROUTE_TRANSIT_NET": 2,
        "NO_ROUTE_DESTINATION": 3,
        "CHANNEL_UNACCEPTABLE": 6,
        "CALL_AWARDED_DELIVERED": 7,
        "NORMAL_CLEARING": 16,
        "USER_BUSY": 17,
        "NO_USER_RESPONSE": 18,
        "NO_ANSWER": 19,
        "SUBSCRIBER_ABSENT": 20,
        "CALL_REJECTED": 21,
        "NUMBER_CHANGED": 22,
        "REDIRECTION_TO_NEW_DESTINATION": 23,
        "EXCHANGE_ROUTING_ERROR": 25,
        "DESTINATION_OUT_OF_ORDER": 27,
        "INVALID_NUMBER_FORMAT": 28,
        "FACILITY_REJECTED": 29,
        "RESPONSE_TO_STATUS_ENQUIRY": 30,
        "NORMAL_UNSPECIFIED": 31,
        "NORMAL_CIRCUIT_CONGESTION": 34,
        "NETWORK_OUT_OF_ORDER": 38,
        "NORMAL_TEMPORARY_FAILURE": 41,
        "SWITCH_CONGESTION": 42,
        "ACCESS_INFO_DISCARDED": 43,
        "REQUESTED_CHAN_UNAVAIL": 44,
        "PRE_EMPTED": 45,
        "FACILITY_NOT_SUBSCRIBED": 50,
        "OUTGOING_CALL_BARRED": 52,
        "INCOMING_CALL_BARRED": 54,
        "BEARERCAPABILITY_NOTAUTH": 57,
        "BEARERCAPABILITY_NOTAVAIL": 58,
        "SERVICE_UNAVAILABLE": 63,
        "BEARERCAPABILITY_NOTIMPL": 65,
        "CHAN_NOT_IMPLEMENTED": 66,
        "FACILITY_NOT_IMPLEMENTED": 69,
        "SERVICE_NOT_IMPLEMENTED": 79,
        "INCOMPATIBLE_DESTINATION": 88,
        "RECOVERY_ON_TIMER_EXPIRE": 102,
        "PROTOCOL_ERROR": 111,
        "INTERWORKING": 127,
        "ORIGINATOR_CANCEL": 487,
        "SYSTEM_SHUTDOWN": 701,
        "LOSE_RACE": 702,
        "MANAGER_REQUEST": 703,
        "ALLOTTED_TIMEOUT": 802,
        "MEDIA_TIMEOUT": 804,
        "USER_NOT_REGISTERED": 806,
        "PROGRESS_TIMEOUT": 807,
        "INVALID_GATEWAY": 808,
        "GATEWAY_DOWN": 809,
    }
)
_NAMES = {number: name for name, number in _CAUSES.items()}


def cause_named(text: str) -> str:
    """The cause a command names, in any case or by number; NORMAL_CLEARING for what is no cause."""
    word = text.strip().upper()
    if word.isdigit():
        return _NAMES.get(int(word), "NORMAL_CLEARING")
    return word if word in _CAUSES and word != "NONE" else "NORMAL_CLEARING"


def q850(cause: str) -> int:
    number = _CAUSES.get(cause, 16)
    return number if number < 128 else 16
