"""One operation is one function: its query, its body and its answer are models, checked here, described as they are.

A `Door` is what can be said of one method of a path; `web.api.openapi` writes all of them down.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar, get_origin

from aiohttp import hdrs, web
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

PREFIX: Final = "/api/v1"
NUMBER: Final = "{number:[0-9]+}"
"""The place of a number in a route, so that a word may stand there too."""

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
EVENTS: Final = "text/event-stream"
KEY_HEADER: Final = "Idempotency-Key"
"""Whoever sends a command again with the same value has it done once."""

_WHY: Final = {
    200: "As asked.",
    206: "The part that was asked for.",
    304: "It is what If-None-Match names.",
    400: "The query or the body cannot be read.",
    401: "Nobody is logged in and there is no valid token.",
    403: "Outside the viewer's rights, or a change that another site's page sent.",
    404: "There is no such thing.",
    409: "Asked before with this Idempotency-Key, for something else.",
    413: "The body is too large.",
    416: "The range begins beyond the end.",
    422: "It may not be done; `reason` is the stable key of why.",
    429: "Asked too often in a minute.",
    503: "What keeps it cannot be read now; the same may be asked again.",
}
_CHANGED: Final = "It is not any more as it was seen, or what was wanted before goes on; `detail` tells what happened."


class Query(BaseModel):
    """The query of an operation; a name it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def gathers(cls, name: str) -> bool:
        """Whether a name holds others, written `name[inner]=value`."""
        return name in cls.model_fields and get_origin(cls.model_fields[name].annotation) is dict


class NoQuery(Query):
    """An operation without a query."""


class Body(BaseModel):
    """What is sent with an operation, as JSON; a name it does not know is refused, and a value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NoBody(Body):
    """A command that is told by its path alone; nothing, or an empty object, is sent with it."""


class Answer(BaseModel):
    """What an operation answers."""

    model_config = ConfigDict(frozen=True)


class Problem(Answer):
    """An error as RFC 9457 writes it."""

    type: str
    title: str
    status: int
    detail: str


class Refusal(Problem):
    """A problem with a stable key of its reason, and the name of the value that is wrong, where it is one."""

    reason: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: why it comes, and what is in it: a model, or without one bytes of one of these types.

    Of a stream of events the model is the data of each. `headers` are those that it always has.
    """

    why: str
    model: type[BaseModel] | None = None
    media: Sequence[str] = (JSON,)
    headers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Door:
    """One method of a path. `body` is a model, or the types of bytes that may be sent.

    `security` names what lets in, where that is not a login or its token; whoever comes is let in where it is empty.
    `lists` are texts of the query that may stand several times, beside those of the model.
    """

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Said]
    query: type[Query] = NoQuery
    body: type[Body] | Sequence[str] = ()
    body_required: bool = True
    headers: Sequence[str] = ()
    security: Sequence[str] | None = None
    lists: Sequence[str] = ()


def problem(status: int, why: str | None = None, model: type[Problem] | None = None) -> Said:
    """A refusal with this status."""
    headers = {401: (hdrs.WWW_AUTHENTICATE,), 416: (hdrs.CONTENT_RANGE,)}.get(status, ())
    return Said(why or _WHY[status], model or (Refusal if status == 422 else Problem), (PROBLEM,), headers)


Handler = Callable[[web.Request, Any], Awaitable[BaseModel | web.StreamResponse]]
Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound=Body)


_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


