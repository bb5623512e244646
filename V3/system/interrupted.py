"""Calls that an earlier robot died with: found by their uuid, hung up, and written down. No number is dialled again.

The journal says which were dialled and never ended. A channel of theirs that is still up has nobody to talk on it.
"""

from __future__ import annotations

import asyncio
import logging

from V3.clock import Clock
from V3.errors import CommandError, EslError
from V3.system.call_book import CallBook
from V3.telephony.commands import kill, uuid_exists
from V3.telephony.esl import EslClient

__all__ = ["settle_interrupted"]

log = logging.getLogger(__name__)

END_S = 3.0  # FreeSWITCH takes 21 ms, or 1025 ms when a stream's TCP is not closed
LOOK_S = 0.02  # its tick


async def settle_interrupted(esl: EslClient, book: CallBook, *, clock: Clock) -> None:
    """Hang up what is still up and write every such call's outcome.

    One that could not be seen to end stays in the journal as it is, for the next start.
    """
    up: dict[str, bool] = {}
    for call_id, number in book.interrupted.items():
        try:
            up[call_id] = await esl.api(uuid_exists(call_id)) == "true"
            if up[call_id]:
                log.warning("call %s to %s was left up by a robot that died: it is hung up", call_id, number)
                await esl.api(kill(call_id))
        except (EslError, CommandError) as exc:  # CommandError: no id of ours, in a journal that was edited
            log.warning("call %s of a robot that died could not be asked about: %s", call_id, exc)
            up.pop(call_id, None)
    ended = await asyncio.gather(*(_is_gone(esl, call_id, clock=clock) for call_id in up))
    for (call_id, was_up), gone in zip(up.items(), ended, strict=True):
        if gone:
            await asyncio.to_thread(book.settle_interrupted, call_id, was_up=was_up)


async def _is_gone(esl: EslClient, call_id: str, *, clock: Clock) -> bool:
    try:
        async with clock.timeout(END_S):
            while await esl.api(uuid_exists(call_id)) == "true":  # its end may have no event for us
                await clock.sleep(LOOK_S)
    except (EslError, TimeoutError) as exc:
        log.warning("call %s of a robot that died was not seen to end: %s", call_id, exc or "it is still up")
        return False
    return True
