"""Which errors are the user's to mend, and the one line that says how."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

from calls.follow_ups import FollowUpRefused
from directory.file import DirectoryError
from directory.presence_store import PresenceRefused
from service.installed import NotInstalledError
from service.postgres import PostgresError
from service.settings import SettingsError
from telephony.pbx import LinkError
from telephony.tape import TapeError
from web.users import UserError


class UserFault(Exception):
    """Something the user asked for cannot be; the text is for the user."""


USER_FAULTS: tuple[type[Exception], ...] = (
    UserFault,
    FollowUpRefused,
    SettingsError,
    DirectoryError,
    PresenceRefused,
    TapeError,
    UserError,
    LinkError,
    NotInstalledError,
    PostgresError,
    DBAPIError,
    OSError,
)


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The errors in a group of errors, whatever its depth."""
    for error in group.exceptions:
        yield from leaves(error) if isinstance(error, BaseExceptionGroup) else (error,)


def sentence(error: BaseException) -> str:
    """What to tell the user, in one line for most errors; never a secret, never SQL."""
    if isinstance(error, DBAPIError):
        return f"database: {type(error.orig).__name__}: {str(error.orig).splitlines()[0]}"
    if isinstance(error, OSError):
        return f"{error.filename or 'system'}: {error.strerror or error}"
    return str(error)