def _written(told: Any) -> Any:
    if not isinstance(told, datetime) and not (isinstance(told, str) and _DAY.match(told)):
        raise ValueError("must be ISO 8601")  # a number would be seconds since 1970
    return told


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("is beyond the calendar") from None


Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written), AfterValidator(_in_utc)]
"""A time with its zone, in UTC once it is read."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A GET under PREFIX. `answer` None: bytes of one of `media` come, not JSON; `ranges`: parts may be asked for.

    Of a stream `answer` is the data of each event.
    `refuses` are statuses of refusals beside those that every operation has, and every one that is about one thing.
    """

    path: str
    handler: Handler
    summary: str
    query: type[Query]
    answer: type[BaseModel] | None
    media: Sequence[str] = (JSON,)
    ranges: bool = False
    refuses: Sequence[int] = ()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Check the query, run the handler, write the answer. Raises 400 for a query that does not fit."""
        told = await self.handler(request, read_query(self.query, request))
        return told if isinstance(told, web.StreamResponse) else answered(told)

    def door(self) -> Door:
        """The operation as it is described."""
        answers = {200: Said(_WHY[200], self.answer, self.media)}
        refuses = {400, 401, *((403, 404) if "{" in self.path else ()), *self.refuses}
        headers: tuple[str, ...] = ()
        if self.ranges:
            answers[206] = Said(_WHY[206], None, self.media, (hdrs.CONTENT_RANGE,))
            answers[304] = Said(_WHY[304], None, (), (hdrs.ETAG,))
            refuses |= {416, 503}
            headers = (hdrs.RANGE, hdrs.IF_RANGE, hdrs.IF_NONE_MATCH)
        answers |= {status: problem(status) for status in refuses}
        name, path = _name(self.handler), PREFIX + self.path
        return Door(hdrs.METH_GET, path, name, self.summary, answers, self.query, headers=headers)


@dataclass(frozen=True, slots=True)
class Command:
    """A POST under PREFIX that has something done: `body` is checked, what was begun is told with status 202.

    One that is not `keyed` does at once (200) what is the same when it is done twice, and needs no Idempotency-Key.
    `refuses` are statuses of refusals beside those that every command has.
    """

    path: str
    handler: Handler
    summary: str
    body: type[Body]
    answer: type[BaseModel]
    keyed: bool = True
    refuses: Sequence[int] = ()

    @property
    def status(self) -> int:
        """What a command that could be done answers with."""
        return 202 if self.keyed else 200

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Check the body, run the handler, write the answer. Raises 400 for a body that does not fit."""
        told = await self.handler(request, read_body(self.body, await request.read()))
        return told if isinstance(told, web.StreamResponse) else answered(told, self.status)

    def door(self) -> Door:
        """The command as it is described."""
        answers = {self.status: Said("Begun." if self.keyed else "Done.", self.answer)}
        every = {400, 401, 403, 413, *((409, 422, 429) if self.keyed else ()), *((404,) if "{" in self.path else ())}
        answers |= {status: problem(status) for status in every | set(self.refuses)}
        if not self.keyed and 409 in answers:
            answers[409] = problem(409, _CHANGED, Refusal)
        return Door(
            hdrs.METH_POST,
            PREFIX + self.path,
            _name(self.handler),
            self.summary,
            answers,
            body=self.body,
            body_required=any(field.is_required() for field in self.body.model_fields.values()),
            headers=(KEY_HEADER,) if self.keyed else (),
        )


def _name(handler: Handler) -> str:
    return str(getattr(handler, "__name__", ""))


def read_query(model: type[Q], request: web.Request, *, besides: Sequence[str] = ()) -> Q:
    """The query of the request without the names `besides`. Raises 400, which names the parameter that does not fit."""
    told = {name: value for name, value in request.query.items() if name not in besides}
    try:
        return model.model_validate_strings(_nested(told, model))
    except ValidationError as error:
        raise web.HTTPBadRequest(text=_first(error)) from None


def read_body(model: type[B], told: bytes) -> B:
    """The body as JSON; nothing reads as an empty object. Raises 400, which names the value, for one that cannot be."""
    try:
        body = model.model_validate_json(told or b"{}")
    except ValidationError as error:
        raise web.HTTPBadRequest(text=_first(error)) from None
    for name, value in body.model_dump().items():
        if _has_nul(value):  # no text of ours holds one and PostgreSQL takes none
            raise web.HTTPBadRequest(text=f"{name}: must hold no NUL")
    return body


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'body'}: {first['msg']}"


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_nul, value)) or any(map(_has_nul, value.values()))
    return "\0" in value if isinstance(value, str) else isinstance(value, list) and any(map(_has_nul, value))


def answered(told: BaseModel, status: int = 200) -> web.Response:
    """A model as JSON."""
    return web.Response(text=told.model_dump_json(by_alias=True), content_type=JSON, status=status)


def refusal(status: int, reason: str, detail: str, *, field: str | None = None) -> web.Response:
    """The problem document of what may not be done; `field` names the value that is wrong."""
    title = HTTPStatus(status).phrase
    told = Refusal(type="about:blank", title=title, status=status, detail=detail, reason=reason, field=field)
    return web.Response(text=told.model_dump_json(exclude_none=True), content_type=PROBLEM, status=status)


def number_in(request: web.Request) -> int:
    """The NUMBER of the path. Raises 404 for what can be none."""
    told = request.match_info["number"]
    if not 1 <= int(told[:20]) < 2**63:
        raise web.HTTPNotFound(text=f"There is no number {told[:40]}.")
    return int(told)


def _nested(told: Mapping[str, str], model: type[Query]) -> dict[str, Any]:
    """The query with `fields[name]=value` of a mapping's parameter gathered, as OpenAPI's style deepObject says."""
    query: dict[str, Any] = {}
    for name, value in told.items():
        outer, bracket, inner = name.partition("[")
        if bracket and inner.endswith("]") and model.gathers(outer):
            query.setdefault(outer, {})[inner[:-1]] = value
        else:
            query[name] = value
    return query
