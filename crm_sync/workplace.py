"""What an adapter is given to work with, and what says how a CRM is connected."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, convert
from msgspec.structs import fields as fields_of_struct

from crm_sync.asking import Field, Guide, needs_consent, secrets_asked, settings_asked
from crm_sync.crm import Capability, Crm, Step
from crm_sync.grants import Grant, Grants
from crm_sync.http import Http
from crm_sync.pacing import Pace
from crm_sync.people import People

Sounds = Callable[[UUID], Awaitable[bytes | None]]
"""The sound of a call as everybody may hear it, as MP3; None: there is none, or not yet."""

Links = Callable[[UUID], Awaitable[str | None]]
"""An address at which the sound of a call opens as soon as it is there for everybody; None: we have no address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """All that an adapter may touch: `settings` is of its kind's type, `secrets` are by its kind's names.

    The adapter closes `http`. `now` is aware UTC.
    """

    key: str
    settings: Any
    secrets: Mapping[str, Any] = field(repr=False)
    http: Http
    grants: Grants
    pace: Pace
    people: People
    sound: Sounds
    link: Links
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """How a person lets us in by OAuth.

    `address` makes the page where they agree, with (workplace, address to return to, state). `exchange` makes a grant
    of what came back, with (workplace, the query of the return, address to return to); it raises `crm_sync.errors`.
    """

    address: Callable[[Workplace, str, str], str]
    exchange: Callable[[Workplace, Mapping[str, str], str], Awaitable[Grant]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of CRM. `title` is its name for people, `settings` what is no secret, checked as the struct says.

    `secrets` are names; nothing opens without those that are `required`. `steps` are what a new connection is told, or
    what a person chooses of `events`; `capabilities` those of what `open` gives. `consent`: None where keys are enough.
    `guide` is what a person is told and asked who connects it; of settings that are `unasked` nobody is. `door`: the
    secret without which nobody is heard at the connection's address, where it stands as `secret`. `address`: the secret
    that is its address, of which the settings tell the origin. `make_keys`: makes what we sign with, with what was
    before; the other side is given the first. `places`: the settings that say to whom secrets are shown; where one of
    them changes, what lets us in is told again.
    """

    name: str
    title: str
    settings: type[Struct]
    secrets: tuple[str, ...]
    steps: tuple[Step, ...]
    open: Callable[[Workplace], Crm]
    capabilities: frozenset[Capability]
    required: tuple[str, ...] = ()
    consent: Consent | None = None
    guide: Guide = field(default_factory=Guide)
    events: Mapping[str, Step] = field(default_factory=dict)
    unasked: tuple[str, ...] = ()
    door: str | None = None
    address: str | None = None
    make_keys: Callable[[Sequence[str]], Sequence[str]] | None = None
    places: tuple[str, ...] = ("account", "address", "portal")

    @property
    def fields(self) -> list[Field]:
        """What a person is asked for."""
        secrets = secrets_asked(self.secrets, self.guide, self.required)
        return [*settings_asked(self.settings, self.guide, self.unasked), *secrets]

    def place(self, settings: Mapping[str, Any]) -> tuple[Any, ...]:
        """To whom secrets are shown by these settings. Raises msgspec.ValidationError."""
        names = {one.name for one in fields_of_struct(self.settings)}
        told = convert({name: value for name, value in settings.items() if name in names}, self.settings)
        return tuple(getattr(told, name, None) for name in self.places)

    def needs_consent(self, settings: Mapping[str, Any], secrets: Iterable[str]) -> bool:
        """Whether a person has to agree on its page, with these settings and secrets (by name)."""
        if self.consent is None:
            return False
        return needs_consent(self.guide, [name for name, value in settings.items() if value] + list(secrets))
