"""PBX and store are compared call by call: what AMI told whole is the same, what differs is named, and is mended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import owe_nothing
from calls.erasing import calls_that_tell, erase_call, take
from calls.events import Event, Settled
from calls.forgetting import Person, pattern
from calls.view import view
from directory.numbers import Regions
from service.commands.replay import fold
from service.comparison import record_differing
from service.reconcile import Report, reconcile, repair
from service.recorder import Recorder
from telephony import ami
from telephony.cel_file import CelFile
from telephony.tape import messages
from tests.fakes.cel import TAPES, write_cel
from tests.fakes.traces import traces_in_tables

NAMES = sorted(tape.stem for tape in TAPES.glob("*.ami"))
SECOND = timedelta(seconds=1)


def heard(tape: str) -> list[Event]:
    """What AMI alone tells of a tape's calls, and that they settled."""
    with (TAPES / f"{tape}.ami").open(encoding="utf-8", newline="\n") as file:
        events = [event for one in messages(file) if one.get("Event") != "CEL" for event in ami.translate("pbx", one)]
    seen = [view(call) for call in fold(events)]
    return [*events, *(Settled(pbx="pbx", channel=one.caller_channel, at=one.ended_at) for one in seen)]


def period(*events: Event) -> tuple[datetime, datetime]:
    times = [event.at for event in events if event.at]
    return min(times) - SECOND, max(times) + SECOND


class Office:
    """A store and the CEL file of its PBX."""

    def __init__(self, engine: AsyncEngine, folder: Path) -> None:
        self.recorder = Recorder(engine, owe_nothing, lambda _change: None)
        self.engine = engine
        self.path = folder / "switchhook.csv"
        self.source = CelFile(self.path)

    async def compared(self, since: datetime, until: datetime) -> Report:
        return await reconcile("pbx", self.source, self.engine, since, until)


@pytest.fixture
def office(engine: AsyncEngine, tmp_path: Path) -> Office:
    return Office(engine, tmp_path)


async def test_what_ami_told_whole_has_no_difference(office: Office) -> None:
    """Every tape, heard by AMI and written as CEL: reading CEL changes nothing, and reconciliation finds nothing."""
    told = [heard(name) for name in NAMES]
    for events in told:
        await office.recorder.write(events)
    write_cel(office.path, NAMES)
    since, until = period(*(event for events in told for event in events))
    report = await office.compared(since, until)
    assert report.call_count >= len(NAMES)
    # A user without the dialplan's class hears of no MixMonitor; the CEL of some tapes tells it.
    assert [str(one) for one in report.differences if one.fields.keys() != {"recordings"}] == []
    count = await record_differing("pbx", office.source, office.recorder, since, until, mark=True)
    assert count == len(report.differences)
    assert (await office.compared(since, until)).differences == ()
    async with office.engine.connect() as connection:
        assert (await connection.execute(text("select count(*) from calls where recovered"))).scalar_one() == 0


def without(events: Sequence[Event], *kinds: str) -> list[Event]:
    return [event for event in events if event.kind not in kinds]


async def test_each_kind_of_difference_is_named_and_mended(office: Office) -> None:
    """A call that is missing, one without its talk, one that never ended; and what the PBX does not know stays told."""
    told = {name: heard(name) for name in ("answered", "busy", "noanswer", "pickup", "queue_ringall")}
    await office.recorder.write(told["answered"])
    await office.recorder.write(without(told["noanswer"], "ChannelHungUp", "Settled"))
    await office.recorder.write(without(told["queue_ringall"], "BridgeEntered", "BridgeLeft"))
    await office.recorder.write(told["pickup"])
    write_cel(office.path, ("answered", "busy", "noanswer", "queue_ringall"))
    since, until = period(*(event for events in told.values() for event in events))
    before = await office.compared(since, until)
    kinds = {one.kind: one for one in before.differences}
    assert (before.call_count, sorted(one.kind for one in before.differences)) == (
        4,
        ["differs", "differs", "missing", "unknown"],
    )
    assert kinds["missing"].fields == {"status": ("", "missed")}
    statuses = {one.fields["status"] for one in before.differences if one.kind == "differs"}
    assert statuses == {("ringing", "missed"), ("missed", "answered")}
    await repair("pbx", office.source, office.recorder, since, until)
    after = await office.compared(since, until)
    assert [one.kind for one in after.differences] == ["unknown"]
    async with office.engine.connect() as connection:
        rows = await connection.execute(text("select status, recovered from calls order by started_at"))
        found = sorted((row.status, row.recovered) for row in rows)
    assert found == [("answered", False), ("answered", False), ("answered", True), ("missed", True), ("missed", True)]


async def test_what_the_store_has_beyond_the_pbx_is_told_and_stays(office: Office) -> None:
    """A talk that CEL of the whole call does not know: nothing that CEL tells can take it away."""
    events = heard("answered")
    (end,) = [event for event in events if isinstance(event, Settled)]
    await office.recorder.write(events)
    write_cel(office.path, ("answered",))
    rows = office.path.read_text(encoding="utf-8").splitlines(keepends=True)
    office.path.write_text("".join(row for row in rows if "BRIDGE_" not in row), encoding="utf-8")
    since, until = period(*events)
    (one,) = (await office.compared(since, until)).differences
    assert end.at
    assert one.fields["status"] == ("answered", "missed")
    await repair("pbx", office.source, office.recorder, since, until)
    assert len((await office.compared(since, until)).differences) == 1


async def test_a_call_belongs_to_the_period_in_which_it_began(office: Office) -> None:
    """CEL is read further on both sides, so a call at the edge is told whole, and in one period only."""
    events = heard("answered")
    await office.recorder.write(events)
    write_cel(office.path, ("answered",))
    since, until = period(*events)
    middle = since + SECOND + SECOND / 2
    first, second = await office.compared(since, middle), await office.compared(middle, until)
    assert (first.call_count, second.call_count) == (1, 0)
    assert first.differences + second.differences == ()


@pytest.mark.parametrize("tape", ["answered", "blind_refer_outside", "queue_ringall"])
async def test_an_erased_person_is_no_difference_and_cel_does_not_bring_them_back(office: Office, tape: str) -> None:
    """CEL itself still tells of them; no comparison, no catching up and no repair takes that in."""
    events = heard(tape)
    write_cel(office.path, [tape])
    await office.recorder.write(events)
    whom = Person(frozenset({"9161234567"}), frozenset({"Клиент"}), "erased012345678901")
    async with office.engine.begin() as connection:
        (call_id,) = await calls_that_tell(connection, pattern("9161234567"))
        await take(connection, call_id)
        await erase_call(connection, call_id, lambda _told: whom, Regions("RU"))
    since, until = period(*events)
    assert (await office.compared(since, until)).differences == ()
    assert await record_differing("pbx", office.source, office.recorder, since, until, mark=True) == 0
    await repair("pbx", office.source, office.recorder, since, until)
    assert await traces_in_tables(office.engine, "9161234567", ["Клиент"]) == {}
