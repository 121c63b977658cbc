"""Whether each device is free, talking, ringing or gone: asked in full at connect, then followed event by event.

Facts, seen on Asterisk 22.10: the state looks at all contacts of an address, so a phone that unregisters or stops
answering qualify becomes UNAVAILABLE by itself, except while it has a channel: then only ContactStatus tells. A phone's
own do-not-disturb is not told. The PBX's is, by a device state `Custom:DND<extension>` or `Custom:DEVDND<device>` (BUSY
or INUSE while it is on, as FreePBX has it) or by a presence `CustomPresence:<extension>` of status dnd. Such a switch
is kept under its own name; whose it is stands in the directory.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from telephony import reachability
from telephony.heartbeat import pbx_time
from telephony.link import Link
from telephony.pbx import ActionRefused, Message
from telephony.tables import device_states

CHANNEL: Final = "switchhook_devices"
"""The NOTIFY channel; its payload is `<pbx> <device>`."""

_NEVER: Final = datetime.fromtimestamp(0, UTC)
_STATES: Final = {
    "NOT_INUSE": "not_inuse",
    "INUSE": "inuse",
    "RINGING": "ringing",
    "RINGINUSE": "inuse",
    "BUSY": "busy",
    "ONHOLD": "onhold",
    "UNAVAILABLE": "unavailable",
    "INVALID": "unavailable",
    "UNKNOWN": "unknown",
}
_SWITCHES: Final = ("Custom:DND", "Custom:DEVDND")
_PRESENCE: Final = "CustomPresence:"
_WITH_CHANNEL: Final = frozenset({"inuse", "ringing", "busy", "onhold"})
# A contact that nobody qualifies is believed; None: the contact is gone. Names of ContactStatus and PJSIPShowContacts.
_CONTACTS: Final[Mapping[str, bool | None]] = {
    "reachable": True,
    "nonqualified": True,
    "created": True,
    "updated": True,
    "unknown": True,
    "unreachable": False,
    "removed": None,
}


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """One thing the PBX said: a new state of the device, or whether one of its contacts can be reached."""

    device: str
    at: datetime
    state: str | None = None
    contact: str = ""  # the URI of the contact, "" when the change is none of a contact
    contact_reachable: bool | None = None  # None: the contact is gone


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What is known of a device. One that no PBX ever spoke of is worth trying: unknown, and taken as reachable."""

    device: str
    state: str = "unknown"
    reachable: bool = True
    changed_at: datetime = _NEVER


def device_change(message: Message) -> DeviceChange | None:
    """What an event (live, or of a list asked for) says about a device; None when it says nothing about one.

    The one without a time comes of a list; who asked dates it. `live_change` is for events.
    """
    at = datetime.fromtimestamp(pbx_time(message) or 0.0, UTC)
    match message.get("Event"):
        case "DeviceStateChange":
            device = str(message.get("Device", ""))
            state = _STATES.get(str(message.get("State", "")).upper())
            if device.startswith(_SWITCHES):
                state = "dnd" if state in _WITH_CHANNEL else "not_inuse"
            return DeviceChange(device, at, state=state) if state and _is_device(device) else None
        case "PresenceStateChange":
            presentity, status = str(message.get("Presentity", "")), str(message.get("Status", ""))
            state = "dnd" if status == "dnd" else "not_inuse"
            return DeviceChange(presentity, at, state=state) if presentity.startswith(_PRESENCE) else None
        case "ContactStatus":
            aor, status = str(message.get("AOR", "")), str(message.get("ContactStatus", ""))
            return _contact(aor, str(message.get("URI", "")), status, at)
        case "ContactList":
            # ObjectName is aor@@hash for a registered contact, and Status is spelt shorter than in ContactStatus.
            aor = str(message.get("Aor") or str(message.get("ObjectName", "")).partition("@@")[0])
            return _contact(aor, str(message.get("Uri", "")), str(message.get("Status", "")), at)
        case _:
            return None


def live_change(message: Message) -> DeviceChange | None:
    """`device_change` of an event nobody asked for: one that tells no time is not the PBX's, and says nothing."""
    return None if pbx_time(message) is None else device_change(message)


def _is_device(name: str) -> bool:
    if name.startswith(_SWITCHES):
        return True
    technology, slash, rest = name.partition("/")
    return bool(slash and rest and technology.isalnum() and technology != "Local")


def _contact(aor: str, uri: str, status: str, at: datetime) -> DeviceChange | None:
    known = status.lower()
    if not aor or not uri or known not in _CONTACTS:
        return None
    return DeviceChange(f"PJSIP/{aor}", at, contact=uri, contact_reachable=_CONTACTS[known])


