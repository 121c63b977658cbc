"""Writes the doors down as OpenAPI 3.1: the models' own schemas, and every answer of every door."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from web.api.operations import EVENTS, JSON, PROBLEM, Door, NoQuery, Query, Said

_REF: Final = "#/components/schemas/{model}"
_IN_PATHS: Final[Mapping[str, dict[str, Any]]] = {
    "id": {"type": "string", "format": "uuid"},
    "number": {"type": "integer", "format": "int64", "minimum": 1},
    "crm": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,39}$"},
    "pbx": {"type": "string", "minLength": 1},
    "name": {"type": "string", "pattern": r"-(caller|staff)\.wav$"},
}
_HEADERS: Final[Mapping[str, dict[str, Any]]] = {
    "Idempotency-Key": {"type": "string", "pattern": "^[ -~]*$", "maxLength": 200},
}
_LETS_IN: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of a login (`switchhook user token`)."},
    "session": {"type": "apiKey", "in": "cookie", "name": "switchhook", "description": "The session of a browser."},
    "upload": {"type": "http", "scheme": "bearer", "description": "The token with which a PBX sends recordings."},
}
_TOLD: Final = frozenset({JSON, PROBLEM, EVENTS})
"""Types of answers that a model describes."""
_Refs = Mapping[Any, Mapping[str, Any]]
"""(model, mode) -> what refers to its schema."""


def document(doors: Iterable[Door], version: str) -> dict[str, Any]:
    """The whole description."""
    listed = list(doors)
    refs, schemas = models_json_schema(sorted(_models(listed), key=lambda it: it[0].__name__), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for door in listed:
        paths.setdefault(door.path, {})[door.method.lower()] = _described(door, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Switchhook", "version": version, "description": "Calls, and who and what they reach."},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"session": []}],
        "paths": paths,
        "components": {"schemas": schemas.get("$defs", {}), "securitySchemes": _LETS_IN},
    }


def _models(doors: Iterable[Door]) -> set[tuple[type[BaseModel], JsonSchemaMode]]:
    told: set[tuple[type[BaseModel], JsonSchemaMode]] = set()
    for door in doors:
        told |= {(said.model, "serialization") for said in door.answers.values() if said.model}
        told |= {(door.body, "validation")} if isinstance(door.body, type) else set()
    return told


def _described(door: Door, refs: _Refs) -> dict[str, Any]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": _IN_PATHS[name]}
        for name in re.findall(r"\{(\w+)\}", door.path)
    ]
    in_head = [
        {"name": name, "in": "header", "required": False, "schema": _HEADERS.get(name, {"type": "string"})}
        for name in door.headers
    ]
    texts = {"type": "array", "items": {"type": "string"}}
    several = [{"name": name, "in": "query", "required": False, "schema": texts} for name in door.lists]
    told: dict[str, Any] = {"operationId": door.name, "summary": door.summary}
    if door.query is not NoQuery:
        told["description"] = door.query.__doc__
    told["parameters"] = [*in_path, *_in_query(door.query), *several, *in_head]
    if isinstance(door.body, type):
        content = {"application/json": {"schema": refs[door.body, "validation"]}}
        told["requestBody"] = {"required": door.body_required, "content": content}
    elif door.body:
        told["requestBody"] = {"required": door.body_required, "content": {media: {} for media in door.body}}
    told["responses"] = {str(status): _answer(door.answers[status], refs) for status in sorted(door.answers)}
    if door.security is not None:
        told["security"] = [{name: []} for name in door.security]
    return told


def _answer(said: Said, refs: _Refs) -> dict[str, Any]:
    schema: dict[str, Any] = {"schema": refs[said.model, "serialization"]} if said.model else {}
    if EVENTS in said.media and said.model:
        # OpenAPI 3.1 has no word for what is in a stream's events.
        schema = {
            "schema": {"type": "string", "description": f"Server-sent events, each with a {said.model.__name__}."}
        }
    told: dict[str, Any] = {"description": said.why}
    if said.headers:
        told["headers"] = {name: {"required": True, "schema": {"type": "string"}} for name in said.headers}
    if said.media:
        # What may come as a table instead is bytes there.
        told["content"] = {media: schema if media in _TOLD else {} for media in said.media}
    return told


def _in_query(query: type[Query]) -> list[dict[str, Any]]:
    told = query.model_json_schema(mode="validation")
    required = told.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _plain(schema)}
        | ({"style": "deepObject", "explode": True} if query.gathers(name) else {})
        for name, schema in told.get("properties", {}).items()
    ]


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A query's values are text: what may be left out has no null."""
    kept = {key: value for key, value in schema.items() if key not in {"title", "default"}}
    options = [option for option in kept.pop("anyOf", []) if option.get("type") != "null"]
    return kept | (options[0] if options else {})
