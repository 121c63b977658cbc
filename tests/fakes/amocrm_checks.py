"""What amoCRM takes and refuses in a body, and how it reads numbers: the rules of the fake that need no server (pure).

Sources: section 2 of the facts that the adapter names in its docstring. Unknown keys, wrong types and nulls are refused
as the real one does, with `validation-errors` that name the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

CLOSED: Final = (142, 143)
"""Statuses won and lost, the same in every pipeline."""
BIG_BATCH: Final = 250
COMPLEX_BATCH: Final = 50
CUSTOM_VALUES: Final = 40


@dataclass(frozen=True, slots=True)
class Form:
    """What one kind of item may hold: a type (or several, or a nested form) by key. A list holds items of one form."""

    keys: Mapping[str, Any]
    required: Sequence[str] = ()
    most: int = BIG_BATCH
    methods: frozenset[str] = field(default_factory=lambda: frozenset({"POST"}))


_VALUE = Form({"value": (str, int, bool), "enum_code": str, "enum_id": int}, ("value",))
_CUSTOM = Form({"field_id": int, "field_code": str, "values": [_VALUE]}, ("values",))
_PERSON = Form(
    {"name": str, "first_name": str, "last_name": str, "responsible_user_id": int, "custom_fields_values": [_CUSTOM]}
)
_LEAD_KEYS: Final = {
    "name": str,
    "price": int,
    "pipeline_id": int,
    "status_id": int,
    "responsible_user_id": int,
    "created_by": int,
    "created_at": int,
    "custom_fields_values": [_CUSTOM],
}
_TAG = Form({"name": str}, ("name",))
_WITHIN = Form({"contacts": [_PERSON], "companies": [_PERSON], "tags": [_TAG]})
_CALL_PARAMS: Final = {
    "uniq": str,
    "duration": int,
    "source": str,
    "link": str,
    "phone": str,
    "call_result": str,
    "call_status": int,
    "call_responsible": (str, int),
}

CALLS = Form(
    _CALL_PARAMS
    | {
        "direction": str,
        "responsible_user_id": int,
        "created_by": int,
        "updated_by": int,
        "created_at": int,
        "updated_at": int,
        "request_id": str,
    },
    ("direction", "phone", "duration", "source"),
)
_NOTE_KEYS: Final = {
    "entity_id": int,
    "note_type": str,
    "responsible_user_id": int,
    "created_by": int,
    "updated_by": int,
    "created_at": int,
    "updated_at": int,
    "request_id": str,
}
CALL_NOTE = Form(
    _NOTE_KEYS | {"params": Form(_CALL_PARAMS, ("uniq", "duration", "source", "phone"))},
    ("entity_id", "note_type", "params"),
)
COMMON_NOTE = Form(_NOTE_KEYS | {"params": Form({"text": str}, ("text",))}, ("entity_id", "note_type", "params"))
COMPLEX = Form(_LEAD_KEYS | {"_embedded": _WITHIN, "request_id": str}, (), COMPLEX_BATCH)
_NAMED = Form({"id": int}, ("id",))
_OF_A_LEAD = Form({"contacts": [_NAMED], "companies": [_NAMED], "tags": [_TAG]})
LEAD = Form(_LEAD_KEYS | {"_embedded": _OF_A_LEAD, "request_id": str})
LEAD_CHANGE = Form(_LEAD_KEYS | {"id": int, "updated_by": int, "updated_at": int}, ("id",))
_TASK_KEYS: Final = {
    "text": str,
    "complete_till": int,
    "entity_id": int,
    "entity_type": str,
    "task_type_id": int,
    "responsible_user_id": int,
    "created_by": int,
    "request_id": str,
}
TASK = Form(_TASK_KEYS, ("text", "complete_till"))
TASK_CHANGE = Form(
    _TASK_KEYS | {"id": int, "is_completed": bool, "result": Form({"text": str}, ("text",))},
    ("id",),
)
UNSORTED_SIP = Form(
    {
        "source_uid": str,
        "source_name": str,
        "pipeline_id": int,
        "created_at": int,
        "request_id": str,
        "metadata": Form(
            {
                "from": str,
                "phone": str,
                "uniq": str,
                "duration": int,
                "called_at": int,
                "link": str,
                "service_code": str,
                "is_call_event_needed": bool,
                "call_responsible": (str, int),
            },
            ("from", "phone", "called_at", "duration", "uniq"),
        ),
        "_embedded": Form({"leads": [Form(_LEAD_KEYS)], "contacts": [_PERSON], "companies": [_PERSON]}),
    },
    ("source_uid", "source_name", "metadata"),
)
POPUP = Form({"type": str, "phone_number": str, "users": list}, ("type", "phone_number"))


def faults(form: Form, item: Any, path: str = "") -> list[dict[str, str]]:
    """What is wrong with one item: code, path, detail; nothing: it is taken."""
    if not isinstance(item, dict):
        return [_fault("InvalidType", path, "This value should be of type object.")]
    found = [
        _fault("FieldMissing", _at(path, key), "This field is missing.") for key in form.required if key not in item
    ]
    for key, value in item.items():
        found += _value_faults(form.keys.get(key), value, _at(path, key))
    return found


def _value_faults(want: Any, value: Any, path: str) -> list[dict[str, str]]:
    if want is None:
        return [_fault("NotExpected", path, "This field was not expected.")]
    if value is None:
        return [_fault("NotNullable", path, "This value should not be null.")]
    if isinstance(want, Form):
        return faults(want, value, path)
    if isinstance(want, list):
        if not isinstance(value, list):
            return [_fault("InvalidType", path, "This value should be of type array.")]
        return [one for at, item in enumerate(value) for one in faults(want[0], item, f"{path}.{at}")]
    wanted = want if isinstance(want, tuple) else (want,)
    if type(value) not in wanted:
        return [_fault("InvalidType", path, f"This value should be of type {wanted[0].__name__}.")]
    return []


def _fault(code: str, path: str, detail: str) -> dict[str, str]:
    return {"code": code, "path": path, "detail": detail}


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def problem(status: int, title: str, detail: str, **more: Any) -> dict[str, Any]:
    """A body of application/problem+json."""
    return {"title": title, "type": f"https://httpstatus.es/{status}", "status": status, "detail": detail, **more}


def refusal(found: Mapping[str, Sequence[Mapping[str, str]]]) -> dict[str, Any]:
    """The body of a 400: faults by request id."""
    told = [{"request_id": request, "errors": list(errors)} for request, errors in found.items()]
    return problem(400, "Bad Request", "Request validation failed", **{"validation-errors": told})


def digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdigit())


def phones(card: Mapping[str, Any]) -> list[str]:
    """The numbers on a contact or a company, as somebody wrote them."""
    return [
        one["value"]
        for custom in card.get("custom_fields_values") or ()
        if custom.get("field_code") == "PHONE"
        for one in custom["values"]
    ]


def has_number(card: Mapping[str, Any], number: str, last: int) -> bool:
    """Whether a number of the card has the same last digits: ten for calls, eight for popups, seven for a search."""
    return any(digits(one)[-last:] == digits(number)[-last:] for one in phones(card) if digits(number))


def is_found(card: Mapping[str, Any], query: str) -> bool:
    """A search hits names and every other field too, and of numbers the last seven digits."""
    texts = [str(card.get("name") or "")]
    texts += [
        str(one["value"]) for custom in card.get("custom_fields_values") or () for one in custom["values"]
    ]  # fmt: skip
    by_number = (
        query.isdigit()
        and len(query) >= 7
        and (has_number(card, query, 7) or any(query in digits(one) for one in phones(card)))
    )
    return by_number or any(query.casefold() in text.casefold() for text in texts)


def bracketed(told: Mapping[str, Any]) -> str:
    """A body of a webhook: `leads[add][0][id]=1`, URL-encoded."""
    return urlencode(list(_flat(told, "")))


def _flat(told: Any, at: str) -> Iterable[tuple[str, str]]:
    pairs = told.items() if isinstance(told, Mapping) else enumerate(told)
    for key, value in pairs:
        name = f"{at}[{key}]" if at else str(key)
        if isinstance(value, Mapping | list | tuple):
            yield from _flat(value, name)
        else:
            yield name, str(value)
