"""The bounded buffer between the link and the recorder: never blocks, and says what it lost."""

import asyncio
from datetime import UTC, datetime, timedelta

from telephony.buffer import EventBuffer, Gap

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


async def test_a_full_buffer_loses_the_oldest_and_remembers_their_period() -> None:
    """Calls alive now matter most; the period of the lost ones is known, so that CEL can tell it again."""
    buffer: EventBuffer[int] = EventBuffer(most=3)
    for number in range(10):
        buffer.put(at(number), number)
    assert len(buffer) == 3
    assert buffer.lost_total == 7
    assert [item for _, item in await buffer.take()] == [7, 8, 9]
    assert buffer.take_gaps() == [Gap(at(0), at(6), 7)]
    assert buffer.take_gaps() == []


async def test_items_that_could_not_be_written_come_again_first() -> None:
    """A database that was away for a moment costs neither an event nor its place."""
    buffer: EventBuffer[int] = EventBuffer(most=4)
    for number in range(4):
        buffer.put(at(number), number)
    taken = await buffer.take(2)
    buffer.put(at(4), 4)
    buffer.give_back(taken)
    assert [item for _, item in await buffer.take()] == [1, 2, 3, 4]
    assert buffer.take_gaps() == [Gap(at(0), at(0), 1)]


async def test_an_outage_of_the_link_is_a_gap_too() -> None:
    """Nobody can count what was not heard, but its period is known."""
    buffer: EventBuffer[int] = EventBuffer()
    buffer.note_gap(at(0), at(9))
    gaps = buffer.take_gaps()
    assert gaps == [Gap(at(0), at(9))]
    buffer.return_gaps(gaps)
    assert buffer.take_gaps() == gaps
