"""Speaks with one account of amoCRM (Kommo): tokens, pace, pages, and what answers mean.

Rules kept here:
1. An access token is renewed by one process alone (`crm_sync.grants`): the old refresh token dies by it, and its second
   use loses the account. A long-lived token is renewed by nobody.
2. Seven requests a second are let in, and some more lead to a ban of all that we send: we send 4.5, by twos, and cards
   only when nothing waits.
3. A question that was not answered can be asked again; after a write that was not answered nobody knows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal
from urllib.parse import urlencode

from msgspec import Struct
from yarl import URL

from crm_sync.amocrm.cards import embedded
from crm_sync.amocrm.words import USERS, Language, without_users
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
from crm_sync.grants import Grant, NoGrantError
from crm_sync.http import Answer
from crm_sync.pacing import Bucket
from crm_sync.spans import span
from crm_sync.workplace import Consent, Workplace

REQUESTS: Final = Bucket("requests", most=2.0, per_second=4.5)
"""Within any second that makes at most 6.5 requests: seven are let in, and some arrive late."""

REFRESH_DAYS: Final = 90
PAGE: Final = 250
DAY: Final = 86_400.0
"""Seconds for which an access lasts."""

TOKEN_SECONDS: Final = 60.0
"""So long a new token is waited for: one that was given and not heard is lost, with the account."""

_PAGES_MOST: Final = 40
_EARLY: Final = timedelta(minutes=1)


class Settings(Struct, frozen=True, kw_only=True):
    """How an account is spoken to; users, pipelines and statuses are ids there.

    `account` is its address, https://NAME.amocrm.ru. `client_id` is the integration's, empty with a long-lived token.
    `unknown` is what a stranger's call in makes: a lead, or unsorted. `pipeline`, `status` and `responsible` are of new
    leads; else the account's first, and whoever talked. `stages`: the status of a stage or step of ours. `region`: of
    numbers that are written there without a country. `language`: of our words there, ru or en. `visible_seconds`: so
    long a search there may not find what was made.
    """

    account: str
    client_id: str = ""
    unknown: Literal["lead", "unsorted"] = "lead"
    pipeline: int | None = None
    status: int | None = None
    responsible: int | None = None
    stages: dict[str, int] = {}
    region: str = "RU"
    language: Language = "ru"
    visible_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Raise ValueError for an address that is none of an account."""
        url = URL(self.account)
        host = url.host or ""
        if not url.absolute or str(url.origin()) != self.account or host.startswith("www."):
            raise ValueError(f"account: must be https://NAME.amocrm.ru or https://NAME.kommo.com, got {self.account!r}")
        if url.scheme != "https" and host != "127.0.0.1":
            raise ValueError(f"account: must begin with https://, got {self.account!r}")


class NotThere(PermanentError):
    """What was asked for does not exist."""


class NotTaken(PermanentError):
    """A body was refused; `fields` are the paths in it that were at fault."""

    def __init__(self, reason: str, answer: Mapping[str, Any], fields: Sequence[str]) -> None:
        super().__init__(reason, answer)
        self.fields = tuple(fields)


class Account:
    """One account there."""

    def __init__(self, workplace: Workplace) -> None:
        self._place = workplace
        self._url: str = workplace.settings.account
        self._held: Grant | None = None

    async def get(self, path: str, **query: str) -> Any:
        """What is there; None: nothing is."""
        try:
            return await self.send("GET", path, query=list(query.items()))
        except NotThere:
            return None

    async def each(self, path: str, name: str, query: Sequence[tuple[str, str]] = ()) -> AsyncIterator[dict[str, Any]]:
        """The items of a list, page by page. Raises PermanentError when there are more than it is fair to walk."""
        for page in range(1, _PAGES_MOST + 1):
            answer = await self.send("GET", path, query=[*query, ("limit", str(PAGE)), ("page", str(page))])
            for one in embedded(answer, name):
                yield one
            if not answer or not answer.get("_links", {}).get("next"):
                return
        raise PermanentError("more is there than may be walked through: a person has to look")

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        json: Any = None,
        low: bool = False,
    ) -> Any:
        """One request with a token that holds, renewed once; gives what was said, None for nothing found (204)."""
        answer = await self._answered(method, path, query, json, low=low)
        is_write = method != "GET"
        if answer.status == 204:
            return None
        if answer.status == 404 and not is_write:
            raise NotThere("status 404", answer.kept())
        if not answer.is_success:
            raise _refused(answer, is_write=is_write, now=self._place.now().timestamp())
        said = answer.json()
        if said is None:
            unclear = UnknownOutcomeError if is_write else TransientError
            raise unclear("what it said is no JSON", answer.kept())
        return said

    async def write(self, method: str, path: str, item: Mapping[str, Any]) -> Any:
        """Write one thing, and give what was said; users who do not work there any more are left out of it.

        Raises NotTaken where it would be nothing without them.
        """
        try:
            return await self.send(method, path, json=[item])
        except NotTaken as error:
            rest = without_users(item)
            if not any(field.rpartition(".")[2] in USERS for field in error.fields) or not rest.keys() - {"id"}:
                raise
            return await self.send(method, path, json=[rest])

    async def _answered(
        self, method: str, path: str, query: Sequence[tuple[str, str]], json: Any, *, low: bool
    ) -> Answer:
        """The answer to one request, whose token is renewed once when it is over."""
        grant = await self._grant()
        answer = await self._asked(grant, method, path, query, json, low=low)
        if answer.status == 401 and not self._is_long_lived:
            self._held = grant = await self._place.grants.renew(grant, self._renewed)
            answer = await self._asked(grant, method, path, query, json, low=low)
        if answer.status == 401:
            raise AuthDeadError("the token is refused: it is over, or was revoked", answer.kept())
        return answer

    async def _asked(
        self, grant: Grant, method: str, path: str, query: Sequence[tuple[str, str]], json: Any, *, low: bool
    ) -> Answer:
        await self._place.pace.take(REQUESTS, low=low)
        headers = {"Authorization": f"Bearer {grant.access}"}
        try:
            return await self._place.http.send(
                method, self._url + path, headers=headers, query=query or None, json=json
            )
        except UnknownOutcomeError as error:
            if method != "GET":
                raise
            raise TransientError(f"a question was not answered: {error}", error.answer) from None

    @property
    def _is_long_lived(self) -> bool:
        return bool(self._place.secrets.get("token"))

    async def _grant(self) -> Grant:
        """What lets us in, held until it is refused or over: somebody else's newer one is found then."""
        if self._is_long_lived:
            return Grant(access=str(self._place.secrets["token"]))
        grant = self._held or await self._place.grants.current()
        if grant.told.get("account", self._place.settings.account) != self._place.settings.account:
            raise NoGrantError("what was given is for another account")
        if grant.expires_at is not None and grant.expires_at - _EARLY <= self._place.now():
            grant = await self._place.grants.renew(grant, self._renewed)
        self._held = grant
        return grant

    async def _renewed(self, used: Grant) -> Grant:
        """A new pair of tokens for an old one, which is over whatever becomes of it."""
        asked = {"grant_type": "refresh_token", "refresh_token": used.refresh}
        return await _token(self._place, asked, used.told.get("redirect_uri", ""))


