"""Speaks REST with a Bitrix24 portal: access, limits and errors, so that the adapter says only what is wanted.

Facts are of the vendor's pages (general-principles, oauth, limits, error-codes). Rules kept here:
1. The access is renewed only when the portal says `expired_token`, once, and the request is repeated once: renewing
   oftener gets an app blocked. An incoming webhook has its access in its address, and nothing to renew.
2. A renamed portal answers 302, and whoever follows it as a browser loses the body. The request is posted again to the
   new host, which is kept once it has answered; that is one of the same domain, as the cloud gives them, or the same
   host. A file goes to the portal itself alone: where else it might be sent is not the portal's to say.
3. Limits are kept to before they bite: requests of all processes (`bucket`), and seconds of a method in ten minutes
   (`operating`), of which every answer tells how many are used.
4. What was answered by a proxy or not wholly (502, 504, 500, no JSON) may have been done: nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct
from yarl import URL

from crm_sync.bitrix24.access import DEAD, ask_token
from crm_sync.errors import (
    AuthDeadError,
    AuthExpiredError,
    BannedError,
    CrmError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnknownOutcomeError,
)
from crm_sync.grants import Grant
from crm_sync.http import Answer
from crm_sync.pacing import Bucket
from crm_sync.spans import moment_within, span
from crm_sync.workplace import Workplace

UPLOAD_SECONDS: Final = 60.0
"""The cloud ends a request after so long."""
_PAGE: Final = 50
_PAGES_MOST: Final = 400
"""At the usual limit they take three minutes."""
_PARKED_SECONDS: Final = 60.0
_OPERATING_SECONDS: Final = 600.0
"""What a method took is forgotten there after so long."""

_FIELD: Final = re.compile(r"[A-Za-z0-9_]{1,64}")


class Settings(Struct, frozen=True, kw_only=True):
    """A connection to Bitrix24. `portal` is its host; `client` the id of the local application.

    `user` is the id there of who stands for nobody: who calls are registered by, and whose a missed one is. `region`:
    the country (ISO 3166) whose national numbers people write there.
    `creates_leads`: the portal makes a lead of a caller whom it does not know; without it leads come as the house
    decides. `chat`: calls are told in the portal's chat. `source` is the status id of where leads come from, `stages`
    are pairs of our stage and the portal's, instead of the usual ones. `burst` and `per_second` are its limit of
    requests (an Enterprise plan has 250 and 5), `operating_seconds` what one method may take in ten minutes.
    """

    portal: str = ""
    client: str = ""
    user: int
    creates_leads: bool = True
    chat: bool = False
    source: str = "CALL"
    language: Literal["ru", "en"] = "ru"
    region: str = "RU"
    stages: dict[str, str] = {}
    burst: float = 40.0
    per_second: float = 2.0
    operating_seconds: float = 480.0
    token_server: str = "https://oauth.bitrix.info/oauth/token/"  # noqa: S105 an address


class MethodError(PermanentError):
    """A method refused what it was told. `told` is its own text, `code` its `error`."""

    def __init__(self, method: str, code: str, told: str, answer: dict[str, Any]) -> None:
        super().__init__(f"{method}: {code or 'refused'}", answer)
        self.code = code
        self.told = told


class _Expired(Exception):
    """The hour of the access is over."""


class Rest:
    """The methods of one portal."""

    def __init__(self, work: Workplace) -> None:
        self._work = work
        self._settings: Settings = work.settings
        self._requests = Bucket("requests", most=self._settings.burst, per_second=self._settings.per_second)
        self._hook = str(work.secrets.get("webhook") or "")
        self._moved = ""
        self._resets: dict[str, datetime] = {}

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        low: bool = False,
        seconds: float | None = None,
    ) -> Any:
        """The `result` of a method. Raises `crm_sync.errors`, MethodError for what it does not take.

        `low`: it yields to everything else. `seconds`: so long it is waited for; None: as usual.
        """
        return (await self._told(method, params or {}, low, seconds))["result"]

    async def call_with(self, grant: Grant, method: str, params: Mapping[str, Any]) -> Any:
        """The same with a grant that is not kept yet."""
        try:
            return (await self._send_with(grant, method, params))["result"]
        except _Expired:
            raise AuthExpiredError("the new access is over already") from None

    async def rows(self, method: str, params: Mapping[str, Any]) -> list[Any]:
        """All rows of a list, page by page. Raises PermanentError for more than may be walked through."""
        found: list[Any] = []
        start = 0
        for _ in range(_PAGES_MOST):
            told = await self._told(method, {**params, "start": start})
            result = told["result"]
            page = result["items"] if isinstance(result, dict) else result
            if len(page) > _PAGE:
                raise PermanentError(f"{method}: more rows than a page has")
            found += page
            if not told.get("next"):
                return found
            start = int(told["next"])
        raise PermanentError(f"{method}: more rows than may be walked through")

    async def upload(self, url: str, field: str, filename: str, sound: bytes) -> None:
        """Post a file to the address that a method gave for it. Raises PermanentError for another's."""
        base = self._moved or self._hook or (await self._work.grants.current()).told["client_endpoint"]
        if not _is_of(url, URL(base)) or not _FIELD.fullmatch(field):
            raise PermanentError("upload: not to the portal")
        mark = f"switchhook{self._work.now().timestamp():.0f}"
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{field}"; filename="{filename}"\r\n'
        body = f"{head}Content-Type: audio/mpeg\r\n\r\n".encode() + sound + f"\r\n--{mark}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        await self._pace("upload", low=False)
        answer = await self._work.http.send("POST", url, headers=kind, body=body, seconds=UPLOAD_SECONDS)
        self._read("upload", answer)

    async def _told(
        self, method: str, params: Mapping[str, Any], low: bool = False, seconds: float | None = None
    ) -> dict[str, Any]:
        if self._hook:
            return await self._send(self._moved or self._hook, method, params, self._keep_moved, low, seconds)
        grant = await self._work.grants.current()
        try:
            return await self._send_with(grant, method, params, low, seconds)
        except _Expired:
            grant = await self._work.grants.renew(grant, self._renewed)
        try:
            return await self._send_with(grant, method, params, low, seconds)
        except _Expired:
            raise AuthExpiredError("the new access is over already") from None

    async def _renewed(self, grant: Grant) -> Grant:
        return await ask_token(self._work, {"grant_type": "refresh_token", "refresh_token": grant.refresh})

    async def _send_with(
        self, grant: Grant, method: str, params: Mapping[str, Any], low: bool = False, seconds: float | None = None
    ) -> dict[str, Any]:
        async def keep(base: str) -> None:
            """Another host, under the lock that renewing holds: nobody writes an older grant over a newer one."""

            async def there(known: Grant) -> Grant:
                return replace(known, told={**known.told, "client_endpoint": base})

            await self._work.grants.renew(grant, there)

        told = {**params, "auth": grant.access}
        return await self._send(grant.told["client_endpoint"], method, told, keep, low, seconds)

    async def _send(
        self,
        base: str,
        method: str,
        params: Mapping[str, Any],
        keep: Callable[[str], Awaitable[None]],
        low: bool,
        seconds: float | None,
    ) -> dict[str, Any]:
        await self._pace(method, low=low)
        to = URL(base.rstrip("/") + "/" + method, encoded=True)
        answer = await self._work.http.send("POST", to, json=params, seconds=seconds)
        moved = moved_to(to, answer)
        if moved is not None:
            answer = await self._work.http.send("POST", moved, json=params, seconds=seconds)
            if answer.json() is not None:
                await keep(str(moved).removesuffix(method))
        # An error tells, as every answer, what the method took: of one that failed it is charged too.
        said = answer.json()
        await self._keep_operating(method, said.get("time") if isinstance(said, dict) else None)
        try:
            return self._read(method, answer)
        except RateLimitedError as error:
            if error.scope == "connection":
                await self._work.pace.fill(self._requests)
            raise

    async def _pace(self, method: str, *, low: bool) -> None:
        await self._work.pace.check(_operating(method), low=low)
        await self._work.pace.take(self._requests, low=low)

    async def _keep_moved(self, base: str) -> None:
        self._moved = base

    async def _keep_operating(self, method: str, told: Any) -> None:
        """Every answer tells what the method took; where nothing is limited it tells none."""
        resets_at = told.get("operating_reset_at") if isinstance(told, dict) else None
        until = moment_within(resets_at, self._work.now(), _OPERATING_SECONDS) if resets_at else None
        if until is None:
            return
        self._resets[method] = until
        limit = self._settings.operating_seconds
        await self._work.pace.used(_operating(method), span(told.get("operating")) or 0.0, limit, until)

    def _read(self, method: str, answer: Answer) -> dict[str, Any]:
        told = answer.json()
        if answer.is_success and isinstance(told, dict) and "result" in told:
            return told
        raise self._refused(method, answer, told if isinstance(told, dict) else {})

    def _refused(self, method: str, answer: Answer, told: Mapping[str, Any]) -> Exception:
        code = str(told.get("error", ""))
        kept = {"status": answer.status, "error": code} if told else answer.kept()
        reason = f"{method}: status {answer.status} {code}".rstrip()
        match answer.status, code.lower():
            case 401, "expired_token":
                return _Expired()
            case _, "operation_time_limit":
                left = self._resets.get(method, self._work.now()) - self._work.now()
                seconds = max(left.total_seconds(), _PARKED_SECONDS)
                return RateLimitedError(reason, kept, retry_after=seconds, scope="method")
            case _, "query_limit_exceeded":
                return RateLimitedError(reason, kept, retry_after=answer.retry_after(self._work.now().timestamp()))
            case _, "overload_limit":
                return BannedError(reason, kept)
            case (401 | 402 | 403 | 500, known) if known in DEAD:
                return AuthDeadError(reason, kept)
        return _by_status(method, answer, code, str(told.get("error_description", "")), kept, reason)


