"""The bounded buffer between the link and the recorder: never blocks, and says what it lost and holds."""

import asyncio
from datetime import UTC, datetime, timedelta

from telephony.buffer import EventBuffer

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(second: int) -> datetime:
    return NOON + timedelta(seconds=second)


async def test_items_come_out_in_the_order_they_went_in() -> None:
    """The recorder sees what the PBX said in the PBX's order."""
    buffer: EventBuffer[int] = EventBuffer()
    for number in range(5):
        buffer.put(at(number), number)
    assert [item for _, item in await buffer.take(3)] == [0, 1, 2]
    assert [item for _, item in await buffer.take(3)] == [3, 4]


async def test_taking_waits_for_the_first_item() -> None:
    """An empty buffer costs no processor."""
    buffer: EventBuffer[str] = EventBuffer()
    taking = asyncio.create_task(buffer.take())
    await asyncio.sleep(0)
    assert not taking.done()
    buffer.put(at(0), "first")
    assert await taking == [(at(0), "first")]


async def test_a_full_buffer_loses_the_oldest() -> None:
    """Calls alive now matter most; CEL tells the old ones again."""
    buffer: EventBuffer[int] = EventBuffer(most=3)
    for number in range(10):
        buffer.put(at(number), number)
    assert len(buffer) == 3
    assert buffer.lost_total == 7
    assert [item for _, item in await buffer.take()] == [7, 8, 9]


async def test_items_that_could_not_be_written_come_again_first() -> None:
    """A database that was away for a moment costs neither an event nor its place."""
    buffer: EventBuffer[int] = EventBuffer(most=4)
    for number in range(4):
        buffer.put(at(number), number)
    taken = await buffer.take(2)
    buffer.put(at(4), 4)
    buffer.give_back(taken)
    assert [item for _, item in await buffer.take()] == [1, 2, 3, 4]
    assert buffer.lost_total == 1


async def test_what_is_being_written_is_not_stored_yet() -> None:
    """Whoever compares the store with another witness waits for it: else it would seem to be missing."""
    buffer: EventBuffer[int] = EventBuffer()
    await buffer.stored(at(9))
    for number in (1, 2):
        buffer.put(at(number), number)
    await buffer.take()
    await buffer.stored(at(0))
    waiting = asyncio.create_task(buffer.stored(at(1)))
    await asyncio.sleep(0)
    assert buffer.unstored_since == at(1)
    assert not waiting.done()
    buffer.give_back()
    await asyncio.wait_for(waiting, 10)
    assert buffer.unstored_since is None


async def test_all_that_was_put_is_stored_when_it_was_written_and_not_when_it_was_lost() -> None:
    """A promise made to a caller waits for this, whatever times the items have."""
    buffer: EventBuffer[int] = EventBuffer(most=2)
    assert await buffer.all_stored()
    buffer.put(at(5), 1)
    buffer.put(at(1), 2)
    asked = asyncio.create_task(buffer.all_stored())
    taken = await buffer.take(1)
    buffer.give_back(taken)
    await buffer.take(2)
    await asyncio.sleep(0.05)
    assert not asked.done()
    buffer.give_back()
    assert await asked
    buffer.put(at(6), 3)
    asked = asyncio.create_task(buffer.all_stored())
    await asyncio.sleep(0)
    for number in range(2):
        buffer.put(at(7), number)
    await buffer.take(2)
    buffer.give_back()
    assert not await asked
