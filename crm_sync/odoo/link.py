"""Speaks with an Odoo server: JSON-2 from version 19 on, /jsonrpc before, and errors typed at this edge.

Facts (crm-apis.md, 3; seen on Odoo 19.0):
1. One request is one transaction there: what was refused wrote nothing, and what has no answer may have.
2. A 500 may be for ever (`builtins.ValueError`) and a 200 a refusal (`load` with `ids: false`): names decide.
3. An error carries `debug`, a traceback with whatever we sent: it is never kept and never logged.
4. /jsonrpc answers 200 always, wants a login beside the key, and goes away in version 22.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from crm_sync.errors import (
    AuthDeadError,
    BannedError,
    CrmError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnknownOutcomeError,
)
from crm_sync.http import Answer, Http
from crm_sync.odoo.words import name_of, not_loaded, of_name, texts_of
from crm_sync.pacing import Pace

JSON2: Final = 19
"""The first version that serves /json/2."""

_TOGETHER: Final = 4
"""So many requests at once of a process: a small Odoo has as many workers, and people work with them."""
_GATEWAY: Final = frozenset({502, 504})


class OdooLink:
    """The way to one database. `login` is needed by servers before version 19 alone."""

    def __init__(
        self,
        http: Http,
        address: str,
        key: str,
        now: Callable[[], datetime],
        pace: Pace,
        *,
        database: str = "",
        login: str = "",
    ) -> None:
        self._http = http
        self._address = address.rstrip("/")
        self._key = key
        self._now = now
        self._database = database
        self._login = login
        self._pace = pace
        self._version: int | None = None
        self._user: int | None = None

    async def version(self) -> int:
        """The server's version, asked once. Raises CrmError."""
        if self._version is None:
            answer = await self._send("GET", "/web/version")
            if answer.status == 404:
                # Not every version before 19 serves that address; all tell it by /jsonrpc.
                told = await self._rpc("common", "version")
            elif answer.is_success:
                told = _read(answer)
            else:
                raise _refused(answer, self._now(), ())
            info = (told.get("version_info") or told.get("server_version_info")) if isinstance(told, dict) else None
            if not info:
                raise TransientError("no Odoo there", {"status": answer.status}, is_away=True)
            # Odoo Online names versions between two releases "saas~18".
            self._version = int(str(info[0]).rpartition("~")[2])
        return self._version

    async def call(
        self,
        model: str,
        method: str,
        named: Mapping[str, Any] | None = None,
        ids: Sequence[int] | None = None,
        seconds: float | None = None,
    ) -> Any:
        """Call a method of a model, on the records `ids` where it is one of records'. Raises CrmError.

        `seconds`: how long it may take, where that is longer than usual.
        """
        speak = self._json2 if await self.version() >= JSON2 else self._execute
        return await speak(model, method, ids, named or {}, seconds)

    async def search(
        self, model: str, domain: Sequence[Any], fields: Sequence[str], limit: int = 0, order: str = "id"
    ) -> list[dict[str, Any]]:
        """Records by a condition; `limit` 0: all. Archived ones are not among them. Raises CrmError."""
        asked = {"domain": list(domain), "fields": list(fields), "order": order} | ({"limit": limit} if limit else {})
        rows: list[dict[str, Any]] = await self.call(model, "search_read", asked)
        return rows

    async def read(self, model: str, record: int, fields: Sequence[str]) -> dict[str, Any] | None:
        """One record, also an archived one; None: there is none. Raises CrmError."""
        rows = await self.call(model, "read", {"fields": list(fields)}, [record])
        return rows[0] if rows else None

    async def write(self, model: str, record: int, vals: Mapping[str, Any]) -> None:
        """Write fields of one record. Raises CrmError."""
        await self.call(model, "write", {"vals": dict(vals)}, [record])

    async def load(self, model: str, name: str, values: Mapping[str, Any], seconds: float | None = None) -> int:
        """Write the record of an external id, new or again, and give its id.

        Raises:
            TransientError: another request writes it at this moment.
            PermanentError: Odoo does not take these values.

        """
        fields, row = ["id", *values], [name, *values.values()]
        told = await self.call(model, "load", {"fields": fields, "data": [row]}, seconds=seconds)
        ids = told.get("ids") if isinstance(told, dict) else None
        if ids:
            return int(ids[0])
        raise not_loaded((told or {}).get("messages") or (), texts_of(row))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _json2(
        self, model: str, method: str, ids: Sequence[int] | None, named: Mapping[str, Any], seconds: float | None
    ) -> Any:
        headers = {"Authorization": f"bearer {self._key}"}
        if self._database:
            headers["X-Odoo-Database"] = self._database
        body = dict(named) if ids is None else {**named, "ids": list(ids)}
        answer = await self._send("POST", f"/json/2/{model}/{method}", headers, body, seconds)
        if not answer.is_success:
            raise _refused(answer, self._now(), texts_of(dict(named)))
        return _read(answer)

    async def _execute(
        self, model: str, method: str, ids: Sequence[int] | None, named: Mapping[str, Any], seconds: float | None
    ) -> Any:
        if self._user is None:
            user = await self._rpc("common", "authenticate", self._database, self._login, self._key, {})
            if not user:
                raise AuthDeadError("nobody is let in with this login and key", {"status": 200})
            self._user = int(user)
        with_ids = [] if ids is None else [list(ids)]
        who = (self._database, self._user, self._key)
        return await self._rpc("object", "execute_kw", *who, model, method, with_ids, dict(named), seconds=seconds)

    async def _rpc(self, service: str, method: str, *arguments: Any, seconds: float | None = None) -> Any:
        told = {"service": service, "method": method, "args": arguments}
        body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": told}
        answer = await self._send("POST", "/jsonrpc", None, body, seconds)
        if not answer.is_success:
            raise _refused(answer, self._now(), ())
        read = _read(answer)
        if not isinstance(read, dict):
            raise UnknownOutcomeError("an answer that is none of Odoo's", {"status": answer.status})
        if "error" not in read:
            return read.get("result")
        data = read["error"].get("data") or {}
        name, message = name_of(data), str(data.get("message", ""))
        # The last arguments are what was asked for; those before them name the database and the key.
        error = of_name(name, message, [self._key, *texts_of(list(arguments[3:]))], 200)
        raise error or TransientError(f"the server could not do it: {name}", {"status": 200, "name": name})

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        seconds: float | None = None,
    ) -> Answer:
        async with self._pace.at_once(_TOGETHER):
            return await self._http.send(method, self._address + path, headers=headers, json=body, seconds=seconds)


