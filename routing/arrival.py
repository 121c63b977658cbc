"""What is known at the moment a call comes in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from calls.events import Arrived
from directory.model import Directory
from directory.presence import Presence
from routing.learned import Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A caller waits on a line: ``channel`` is the uniqueid, ``name`` the channel's name, ``at`` the PBX's time."""

    pbx: str
    channel: str
    line: str
    caller_number: str
    caller_name: str
    at: datetime
    name: str = ""
    linkedid: str | None = None

    @classmethod
    def of(cls, event: Arrived) -> "Arrival | None":
        """Make an arrival from its event; None for one without a time, which only a tape can hold."""
        if event.at is None:
            return None
        return cls(
            pbx=event.pbx,
            channel=event.channel,
            line=event.line,
            caller_number=event.number,
            caller_name=event.caller_name,
            at=event.at,
            name=event.name or "",
            linkedid=event.linkedid,
        )


class DeviceFact(Protocol):
    """What the PBX says of a device.

    ``state`` is not_inuse, inuse, ringing, busy, onhold, unavailable, dnd or unknown; ``reachable`` tells whether a
    phone stands behind it, None when nobody knows.
    """

    @property
    def state(self) -> str:
        """What the device does."""
        ...

    @property
    def reachable(self) -> bool | None:
        """Whether a phone stands behind it."""
        ...


@dataclass(frozen=True, slots=True)
class DeviceState:
    """The plainest DeviceFact; as it stands, one that nobody has said anything about."""

    state: str = "unknown"
    reachable: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much a person does: talks since midnight by the company's clock, open leads, when the last talk ended.

    ``idle_since`` is None for who has not talked today. ``talking`` tells of a talk by the record, which may be on no
    device of ours; ``talking_on`` are the person's devices that such talks are on, "" for one that is none of theirs.
    """

    calls_today: int = 0
    leads_open: int = 0
    idle_since: datetime | None = None
    talking: bool = False
    talking_on: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decision rests on: the directory, the devices of the arrival's PBX, and who the caller belongs to.

    ``owner`` and ``last_talked`` are keys of people, ``presence`` is by such keys: who is not in it is there when their
    hours say so. ``answers`` tells by device what its person answers on it. ``known`` tells whether the caller is a
    party of ours, ``stage`` the stage of the party's lead; None: nobody knows. ``load`` is by person; ``turns`` are the
    people whom each team's round robin rang first, the latest last; ``waiting`` counts the callers who hold for each
    team. ``missing`` names the facts (owner, last_talked, party, devices) that could not be had in time.

    Where a CRM is asked for the owner, ``crm_fault`` says why it did not tell: late or failed, empty when it did;
    ``crm_seconds`` is how long it was waited for, and ``owner_age_seconds`` the age of the copy that stands in for its
    answer, None when there is none. ``crm`` is what people call that CRM; None: it has no name here.
    """

    directory: Directory
    devices: Mapping[str, DeviceFact] = field(default_factory=dict)
    presence: Mapping[str, Presence] = field(default_factory=dict)
    owner: str | None = None
    last_talked: str | None = None
    known: bool | None = None
    stage: str | None = None
    load: Mapping[str, Load] = field(default_factory=dict)
    turns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    answers: Mapping[str, Answers] = field(default_factory=dict)
    owner_age_seconds: float | None = None
    crm_fault: Literal["", "late", "failed"] = ""
    crm_seconds: float = 0.0
    crm: str | None = None
