"""What is written of calls: the journal of numbers dialled, and a report per call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from V3.calls.report import CallReport
from V3.errors import DialRefused
from V3.system.active_call import ActiveCall
from V3.system.journal import Journal
from V3.telephony.dispositions import Disposition, Retry, outcome_of
from V3.telephony.line import Hangup

__all__ = ["CallBook"]

log = logging.getLogger(__name__)

FREESWITCH_CAUSES = {"SYSTEM_SHUTDOWN", "MANAGER_REQUEST", "ALLOTTED_TIMEOUT", "MEDIA_TIMEOUT", "LOST"}


class CallBook:
    """Reports go to ``folder`` as CALL_ID.json, with what the callee said where ``words`` is true. ``again`` dials what
    the journal holds already, and notes it too. The event loop, and with it the other calls, never waits for the disk.
    """

    def __init__(self, folder: Path, journal: Journal | None, *, again: bool = False, words: bool = False) -> None:
        self._folder = folder
        self._journal = journal
        self._again = again
        self._words = words

    async def claim(self, number: str, call_id: str) -> None:
        """Write that a number is about to be dialled. Raises DialRefused when it was before, or cannot be written.

        Cancelled meanwhile, it frees the number again.
        """
        if self._journal is None:
            return
        claiming = asyncio.create_task(asyncio.to_thread(self._journal.claim, number, call_id, again=self._again))
        try:
            await asyncio.shield(claiming)
        except OSError as exc:
            raise DialRefused(f"not dialled, for the journal cannot be written: {exc}") from exc
        except asyncio.CancelledError:
            with contextlib.suppress(DialRefused, OSError):  # what is not freed counts as dialled: the safe side
                await claiming
                await asyncio.to_thread(self._journal.release, call_id)
            raise

    @property
    def interrupted(self) -> dict[str, str]:
        """Calls that an earlier robot dialled and did not see to their end: call id to number."""
        return self._journal.interrupted if self._journal is not None else {}

    def settle_interrupted(self, call_id: str, *, was_up: bool) -> None:
        """Write what became of such a call: its report's disposition where there is one, else INTERRUPTED."""
        assert self._journal is not None
        report = self._read(call_id)
        if report is None:
            fate = "it was still up and was hung up" if was_up else "FreeSWITCH does not know it any more"
            report = CallReport(
                call_id=call_id,
                number=self.interrupted[call_id],
                started_at=self._journal.claimed_at(call_id) or datetime.now(UTC).isoformat(timespec="milliseconds"),
                disposition=Disposition.INTERRUPTED,
                retry=Retry.NEVER,
                errors=[f"the robot ended in mid-call; {fate}"],
            )
            self._write(report)
        self._note_end(self._journal, report, dialled=True)

    def _read(self, call_id: str) -> CallReport | None:
        try:
            return CallReport.model_validate_json((self._folder / f"{call_id}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def note_hangup(self, call: ActiveCall, hangup: Hangup) -> None:
        """Take how the channel ended into the report."""
        report = call.report
        report.hangup_cause, report.sip_status = hangup.cause, hangup.sip_status
        if call.answered:
            by_freeswitch = hangup.cause in FREESWITCH_CAUSES
            report.hung_up_by = "freeswitch" if by_freeswitch else "robot" if hangup.by_us else "callee"
        call.mark("hangup")

    async def settle(self, call: ActiveCall) -> None:
        """Decide the disposition, and tell the journal whether the number was dialled."""
        report, line = call.report, call.line
        dialled = line is not None and line.dialled
        if line is None or not dialled:
            report.disposition, report.retry = Disposition.OURS, Retry.SOON
        elif line.ended.done() or call.answered:
            outcome = outcome_of(report.hangup_cause, sip_status=report.sip_status, answered=call.answered)
            report.disposition, report.retry = outcome.disposition, outcome.retry
        ended_ms = report.moments.get("hangup", call.now_ms)  # not with the wait for the last words
        report.duration_ms = max(0, ended_ms) if call.answered else 0
        if self._journal is not None:
            await asyncio.to_thread(self._note_end, self._journal, report, dialled=dialled)

    def _note_end(self, journal: Journal, report: CallReport, *, dialled: bool) -> None:
        """What cannot be written leaves the number as dialled: the safe side."""
        try:
            if dialled:
                journal.ended(report.call_id, report.disposition)
            else:
                journal.release(report.call_id)
        except OSError as exc:
            log.error("the end of call %s is not in the journal: %s", report.call_id, exc)  # noqa: TRY400

    async def write(self, report: CallReport) -> None:
        """Write the report; a full disk, or what no file can hold, is logged and ends no call."""
        await asyncio.to_thread(self._write, report)

    def _write(self, report: CallReport) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept = report if self._words else report.without_words()
            _write_whole(self._folder / f"{report.call_id}.json", kept.model_dump_json(indent=2) + "\n")
        except (OSError, ValueError) as exc:  # ValueError: half a surrogate pair in a text
            log.error("the report of call %s could not be written: %s", report.call_id, exc)  # noqa: TRY400


def _write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all: a full disk leaves no half of it."""
    part = path.with_suffix(".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