def _read(answer: Answer) -> Any:
    if not answer.is_whole:
        raise UnknownOutcomeError("a longer answer than is read", {"status": answer.status})
    return answer.json()


def _refused(answer: Answer, now: datetime, sent: Sequence[str]) -> CrmError:
    """What a status means, and of a JSON error its name; anything else comes from what stands before Odoo."""
    status, told = answer.status, answer.json()
    reason = f"status {status}"
    kept: dict[str, Any] = {"status": status}
    retry_after = answer.retry_after(now.timestamp())
    if status == 401:
        return AuthDeadError("nobody is let in with this key", kept)
    if status == 429:
        return RateLimitedError(reason, kept, retry_after=retry_after)
    if status == 503:
        return TransientError(reason, kept, retry_after=retry_after, is_away=True)
    if status in _GATEWAY:
        return UnknownOutcomeError(reason, kept)
    if 300 <= status < 400:
        return TransientError(f"{reason}: redirects are not followed", kept, is_away=True)
    if isinstance(told, dict) and "name" in told:
        name = name_of(told)
        error = of_name(name, str(told.get("message", "")), sent, status)
        if error is not None:
            return error
        kept["name"] = name
        return PermanentError(reason, kept) if status < 500 else TransientError(reason, kept)
    if status == 403:
        return BannedError("shut out before Odoo", kept)
    if status == 404:
        return TransientError("no such database, or no Odoo there", kept, is_away=True)
    return PermanentError(reason, kept) if status < 500 else UnknownOutcomeError(reason, kept)
