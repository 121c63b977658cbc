"""One operation is one function: its query and its answer are models, checked, and described as they are."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, get_origin

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import models_json_schema

PREFIX: Final = "/api/v1"
PROBLEM: Final = "application/problem+json"
KEY_HEADER: Final = "Idempotency-Key"
"""Whoever sends a command again with the same value has it done once."""
_WHY: Final = {
    400: "The query cannot be read.",
    401: "Nobody is logged in and there is no valid token.",
    403: "Outside the viewer's rights.",
    404: "There is no such thing.",
    409: "Asked before with this Idempotency-Key, for something else.",
    416: "The range begins beyond the end.",
    422: "It may not be done; `reason` is the stable key of why.",
    429: "Asked too often in a minute.",
    503: "What keeps it cannot be read now; the same may be asked again.",
}

_CHANGED: Final = "It is not any more as it was seen; `detail` tells what happened."


class Query(BaseModel):
    """The query of an operation; a name it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoQuery(Query):
    """An operation without a query."""


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


class Body(BaseModel):
    """What is sent with an operation, as JSON; a name it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoBody(Body):
    """A command that is told by its path alone; nothing, or an empty object, is sent with it."""


Handler = Callable[[web.Request, Any], Awaitable[BaseModel | web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A GET under PREFIX. `answer` None: bytes of `media` come, not JSON; `ranges`: parts of them may be asked for.

    `refuses`: a query that can be read may be refused with 422.
    """

    path: str
    handler: Handler
    summary: str
    query: type[Query]
    answer: type[BaseModel] | None
    media: str = "application/json"
    ranges: bool = False
    refuses: bool = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Check the query, run the handler, write the answer. Raises 400 for a query that does not fit."""
        try:
            query = self.query.model_validate_strings(_nested(request.query, self.query))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise web.HTTPBadRequest(text=f"{name}: {first['msg']}") from None
        told = await self.handler(request, query)
        if isinstance(told, web.StreamResponse):
            return told
        return web.Response(text=told.model_dump_json(), content_type="application/json")

    def described(self) -> dict[str, Any]:
        """The operation as OpenAPI 3.1 writes it."""
        errors = [400, 401, 403, *([404] if "{" in self.path else [])]
        schema = {"$ref": _ref(self.answer)} if self.answer else {"type": "string"}
        content = (
            {self.media: {"schema": schema}} if self.answer or self.media == "text/event-stream" else {self.media: {}}
        )
        answers: dict[str, Any] = {"200": {"description": "As asked.", "content": content}}
        if self.ranges:
            answers["206"] = {"description": "The part that was asked for.", "content": {self.media: {}}}
            errors += [416, 503]
        errors += [422] if self.refuses else []
        for status in sorted(errors):
            problem = {PROBLEM: {"schema": {"$ref": _ref(Refusal if status == 422 else Problem)}}}
            answers[str(status)] = {"description": _WHY[status], "content": problem}
        return {
            "operationId": self.handler.__name__,
            "summary": self.summary,
            "parameters": [*_path_parameters(self.path), *_query_parameters(self.query)],
            "responses": answers,
        }


Doing = Callable[[web.Request, Any], Awaitable[BaseModel | web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Command:
    """A POST under PREFIX that has something done: `body` is checked, what was begun is told with status 202.

    One that is not `keyed` does at once (200) what is the same when it is done twice, and needs no Idempotency-Key.
    `refuses` are statuses of refusals beside those that every command has.
    """

    path: str
    handler: Doing
    summary: str
    body: type[Body]
    answer: type[BaseModel]
    keyed: bool = True
    refuses: tuple[int, ...] = ()

    @property
    def status(self) -> int:
        """What a command that could be done answers with."""
        return 202 if self.keyed else 200

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Check the body, run the handler, write the answer. Raises 400 for a body that does not fit."""
        try:
            body = self.body.model_validate_json(await request.read() or b"{}")
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise web.HTTPBadRequest(text=f"{name or 'body'}: {first['msg']}") from None
        told = await self.handler(request, body)
        if isinstance(told, web.StreamResponse):
            return told
        return web.Response(
            text=told.model_dump_json(by_alias=True), content_type="application/json", status=self.status
        )

    def described(self) -> dict[str, Any]:
        """The command as OpenAPI 3.1 writes it."""
        said = "Begun." if self.keyed else "Done."
        answers: dict[str, Any] = {str(self.status): {"description": said, "content": _json(self.answer)}}
        parameters = _path_parameters(self.path)
        of_one = (404, 422) if "{id}" in self.path else (404,) if parameters else ()
        known = (400, 401, 403, 409, 422, 429) if self.keyed else (400, 401, 403, *of_one)
        for status in sorted({*known, *self.refuses}):
            model = Refusal if status == 422 or status in self.refuses else Problem
            about = _CHANGED if status == 409 and not self.keyed else _WHY[status]
            answers[str(status)] = {"description": about, "content": {PROBLEM: {"schema": {"$ref": _ref(model)}}}}
        key = {"name": KEY_HEADER, "in": "header", "required": False, "schema": {"type": "string", "maxLength": 200}}
        return {
            "operationId": self.handler.__name__,
            "summary": self.summary,
            "parameters": [*parameters, *([key] if self.keyed else [])],
            "requestBody": {"required": bool(self.body.model_fields), "content": _json(self.body)},
            "responses": answers,
        }


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _ref(model)}}}


