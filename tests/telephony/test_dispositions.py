"""How a call ended: every cause and status a real FreeSWITCH was seen to give has its outcome."""

from __future__ import annotations

import pytest

from V3.telephony.dispositions import CAUSES, SIP_STATUSES, Disposition, Outcome, Retry, outcome_of

# Seen on the wire of FreeSWITCH 1.10.12: what provoked it, the SIP status where there was one, the cause.
SEEN = [
    ("busy", 486, "USER_BUSY", Disposition.BUSY),
    ("reject", 603, "CALL_REJECTED", Disposition.REJECTED),
    ("not found", 404, "NO_ROUTE_DESTINATION", Disposition.INVALID_NUMBER),
    ("not found, Q.850 1", 404, "UNALLOCATED_NUMBER", Disposition.INVALID_NUMBER),
    ("switched off", 480, "SUBSCRIBER_ABSENT", Disposition.UNREACHABLE),
    ("congestion", 503, "NORMAL_CIRCUIT_CONGESTION", Disposition.NETWORK),
    ("nobody at the SIP port", 503, "NORMAL_TEMPORARY_FAILURE", Disposition.NETWORK),
    ("no such gateway", 0, "INVALID_GATEWAY", Disposition.OURS),
    ("no such endpoint", 0, "CHAN_NOT_IMPLEMENTED", Disposition.OURS),
    ("user not registered", 0, "SUBSCRIBER_ABSENT", Disposition.UNREACHABLE),
    ("originate_timeout", 0, "NO_ANSWER", Disposition.NO_ANSWER),
    ("over max-sessions", 0, "DESTINATION_OUT_OF_ORDER", Disposition.NETWORK),
    ("killed while ringing", 487, "NORMAL_CLEARING", Disposition.NO_ANSWER),
    ("FreeSWITCH stopping", 0, "SYSTEM_SHUTDOWN", Disposition.NETWORK),
    ("hupall", 0, "MANAGER_REQUEST", Disposition.OURS),
]


@pytest.mark.parametrize(("what", "status", "cause", "disposition"), SEEN)
def test_what_a_real_freeswitch_answers(what: str, status: int, cause: str, disposition: Disposition) -> None:
    outcome = outcome_of(cause, sip_status=status)
    assert outcome.disposition is disposition, what
    assert outcome.cause == cause
    assert outcome_of(f" {cause.lower()}\n", sip_status=status) == outcome


@pytest.mark.parametrize(
    ("status", "cause", "disposition", "retry"),
    [
        (607, "UNWANTED", Disposition.DO_NOT_CALL, Retry.NEVER),
        (607, "NORMAL_UNSPECIFIED", Disposition.DO_NOT_CALL, Retry.NEVER),
        (0, "UNWANTED", Disposition.DO_NOT_CALL, Retry.NEVER),
        (608, "CALL_REJECTED", Disposition.REJECTED, Retry.AFTER_FIX),
        (0, "REJECT_ALL", Disposition.REJECTED, Retry.AFTER_FIX),
        (403, "CALL_REJECTED", Disposition.OURS, Retry.AFTER_FIX),
        (407, "CALL_REJECTED", Disposition.OURS, Retry.AFTER_FIX),
        (410, "NUMBER_CHANGED", Disposition.INVALID_NUMBER, Retry.NEVER),
        (484, "INVALID_NUMBER_FORMAT", Disposition.INVALID_NUMBER, Retry.NEVER),
        (604, "NO_ROUTE_DESTINATION", Disposition.INVALID_NUMBER, Retry.NEVER),
        (600, "USER_BUSY", Disposition.BUSY, Retry.SOON),
        (488, "INCOMPATIBLE_DESTINATION", Disposition.OURS, Retry.AFTER_FIX),
        (200, "NO_ANSWER", Disposition.NO_ANSWER, Retry.LATER),
    ],
)
def test_a_sip_status_that_says_more_comes_first(
    status: int, cause: str, disposition: Disposition, retry: Retry
) -> None:
    assert outcome_of(cause, sip_status=status) == Outcome(disposition, retry, cause)


@pytest.mark.parametrize("cause", ["", "NONE", "SOMETHING_NEW", "16", "é"])
@pytest.mark.parametrize("status", [0, 299, 999, -1])
def test_an_unknown_cause_is_told_as_such_and_never_dialled_again(cause: str, status: int) -> None:
    outcome = outcome_of(cause, sip_status=status)
    assert (outcome.disposition, outcome.retry) == (Disposition.UNKNOWN, Retry.NEVER)


@pytest.mark.parametrize("cause", ["NORMAL_CLEARING", "USER_BUSY", "SOMETHING_NEW", ""])
def test_an_answered_call_was_answered_whatever_ended_it(cause: str) -> None:
    assert outcome_of(cause, sip_status=607, answered=True) == Outcome(Disposition.ANSWERED, Retry.NEVER, cause)


def test_every_disposition_and_every_advice_can_be_reached() -> None:
    table = [outcome_of(cause) for cause in CAUSES] + [outcome_of("", sip_status=status) for status in SIP_STATUSES]
    table += [outcome_of("?"), outcome_of("NORMAL_CLEARING", answered=True)]
    assert {outcome.disposition for outcome in table} == set(Disposition) - {
        Disposition.INTERRUPTED
    }  # the next start's
    assert {outcome.retry for outcome in table} == set(Retry)


def test_advice_follows_from_the_disposition() -> None:
    """Nobody who must not be called, and no number that does not exist, is dialled again; no fault of ours blindly."""
    allowed = {
        Disposition.BUSY: {Retry.SOON},
        Disposition.NO_ANSWER: {Retry.LATER},
        Disposition.REJECTED: {Retry.LATER, Retry.AFTER_FIX},
        Disposition.INVALID_NUMBER: {Retry.NEVER},
        Disposition.UNREACHABLE: {Retry.LATER},
        Disposition.DO_NOT_CALL: {Retry.NEVER},
        Disposition.NETWORK: {Retry.SOON},
        Disposition.OURS: {Retry.AFTER_FIX, Retry.LATER},
    }
    for disposition, retry in [*CAUSES.values(), *SIP_STATUSES.values()]:
        assert retry in allowed[disposition], disposition
    assert {retry for status, (d, retry) in SIP_STATUSES.items() if d is Disposition.OURS} == {Retry.AFTER_FIX}
