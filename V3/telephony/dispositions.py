"""How a call ended, in words a campaign can act on. A core: a hangup cause and a SIP status in, an outcome out.

The table follows what a real FreeSWITCH was seen to answer (USER_BUSY for 486, CALL_REJECTED for 603,
NO_ROUTE_DESTINATION or UNALLOCATED_NUMBER for 404, ...), then Q.850 and the SIP RFCs for the rest. A SIP status that
says more than the cause comes first: 607 "Unwanted" (RFC 8197) is a person who must not be called again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CAUSES", "SIP_STATUSES", "Disposition", "Outcome", "Retry", "outcome_of"]


class Disposition(StrEnum):
    """What became of a call."""

    ANSWERED = "ANSWERED"
    BUSY = "BUSY"
    NO_ANSWER = "NO_ANSWER"
    REJECTED = "REJECTED"
    INVALID_NUMBER = "INVALID_NUMBER"
    UNREACHABLE = "UNREACHABLE"  # switched off, out of range, not registered
    DO_NOT_CALL = "DO_NOT_CALL"
    NETWORK = "NETWORK"  # between FreeSWITCH and the callee
    OURS = "OURS"  # our configuration, our limits, our hang-up before the answer
    INTERRUPTED = "INTERRUPTED"  # the robot died in mid-call; the next one saw to its end
    UNKNOWN = "UNKNOWN"  # may have rung: it is never dialled again by itself


class Retry(StrEnum):
    """What a campaign may do with the number next."""

    LATER = "LATER"  # the same day, at another hour
    SOON = "SOON"  # in minutes: the fault is likely to pass
    NEVER = "NEVER"
    AFTER_FIX = "AFTER_FIX"  # once our side has been mended


@dataclass(frozen=True, slots=True)
class Outcome:
    """A disposition, the advice that goes with it, and the cause it was read from."""

    disposition: Disposition
    retry: Retry
    cause: str


_D, _R = Disposition, Retry
CAUSES: dict[str, tuple[Disposition, Retry]] = {
    "NORMAL_CLEARING": (_D.NO_ANSWER, _R.LATER),  # before an answer; an answered call never comes here
    "USER_BUSY": (_D.BUSY, _R.SOON),
    "BUSY_EVERYWHERE": (_D.BUSY, _R.SOON),
    "NO_ANSWER": (_D.NO_ANSWER, _R.LATER),
    "NO_USER_RESPONSE": (_D.NO_ANSWER, _R.LATER),
    "ALLOTTED_TIMEOUT": (_D.NO_ANSWER, _R.LATER),
    "PROGRESS_TIMEOUT": (_D.NO_ANSWER, _R.LATER),
    "RECOVERY_ON_TIMER_EXPIRE": (_D.NETWORK, _R.SOON),
    "CALL_REJECTED": (_D.REJECTED, _R.LATER),
    "DECLINE": (_D.REJECTED, _R.LATER),
    "UNWANTED": (_D.DO_NOT_CALL, _R.NEVER),  # what FreeSWITCH makes of 607
    "REJECT_ALL": (_D.REJECTED, _R.AFTER_FIX),  # of 608, see below
    "BLACKLIST_REJECTED": (_D.DO_NOT_CALL, _R.NEVER),
    "UNALLOCATED_NUMBER": (_D.INVALID_NUMBER, _R.NEVER),
    "NO_ROUTE_DESTINATION": (_D.INVALID_NUMBER, _R.NEVER),
    "INVALID_NUMBER_FORMAT": (_D.INVALID_NUMBER, _R.NEVER),
    "NUMBER_CHANGED": (_D.INVALID_NUMBER, _R.NEVER),
    "DOES_NOT_EXIST_ANYWHERE": (_D.INVALID_NUMBER, _R.NEVER),
    "SUBSCRIBER_ABSENT": (_D.UNREACHABLE, _R.LATER),
    "USER_NOT_REGISTERED": (_D.UNREACHABLE, _R.LATER),
    "DESTINATION_OUT_OF_ORDER": (_D.NETWORK, _R.SOON),  # also FreeSWITCH over its session limits
    "NORMAL_CIRCUIT_CONGESTION": (_D.NETWORK, _R.SOON),
    "SWITCH_CONGESTION": (_D.NETWORK, _R.SOON),
    "NORMAL_TEMPORARY_FAILURE": (_D.NETWORK, _R.SOON),
    "NETWORK_OUT_OF_ORDER": (_D.NETWORK, _R.SOON),
    "NORMAL_UNSPECIFIED": (_D.NETWORK, _R.SOON),
    "INTERWORKING": (_D.NETWORK, _R.SOON),
    "GATEWAY_DOWN": (_D.NETWORK, _R.SOON),
    "REQUESTED_CHAN_UNAVAIL": (_D.NETWORK, _R.SOON),
    "MEDIA_TIMEOUT": (_D.NETWORK, _R.SOON),
    "CRASH": (_D.NETWORK, _R.SOON),
    "SYSTEM_SHUTDOWN": (_D.NETWORK, _R.SOON),
    "INVALID_GATEWAY": (_D.OURS, _R.AFTER_FIX),
    "CHAN_NOT_IMPLEMENTED": (_D.OURS, _R.AFTER_FIX),
    "INVALID_PROFILE": (_D.OURS, _R.AFTER_FIX),
    "INVALID_URL": (_D.OURS, _R.AFTER_FIX),
    "INCOMPATIBLE_DESTINATION": (_D.OURS, _R.AFTER_FIX),  # no common codec
    "BEARERCAPABILITY_NOTAVAIL": (_D.OURS, _R.AFTER_FIX),
    "OUTGOING_CALL_BARRED": (_D.OURS, _R.AFTER_FIX),
    "FACILITY_REJECTED": (_D.OURS, _R.AFTER_FIX),
    "MANDATORY_IE_MISSING": (_D.OURS, _R.AFTER_FIX),
    "ORIGINATOR_CANCEL": (_D.OURS, _R.LATER),
    "MANAGER_REQUEST": (_D.OURS, _R.LATER),
    "LOSE_RACE": (_D.OURS, _R.LATER),
}
SIP_STATUSES: dict[int, tuple[Disposition, Retry]] = {
    401: (_D.OURS, _R.AFTER_FIX),
    402: (_D.OURS, _R.AFTER_FIX),
    403: (_D.OURS, _R.AFTER_FIX),
    407: (_D.OURS, _R.AFTER_FIX),
    410: (_D.INVALID_NUMBER, _R.NEVER),
    484: (_D.INVALID_NUMBER, _R.NEVER),
    604: (_D.INVALID_NUMBER, _R.NEVER),
    607: (_D.DO_NOT_CALL, _R.NEVER),
    608: (_D.REJECTED, _R.AFTER_FIX),  # RFC 8688: an intermediary's analytics refused us, not the person
}


def outcome_of(cause: str, *, sip_status: int = 0, answered: bool = False) -> Outcome:
    """The outcome of a call that ended with ``cause`` (any case). An unknown cause is told as such and not retried."""
    cause = cause.strip().upper()
    if answered:
        return Outcome(Disposition.ANSWERED, Retry.NEVER, cause)
    disposition, retry = SIP_STATUSES.get(sip_status) or CAUSES.get(cause) or (Disposition.UNKNOWN, Retry.NEVER)
    return Outcome(disposition, retry, cause)
