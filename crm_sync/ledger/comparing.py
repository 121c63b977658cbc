"""Compares the calls of a period as the store and the ledger have them with those that a CRM holds (pure).

Rules kept here:
1. A call is known there by the key of the effect that told it, or by its own id; by what the ledger calls it there only
   where the CRM kept neither.
2. What was told or planned a moment ago is on its way, and no difference. Nor is what was not told for a reason, and
   what is called nothing there nobody can miss.
3. Who it was and how long they talked differ only where both sides say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from crm_sync.crm import HeldCall

Kind = Literal["not_told", "missing", "not_noted", "twice", "unknown", "differs"]

KINDS: Final[tuple[Kind, ...]] = ("not_told", "missing", "not_noted", "twice", "unknown", "differs")
"""Owed and not told; told and not there; given up and there; there more than once; there, and nobody knows of it; there
otherwise than here.
"""

MENDED: Final[frozenset[Kind]] = frozenset({"not_told", "missing", "not_noted"})
"""What telling again mends, which makes no second record; the others are for a person: nothing is removed in a CRM."""

NEVER_PLANNED: Final = "never_planned"

_NEAR_SECONDS: Final = 1.0
"""CRMs keep whole seconds, and of a talk at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedCall:
    """A call that a connection is owed the end of, as store and ledger have it.

    `ids` are the call's and those of calls that became part of it, `keys` of the effects that told any of them; `user`
    is what the CRM calls `person`. `effect` and `state` are of the effect that counts, None when none was ever planned.
    `is_recent`: it was told or planned a moment ago. `not_told`: why it was not to be.
    """

    call: UUID
    ids: frozenset[UUID]
    began_at: datetime
    seconds: float
    person: str | None
    user: str | None = None
    keys: frozenset[UUID] = frozenset()
    effect: UUID | None = None
    state: str | None = None
    remote_id: str | None = None
    error: str | None = None
    not_told: str | None = None
    is_recent: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One call that store and CRM tell differently. `call` is None when only the CRM knows it.

    `effect` is of the ledger. `why` is of `not_told`: its state and its last error. `fields`: name -> (the store's, the
    CRM's).
    """

    kind: Kind
    call: UUID | None
    effect: UUID | None
    at: datetime | None
    remote_ids: tuple[str, ...] = ()
    why: str | None = None
    fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The difference as JSON."""
        return {
            "kind": self.kind,
            "call": self.call and str(self.call),
            "effect": self.effect and str(self.effect),
            "at": self.at and self.at.isoformat(),
            "remote_ids": list(self.remote_ids),
            "why": self.why,
            "fields": {name: {"store": one, "crm": other} for name, (one, other) in self.fields.items()},
        }

    def __str__(self) -> str:
        when = f"{self.at:%Y-%m-%d %H:%M:%S}" if self.at else "-"
        told = ", ".join(f"{name}: {one} in the store, {other} there" for name, (one, other) in self.fields.items())
        call = f"call {self.call}" if self.call else ""
        return "  ".join(filter(None, (when, self.kind, call, " ".join(self.remote_ids), self.why or "", told)))


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found. `waiting`: how many calls are on their way; `strays`: what is there and not owed now."""

    waiting: int
    differences: tuple[Difference, ...]
    strays: tuple[HeldCall, ...] = ()


def compare(calls: Sequence[OwedCall], held: Sequence[HeldCall] | None) -> Compared:
    """Compare them; `held` None: the CRM cannot be read back, and store and ledger alone are compared.

    Of `strays` somebody has to look whether they are of another period.
    """
    there, strays = _found(calls, held or ())
    differences, waiting = [], 0
    for call in calls:
        here = there.get(call.call, {})
        found = _difference(call, list(here.values()), can_be_read=held is not None)
        if found is not None:
            differences.append(found)
        waiting += call.is_recent and call.state != "done"
    return Compared(waiting, tuple(differences), strays)


def unknown(stray: HeldCall) -> Difference:
    """What is there, and neither store nor ledger know of it."""
    return Difference("unknown", stray.call, stray.key, stray.at, (stray.remote_id,))


def _found(
    calls: Sequence[OwedCall], held: Sequence[HeldCall]
) -> tuple[dict[UUID, dict[str, HeldCall]], tuple[HeldCall, ...]]:
    """Which calls are there, by what each is called there; and those of no call that is looked for."""
    by_key = {key: call.call for call in calls for key in call.keys}
    by_id = {one: call.call for call in calls for one in call.ids}
    by_remote = {call.remote_id: call.call for call in calls if call.remote_id is not None}
    there: dict[UUID, dict[str, HeldCall]] = {}
    strays = []
    for one in held:
        ours = by_key.get(one.key) if one.key else by_id.get(one.call) if one.call else by_remote.get(one.remote_id)
        if ours is not None:
            there.setdefault(ours, {})[one.remote_id] = one
        elif one.key is not None or one.call is not None:
            strays.append(one)
    return there, tuple(strays)


def _difference(call: OwedCall, there: Sequence[HeldCall], *, can_be_read: bool) -> Difference | None:
    def told(kind: Kind, why: str | None = None, fields: Mapping[str, tuple[str, str]] | None = None) -> Difference:
        remote_ids = tuple(sorted(one.remote_id for one in there)) or ((call.remote_id,) if call.remote_id else ())
        return Difference(kind, call.call, call.effect, call.began_at, remote_ids, why, fields or {})

    if len(there) > 1:
        return told("twice")
    if call.is_recent or call.not_told is not None or call.state == "shadow":
        return None
    if call.state != "done":
        why = NEVER_PLANNED if call.state is None else " ".join(filter(None, (call.state, call.error)))
        return told("not_noted" if there and call.state == "dead" else "not_told", why)
    if not can_be_read or not (there or call.remote_id):
        return None
    if not there:
        return told("missing")
    fields = _differing(call, there[0])
    return told("differs", fields=fields) if fields else None


def _differing(call: OwedCall, there: HeldCall) -> dict[str, tuple[str, str]]:
    fields = {}
    if there.seconds is not None and abs(there.seconds - call.seconds) > _NEAR_SECONDS:
        fields["talk_seconds"] = f"{call.seconds:g}", f"{there.seconds:g}"
    if call.user is not None and there.owner is not None and call.user != there.owner:
        fields["owner"] = f"{call.person} ({call.user})", there.owner
    return fields
