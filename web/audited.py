"""What every handler that changes something writes into the audit, stated at the handler; a test walks the routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from recordings.privacy_tables import ACTIONS

Handler = Callable[..., Any]
F = TypeVar("F", bound=Handler)


@dataclass(frozen=True, slots=True)
class Stated:
    """The actions of the audit of which a change writes one or more; without any, `why` none is written."""

    actions: tuple[str, ...] = ()
    why: str = ""


_STATED: Final[dict[Handler, Stated]] = {}


def audited(*actions: str) -> Callable[[F], F]:
    """State that whatever the handler changes is written down as one of `actions`, in the change's own transaction.

    The handler calls `recordings.audit.note` with `web.keeping.actor_of(request)`.
    """
    unknown = [action for action in actions if action not in ACTIONS]
    if unknown or not actions:
        raise ValueError(f"not an action of the audit: {', '.join(unknown) or 'none'}")
    return _stating(Stated(actions))


def unaudited(why: str) -> Callable[[F], F]:
    """State that the handler changes nothing that anybody would ask about, and why."""
    return _stating(Stated(why=why))


def stated(handler: Handler) -> Stated | None:
    """What a handler states, None when it was forgotten. `handler` is a function, or `serve` of an API's command."""
    command = getattr(handler, "__self__", None)
    return _STATED.get(handler if command is None else command.handler)


def _stating(told: Stated) -> Callable[[F], F]:
    def state(handler: F) -> F:
        _STATED[handler] = told
        return handler

    return state