def refusal(status: int, reason: str, detail: str, *, field: str | None = None) -> web.Response:
    """The problem document of what may not be done; `field` names the value that is wrong."""
    title = HTTPStatus(status).phrase
    told = Refusal(type="about:blank", title=title, status=status, detail=detail, reason=reason, field=field)
    return web.Response(text=told.model_dump_json(exclude_none=True), content_type=PROBLEM, status=status)


def openapi(operations: Iterable[Operation], commands: Iterable[Command], version: str) -> dict[str, Any]:
    """The whole description, OpenAPI 3.1."""
    listed, doing = list(operations), list(commands)
    models: set[type[BaseModel]] = {operation.answer for operation in listed if operation.answer} | {Problem, Refusal}
    models |= {model for command in doing for model in (command.answer, command.body)}
    paths: dict[str, dict[str, Any]] = {PREFIX + one.path: {"get": one.described()} for one in listed}
    for command in doing:
        paths.setdefault(PREFIX + command.path, {})["post"] = command.described()
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "serialization") for model in ordered], ref_template="#/components/schemas/{model}"
    )
    bearer = {"type": "http", "scheme": "bearer"}
    session = {"type": "apiKey", "in": "cookie", "name": "switchhook"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Switchhook", "version": version, "description": "Calls, and who and what they reach."},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {"bearer": bearer, "session": session},
        },
    }


def _ref(model: type[BaseModel] | None) -> str:
    return f"#/components/schemas/{model.__name__}" if model else ""


_IN_PATHS: Final[dict[str, dict[str, Any]]] = {
    "id": {"type": "string", "format": "uuid"},
    "number": {"type": "integer", "format": "int64", "minimum": 1},
}


def number_in(request: web.Request) -> int:
    """The `{number}` of the path. Raises 404 for what can be none."""
    told = request.match_info["number"]
    if not (told.isascii() and told.isdecimal() and 1 <= int(told[:20]) < 2**63):
        raise web.HTTPNotFound(text=f"There is no number {told[:40]}.")
    return int(told)


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [name for name in _IN_PATHS if f"{{{name}}}" in path]
    return [{"name": name, "in": "path", "required": True, "schema": _IN_PATHS[name]} for name in names]


def _nested(told: Mapping[str, str], model: type[Query]) -> dict[str, Any]:
    """The query with `fields[name]=value` of a mapping's parameter gathered, as OpenAPI's style deepObject says."""
    query: dict[str, Any] = {}
    for name, value in told.items():
        outer, bracket, inner = name.partition("[")
        if bracket and inner.endswith("]") and _is_mapping(model, outer):
            query.setdefault(outer, {})[inner[:-1]] = value
        else:
            query[name] = value
    return query


def _is_mapping(model: type[Query], name: str) -> bool:
    return name in model.model_fields and get_origin(model.model_fields[name].annotation) is dict


def _query_parameters(query: type[Query]) -> list[dict[str, Any]]:
    told = query.model_json_schema(mode="validation")
    required = told.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _plain(schema)}
        | ({"style": "deepObject", "explode": True} if _is_mapping(query, name) else {})
        for name, schema in told.get("properties", {}).items()
    ]


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A query's values are text: what may be left out has no null."""
    kept = {key: value for key, value in schema.items() if key not in {"title", "default"}}
    options = [option for option in kept.pop("anyOf", []) if option.get("type") != "null"]
    return kept | (options[0] if options else {})