def _by_status(method: str, answer: Answer, code: str, text: str, kept: dict[str, Any], reason: str) -> CrmError:
    status = answer.status
    if status in {401, 402, 403} and not isinstance(answer.json(), dict):
        # The portal says so in JSON: what else stands before it lets us in again, or a person mends it.
        return TransientError(f"{reason}: shut out before the portal", kept)
    if status == 429:
        return RateLimitedError(reason, kept, retry_after=answer.retry_after(0.0))
    if 300 <= status < 400:
        return TransientError(f"{reason}: leads elsewhere", kept)
    if 400 <= status < 500:
        return MethodError(method, code, text, kept)
    if status == 503:
        return TransientError(reason, kept, is_away=True)
    return UnknownOutcomeError(reason, kept)


def _operating(method: str) -> str:
    return f"operating {method}"


def moved_to(asked: URL, answer: Answer) -> URL | None:
    """Where a renamed portal is now: the same method on another host, never less safe than before."""
    if answer.status not in {301, 302, 307, 308}:
        return None
    try:
        there = asked.join(URL(answer.headers.get("location", ""), encoded=True))
    except ValueError:
        return None
    same = there.scheme == asked.scheme and there.path == asked.path and is_akin(asked.host or "", there.host or "")
    return there.with_query(None) if same and there.origin() != asked.origin() else None


def is_akin(before: str, now: str) -> bool:
    """Whether a renamed portal may be there: on the same host, or another name in the same domain (not a top one)."""
    domain = before.partition(".")[2]
    is_domain = "." in domain and not domain.rpartition(".")[2].isdigit()
    return now == before or (is_domain and now.partition(".")[2] == domain)


def _is_of(url: str, base: URL) -> bool:
    """Whether an address is of the portal itself, and not less safe."""
    try:
        there = URL(url)
        is_safer = there.scheme == "https" and there.is_default_port() and there.host == base.host
        return is_safer or there.origin() == base.origin()
    except ValueError:
        return False
