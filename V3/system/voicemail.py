"""A message left on a voicemail: wait for the beep, play it whole, begin again if the beep comes only then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from V3.calls.message_drop import DropReason, DropRules, MessageDrop
from V3.calls.report import MessageReport
from V3.calls.scenario import Message
from V3.events import Event
from V3.system.active_call import ActiveCall
from V3.system.prompts import Prompts

__all__ = ["leave_message"]

NO_BEEP = "no_beep"  # the outcome of a voicemail that never let us speak
STEP = "message"

NextEvent = Callable[[ActiveCall, float | None], Awaitable[Event | None]]


async def leave_message(
    call: ActiveCall, message: Message, *, rules: DropRules, prompts: Prompts, next_event: NextEvent
) -> None:
    """Wait for the beep (or the greeting's end) and play ``message``; what came of it is in the report."""
    call.update("WAITING", "for the beep")
    drop = MessageDrop(rules, since_ms=call.now_ms, speaking=call.speaking)
    reason = drop.beeped() if call.just_beeped else await _reason(call, drop, next_event)
    if reason is None:
        call.report.outcome = NO_BEEP
        return
    while reason is not None:
        reason = await _play(call, message, drop, reason, prompts=prompts, next_event=next_event)
    if call.report.message is not None and call.report.message.whole:
        call.report.outcome = message.outcome


async def _reason(call: ActiveCall, drop: MessageDrop, next_event: NextEvent) -> DropReason | None:
    """Why to begin now; None when there was none within the bound."""
    while not drop.is_over(call.now_ms):
        if (reason := drop.tick(call.now_ms)) is not None:
            return reason
        event = await next_event(call, max(0.0, drop.due_ms - call.now_ms) / 1000)
        if event is not None and (reason := drop.feed(event)) is not None:
            return reason
    return None


async def _play(
    call: ActiveCall, message: Message, drop: MessageDrop, reason: DropReason, *, prompts: Prompts,
    next_event: NextEvent,
) -> DropReason | None:  # fmt: skip
    """Play the message; the reason to begin again, if one comes."""
    assert call.line is not None
    playback = await call.line.play(prompts.find(message.prompt).path)
    call.note_prompt(STEP, playback)
    call.update("MESSAGE", f"{message.prompt} after {reason}")
    noted = MessageReport(reason=str(reason), start_ms=call.at(playback.start_ms))
    call.report.message = noted
    while not playback.stopped.done():
        event = await next_event(call, None)
        if event is not None and not playback.stopped.done() and (again := drop.feed(event)) is not None:
            await call.line.stop_playing(playback)
            return again
    noted.stop_ms, noted.whole = call.at(playback.stop_ms), playback.heard_out
    call.line.check()
    return None