async def _token(place: Workplace, asked: Mapping[str, str], redirect: str) -> Grant:
    """Ask for tokens. `redirect` has to be the same at each renewal. Raises AuthDeadError for a grant that is over."""
    settings: Settings = place.settings
    await place.pace.take(REQUESTS)
    ours = {"client_id": settings.client_id, "client_secret": place.secrets.get("client_secret", "")}
    body = {**ours, **asked, "redirect_uri": redirect}
    try:
        address = f"{settings.account}/oauth2/access_token"
        answer = await place.http.send("POST", address, json=body, seconds=TOKEN_SECONDS)
    except UnknownOutcomeError as error:
        raise AuthExpiredError(f"the token could not be renewed: {error}") from None
    if answer.status in {400, 401}:
        raise AuthDeadError("amoCRM does not renew the access: connect it again", {"status": answer.status})
    said = answer.json()
    now = place.now()
    if not answer.is_success:
        raise _refused(answer, is_write=False, now=now.timestamp())
    try:
        return Grant(
            access=said["access_token"],
            refresh=said["refresh_token"],
            expires_at=now + timedelta(seconds=span(said.get("expires_in"), DAY) or DAY),
            refresh_expires_at=now + timedelta(days=REFRESH_DAYS),
            told={"redirect_uri": redirect, "account": settings.account},
        )
    except (LookupError, TypeError, AttributeError):
        raise AuthExpiredError("what it said is no token") from None


def _consent_address(place: Workplace, redirect: str, state: str) -> str:
    """The page where an administrator agrees; it lies on the common host of the account's own domain."""
    del redirect  # amoCRM knows it: it is a field of the integration
    settings: Settings = place.settings
    domain = ".".join(settings.account.rpartition("/")[2].split(".")[-2:])
    return f"https://www.{domain}/oauth?" + urlencode({"client_id": settings.client_id, "state": state})


async def _exchange(place: Workplace, query: Mapping[str, str], redirect: str) -> Grant:
    """A grant for the code of the return, which is good for twenty minutes, once; `referer` is the account's host."""
    settings: Settings = place.settings
    host = settings.account.partition("://")[2]
    if query.get("referer") != host:
        raise PermanentError("another account agreed than the one that is to be connected")
    if not query.get("code"):
        raise PermanentError("nobody agreed: the return has no code")
    return await _token(place, {"grant_type": "authorization_code", "code": query["code"]}, redirect)


CONSENT: Final = Consent(address=_consent_address, exchange=_exchange)


def _refused(answer: Answer, *, is_write: bool, now: float) -> CrmError:
    """What an answer that is none of 2xx means. A ban is a page of HTML, as is a limit; neither promises a time.

    After 500, 502 and 504 nobody knows whether a write was done.
    """
    kept, status, body = answer.kept(), answer.status, answer.json()
    reason = f"status {status}"
    if status == 402:
        return AuthDeadError("the account is not paid", kept)
    if status == 403 and not isinstance(body, dict):
        return BannedError("shut out: amoCRM's support has to be asked", kept)
    if status == 403:
        return PermanentError("the user of the token may not do this", kept)
    if status == 429:
        asked = span(body.get("retry_after")) if isinstance(body, dict) else None
        return RateLimitedError(reason, kept, retry_after=answer.retry_after(now) if asked is None else asked)
    if status >= 500 and status != 503 and is_write:
        return UnknownOutcomeError(reason, kept)
    if status >= 500:
        return TransientError(reason, kept, retry_after=answer.retry_after(now), is_away=status != 500)
    if 300 <= status < 400:
        return TransientError(f"{reason}: redirects are not followed", kept)
    faults = _faults(body)
    if not faults:
        return PermanentError(reason, kept)
    told = ", ".join([reason, *(f"{path} {code}" for path, code in faults[:3])])
    return NotTaken(told, kept, [path for path, _ in faults])


def _faults(body: Any) -> list[tuple[str, str]]:
    """Which fields were refused and why (path, code), of an answer with validation-errors."""
    found = body.get("validation-errors") if isinstance(body, dict) else None
    items = found if isinstance(found, list) else ()
    errors = [one for item in items if isinstance(item, dict) for one in item.get("errors") or ()]
    return [(str(one.get("path")), str(one.get("code"))) for one in errors if isinstance(one, dict)]