@dataclass(slots=True)
class Devices:
    """The devices of one PBX as its messages tell them; a memory that the next connect asks for again."""

    pbx: str
    known: dict[str, DeviceState] = field(default_factory=dict)
    _contacts: dict[str, dict[str, bool]] = field(default_factory=dict)

    def note(self, change: DeviceChange) -> DeviceState | None:
        """Fold one change in; the device's new state, or None when nothing is different."""
        before = self.known.get(change.device)
        contacts = self._contacts.setdefault(change.device, {})
        if change.contact_reachable is not None:
            contacts[change.contact] = change.contact_reachable
        elif change.contact:
            contacts.pop(change.contact, None)
        state = change.state or (before.state if before else "unknown")
        silent = state in _WITH_CHANNEL and bool(contacts) and not any(contacts.values())
        reachable = state != "unavailable" and not silent
        if before is not None and (state, reachable) == (before.state, before.reachable):
            return None
        # What comes later is newer, whatever its time.
        at = max(before.changed_at, change.at) if before else change.at
        after = DeviceState(change.device, state, reachable, at)
        self.known[change.device] = after
        return after

    async def ask(self, link: Link) -> list[DeviceState]:
        """Every device's state now, as the PBX lists it; what it no longer has is forgotten.

        Raises:
            LinkError: the PBX could not be asked; the memory is as it was.

        """
        listed: set[str] = set()
        asked_at = datetime.fromtimestamp(link.clock.pbx_now(), UTC)
        for question in ("DeviceStateList", "PresenceStateList", "PJSIPShowContacts"):
            try:
                reply = await link.action({"Action": question})
            except ActionRefused:
                # Contacts need write=system, too much a right for what they add; having none is an Error too. A PBX
                # without res_manager_presencestate knows no presences.
                continue
            for message in reply.events:
                change = device_change(message)
                if change is not None:
                    listed.add(change.device)
                    self.note(dataclasses.replace(change, at=asked_at))
        for device in self.known.keys() - listed:
            del self.known[device]
            self._contacts.pop(device, None)
        return list(self.known.values())


async def replace(connection: AsyncConnection, pbx: str, states: Iterable[DeviceState]) -> None:
    """Write the PBX's whole list, as `Devices.ask` gives it; devices that are not in it are forgotten."""
    rows = {one.device: one for one in states}
    gone = delete(device_states).where(device_states.c.pbx == pbx, device_states.c.device.not_in(rows))
    await _tell(connection, pbx, await connection.scalars(gone.returning(device_states.c.device)))
    await store(connection, pbx, rows.values())


async def store(connection: AsyncConnection, pbx: str, states: Iterable[DeviceState]) -> None:
    """Write states and tell `switchhook_devices` about each row that is different; an older one never overwrites."""
    rows = {one.device: one for one in states}
    if not rows:
        return
    await reachability.note(connection, pbx, rows.values())
    # In one order always, so that two writers never wait for each other in a circle.
    new = insert(device_states).values([{"pbx": pbx, **dataclasses.asdict(rows[device])} for device in sorted(rows)])
    upsert = new.on_conflict_do_update(
        index_elements=[device_states.c.pbx, device_states.c.device],
        set_={name: new.excluded[name] for name in ("state", "reachable", "changed_at")},
        where=and_(
            device_states.c.changed_at <= new.excluded.changed_at,
            or_(device_states.c.state != new.excluded.state, device_states.c.reachable != new.excluded.reachable),
        ),
    )
    await _tell(connection, pbx, await connection.scalars(upsert.returning(device_states.c.device)))


async def _tell(connection: AsyncConnection, pbx: str, devices: Iterable[str]) -> None:
    for device in devices:
        await connection.execute(select(func.pg_notify(CHANNEL, f"{pbx} {device}")))


async def pbx_of(connection: AsyncConnection, devices: Iterable[str]) -> str | None:
    """The PBX that knows one of these devices, one at which it can be reached first; None when none does."""
    asked = select(device_states.c.pbx).where(device_states.c.device.in_(list(devices)))
    found: str | None = (await connection.execute(asked.order_by(device_states.c.reachable.desc()).limit(1))).scalar()
    return found


async def read(connection: AsyncConnection, pbx: str) -> dict[str, DeviceState]:
    """The stored states of one PBX by device; one without a row is `DeviceState(device)`."""
    columns = (device_states.c.device, device_states.c.state, device_states.c.reachable, device_states.c.changed_at)
    rows = await connection.execute(select(*columns).where(device_states.c.pbx == pbx))
    return {row.device: DeviceState(*row) for row in rows}
