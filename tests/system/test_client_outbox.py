"""What waits for a client: newest partial, all finals, and a bound."""

from __future__ import annotations

import asyncio

from V3.system.services.client_outbox import MAX_CHARS, MAX_MESSAGES, ClientOutbox
from V3.wire.dialect import Say


def drained(outbox: ClientOutbox) -> list[str]:
    async def take() -> list[str]:
        return [await outbox.get() for _ in range(len(outbox))]

    return asyncio.run(take())


def test_a_newer_partial_takes_the_place_of_one_that_waits_and_finals_stay() -> None:
    outbox = ClientOutbox()
    for text, partial in (("a…", True), ("A.", False), ("b…", True), ("pong", False), ("b c…", True), ("B c.", False)):
        assert outbox.put(Say(text, partial=partial))
    assert drained(outbox) == ["A.", "pong", "b c…", "B c."]


def test_it_says_when_it_is_full_and_partials_never_fill_it() -> None:
    outbox = ClientOutbox()
    for _ in range(10 * MAX_MESSAGES):
        assert outbox.put(Say("x", partial=True))
    assert len(outbox) == 1
    for _ in range(MAX_MESSAGES - 1):
        assert outbox.put(Say("final"))
    assert not outbox.put(Say("one more"))
    assert drained(outbox)[-1] == "final"
    assert outbox.put(Say("room again"))


def test_its_characters_are_bounded_too() -> None:
    outbox = ClientOutbox()
    assert outbox.put(Say("x" * (MAX_CHARS - 1)))
    assert not outbox.put(Say("xx"))
    assert outbox.put(Say("x"))
    assert len(drained(outbox)) == 2
    assert outbox.put(Say("x" * MAX_CHARS))


def test_a_message_is_waited_for() -> None:
    async def scenario() -> str:
        outbox = ClientOutbox()
        waiting = asyncio.create_task(outbox.get())
        await asyncio.sleep(0)
        assert not waiting.done()
        outbox.put(Say("now"))
        return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(scenario()) == "now"
