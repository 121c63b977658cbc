"""An Odoo 19 in memory, as strict as the real one where it was seen (crm-apis.md, 3; `make test-odoo` compares both).

It knows the models and fields that the adapter speaks of; anything else it refuses, with the status that Odoo has for
it: a model or a method 404, an argument 422, a field 500. One request is one transaction: refused, it wrote nothing;
of several that write one record at the same moment one does.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import inspect
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final

import phonenumbers

from tests.fakes.odoo_front import Answered, Asked, failed

DATABASE = "crm"
KEY = "a945694bbefd3b41e6513816eb56d3aad8156cca"
LOGIN = "switchhook"
ANNA, BORIS, WE = 1, 2, 5

_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "res.partner": {
        "name": "required", "phone": None, "mobile": None, "phone_sanitized": None, "user_id": "res.users",
        "parent_id": "res.partner",
    },
    "crm.lead": {
        "name": "required", "type": None, "phone": None, "mobile": None, "phone_sanitized": None,
        "partner_id": "res.partner",
        "user_id": "res.users", "stage_id": "crm.stage", "active": None, "contact_name": None,
    },
    "crm.stage": {"name": "required", "is_won": None},
    "mail.message": {
        "model": None, "res_id": None, "body": None, "date": None, "message_type": None, "message_id": None,
        "subtype_id": "mail.message.subtype", "author_id": "res.partner", "attachment_ids": "ir.attachment",
    },
    "mail.activity": {
        "summary": None, "note": None, "date_deadline": None, "user_id": "res.users", "res_model_id": "required",
        "res_id": "required", "activity_type_id": "mail.activity.type", "active": None, "feedback": None,
    },
    "ir.attachment": {
        "name": "required", "description": None, "datas": None, "mimetype": None, "res_model": None, "res_id": None,
    },
    "res.users": {
        "name": None, "phone": None, "email": None, "partner_id": "res.partner", "tz": None, "share": None,
        "active": None,
    },
    "res.users.apikeys": {"name": None, "scope": None, "expiration_date": None, "user_id": "res.users"},
}  # fmt: skip
_XML_IDS: Final = {
    "mail.mt_note": 2, "mail.mail_activity_data_call": 2, "crm.model_crm_lead": 100, "base.model_res_partner": 101,
}  # fmt: skip
_MODELS: Final = {100: "crm.lead", 101: "res.partner"}
_KNOWN_TO: Final = {"mobile": 18, "check_access_rights": 18}
"""Until which version a field or a method was there."""
_SEARCHED: Final = "phone_mobile_search"
_KNOWN_FROM: Final = {"expiration_date": 18, "has_access": 18}
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "crm.lead": {"active": True, "stage_id": 1, "user_id": WE, "type": "lead"},
    "mail.activity": {"active": True},
    "mail.message": {"author_id": 16, "message_type": "comment", "attachment_ids": []},
    "res.users": {"active": True, "share": False, "phone": False, "email": False, "tz": False},
}


_OF_A_MODEL: Final = frozenset({"context_get", "fields_get", "load", "search_read"})
"""Methods that are not of records."""


class Refused(Exception):
    """What Odoo raises: status, full name, message."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status, self.name, self.message = status, name, message


def _validation(message: str) -> Refused:
    return Refused(422, "odoo.exceptions.ValidationError", message)


Row = dict[str, Any]


@dataclass
class FakeOdoo:
    """`rows` by model and id; `names` are external ids; `at` its clock. `has_numbers`: `phonenumbers` is there, and
    `country` is the company's, for records have none: without it a number is read only where it names its country.
    Of a `version` before 19 is known what Odoo's source says; 14 was seen too.
    """

    version: int = 19
    has_numbers: bool = True
    country: str | None = "RU"
    at: datetime = datetime(2026, 11, 23, 9, 0)  # noqa: DTZ001 as Odoo keeps times
    rights: frozenset[str] = frozenset(_FIELDS)
    rows: dict[str, dict[int, Row]] = field(default_factory=dict)
    names: dict[str, tuple[str, int]] = field(default_factory=dict)
    _last: int = 100
    _before: list[Callable[[], object]] = field(default_factory=list)
    _commits: int = 0
    _since: int = 0
    _written: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = {model: {} for model in _FIELDS}
        for number, name in enumerate(("New", "Qualified", "Proposition", "Won"), 1):
            self.rows["crm.stage"][number] = {"id": number, "name": name, "is_won": name == "Won"}
        for user, name, phone in ((WE, "Switchhook", False), (ANNA, "Anna", "101"), (BORIS, "Boris", "102")):
            self.rows["res.partner"][user + 11] = {"id": user + 11, "name": name, "phone": phone}
            own = {"id": user, "name": name, "partner_id": user + 11, "phone": phone, "tz": "Europe/Moscow"}
            self.rows["res.users"][user] = _DEFAULTS["res.users"] | own
        key = {"id": 1, "name": "Switchhook", "scope": "rpc", "user_id": WE, "expiration_date": "2026-12-26 11:28:30"}
        self.rows["res.users.apikeys"][1] = key

    def records(self) -> list[Row]:
        """Every record that has an external id, with its model and that id, in the order of their making."""
        told = sorted((number, model, name) for name, (model, number) in self.names.items())
        return [{"model_name": model, "xml_id": name, **self.rows[model][number]} for number, model, name in told]

    def sound(self, attachment: int) -> bytes:
        """The bytes of an attachment."""
        return base64.b64decode(self.rows["ir.attachment"][attachment]["datas"])

    async def answer(self, asked: Asked) -> Answered:
        """Answer one request, as Odoo does; it does not see what others write from its beginning on."""
        since = self._commits
        await asyncio.sleep(0)
        self._since = since
        if asked.path == "/web/version":
            return _json({"version_info": [self.version, 0, 0, "final", 0, ""], "version": f"{self.version}.0"})
        if asked.path == "/jsonrpc" and asked.method == "POST":
            return self._rpc(asked.named)
        parts = asked.path.split("/")
        if self.version < 19:
            return Answered(404, b"<html>Not Found</html>", "text/html; charset=utf-8")
        if asked.method != "POST" or parts[:3] != ["", "json", "2"] or len(parts) != 5:
            name = "werkzeug.exceptions.NotFound"
            return failed(404, name, "Did you mean POST /json/2/<model>/<method>?")
        if asked.headers.get("X-Odoo-Database", DATABASE) != DATABASE:
            return Answered(404, b"<html>No database is selected</html>", "text/html; charset=utf-8")
        if asked.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            return Answered(415, b"<html>Unsupported Media Type</html>", "text/html; charset=utf-8")
        if not self._lets_in(asked.headers.get("Authorization", "").removeprefix("bearer ")):
            return failed(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")
        named = {name: value for name, value in asked.named.items() if name != "context"}
        try:
            ids = named.pop("ids", ())
            if ids and parts[4] in _OF_A_MODEL:
                text = f"cannot call {parts[3]}.{parts[4]} with ids"
                raise Refused(422, "werkzeug.exceptions.UnprocessableEntity", text)
            return _json(self._call(parts[3], parts[4], ids, named))
        except Refused as refused:
            return failed(refused.status, refused.name, refused.message)

    def _rpc(self, told: dict[str, Any]) -> Answered:
        service, method, arguments = (told["params"][name] for name in ("service", "method", "args"))
        try:
            return _json({"jsonrpc": "2.0", "id": told["id"], "result": self._served(service, method, arguments)})
        except Refused as refused:
            data = {"name": refused.name, "message": refused.message, "arguments": [], "context": {}, "debug": "Trace"}
            error = {"code": 0, "message": "Odoo Server Error", "data": data}
            return _json({"jsonrpc": "2.0", "id": told["id"], "error": error})

    def _served(self, service: str, method: str, arguments: Sequence[Any]) -> Any:
        if (service, method) == ("common", "version"):
            return {"server_version": f"{self.version}.0", "server_version_info": [self.version, 0, 0, "final", 0, ""]}
        if arguments[0] != DATABASE:
            raise Refused(200, "psycopg2.OperationalError", f'database "{arguments[0]}" does not exist')
        if (service, method) == ("common", "authenticate"):
            return WE if arguments[1] == LOGIN and self._lets_in(arguments[2]) else False
        if arguments[1] != WE or not self._lets_in(arguments[2]):
            raise Refused(200, "odoo.exceptions.AccessDenied", "Access Denied")
        model, called, positional, named = arguments[3:]
        return self._call(model, called, positional[0] if positional else (), named)

    def _lets_in(self, key: str) -> bool:
        """Whether this is the key, before its end."""
        ends = self.rows["res.users.apikeys"][1]["expiration_date"]
        return key == KEY and (not ends or self.at < datetime.fromisoformat(ends))

    def _call(self, model: str, method: str, ids: Sequence[int], named: dict[str, Any]) -> Any:
        if model not in _FIELDS:
            raise Refused(404, "werkzeug.exceptions.NotFound", f"the model '{model}' does not exist")
        if method.startswith("_"):
            raise Refused(403, "odoo.exceptions.AccessError", f"Private methods (such as '{model}.{method}')")
        called: Callable[..., Any] | None = getattr(self, f"do_{method}", None)
        if called is None or not self._has(method):
            raise Refused(404, "werkzeug.exceptions.NotFound", f"The method '{model}.{method}' does not exist")
        try:
            inspect.signature(called).bind(model, ids, **named)
        except TypeError as error:
            status, name = (500, "builtins.TypeError") if method == "search_read" else (422, "werkzeug.Unprocessable")
            raise Refused(status, name, str(error)) from None
        self._before.clear()
        try:
            return called(model, ids, **named)
        except Refused:
            self._roll_back()
            raise

    # --- Methods ------------------------------------------------------------------------------------------------------

    def do_context_get(self, model: str, ids: Sequence[int]) -> Any:
        return {"lang": "en_US", "tz": False, "uid": WE}

    def do_has_access(self, model: str, ids: Sequence[int], operation: str) -> Any:
        return model in self.rights

    def do_check_access_rights(self, model: str, ids: Sequence[int], operation: str, raise_exception: bool) -> Any:
        return model in self.rights

    def do_fields_get(self, model: str, ids: Sequence[int], allfields: list[str], attributes: list[str]) -> Any:
        known = {name for name in _FIELDS[model] if self._has(name)}
        searched = {_SEARCHED} if self._has_search(model) else set()
        return {name: {"type": "char"} for name in allfields if name in known | searched}

    def do_read(self, model: str, ids: Sequence[int], fields: list[str]) -> Any:
        return [self.told(model, self.rows[model][one], fields) for one in ids if one in self.rows[model]]

    def do_search_read(
        self, model: str, ids: Sequence[int], domain: list[Any], fields: list[str], limit: int = 0, order: str = "id"
    ) -> Any:
        for called in fields:
            self._check(model, called)
        asks_active = any(condition[0] == "active" for condition in domain if condition != "|")
        rows = [
            row
            for row in self.rows[model].values()
            if (asks_active or row.get("active", True)) and self._fits(model, row, list(domain))
        ]
        rows.sort(key=lambda row: int(row["id"]), reverse={"id": False, "id desc": True}[order])
        return [self.told(model, row, fields) for row in rows[: limit or None]]

    def do_write(self, model: str, ids: Sequence[int], vals: dict[str, Any]) -> Any:
        for called in vals:
            self._check(model, called)
        for one in ids:
            if one not in self.rows[model]:
                raise Refused(404, "odoo.exceptions.MissingError", "Record does not exist or has been deleted.")
            self._set(model, self.rows[model][one], vals)
        self._wrote((model, one) for one in ids)
        return True

    def do_load(self, model: str, ids: Sequence[int], fields: list[str], data: list[list[Any]]) -> Any:
        try:
            told = {"ids": [self._loaded(model, fields, row) for row in data], "messages": [], "nextrow": 0}
            self._wrote(self.names[row[0]] for row in data)
            return told
        except Refused as refused:
            if refused.status == 500:
                raise
            self._roll_back()
            return {"ids": False, "messages": [{"type": "error", "message": refused.message}], "nextrow": 0}

    def do_action_set_lost(self, model: str, ids: Sequence[int]) -> Any:
        return self.do_write(model, ids, {"active": False})

    def do_action_unarchive(self, model: str, ids: Sequence[int]) -> Any:
        return self.do_write(model, ids, {"active": True})

    def do_action_set_won(self, model: str, ids: Sequence[int]) -> Any:
        return self.do_write(model, ids, {"stage_id": 4})

    def do_action_feedback(self, model: str, ids: Sequence[int], feedback: str) -> Any:
        """Done again it says so again, as the real one does; before version 19 one that is done is gone."""
        for one in ids:
            row = self.rows[model][one]
            if self.version < 19:
                self.remove(model, one)
            else:
                self._set(model, row, {"active": False, "feedback": feedback})
            said = {"model": _MODELS[row["res_model_id"]], "res_id": row["res_id"], "body": feedback}
            self.make("mail.message", said | {"message_type": "notification"})
        return self._last

    # --- Records ------------------------------------------------------------------------------------------------------

    def _loaded(self, model: str, fields: list[str], row: list[Any]) -> int:
        name, *values = row
        if name in self.names and self._written.get(self.names[name], 0) > self._since:
            raise _validation("could not serialize access due to concurrent update\n")
        vals: Row = {}
        for column, value in zip(fields[1:], values, strict=True):
            if not isinstance(value, str):
                raise Refused(500, "builtins.AttributeError", f"'{type(value).__name__}' object has no 'strip'")
            called, _, how = column.partition("/")
            self._check(model, called)
            kind = _FIELDS[model][called]
            if not value:
                vals[called] = False
            elif how == "id":
                if value not in _XML_IDS:
                    raise _validation(f"No matching record found for external id '{value}' in field '{called}'")
                vals[called] = _XML_IDS[value]
            elif how == ".id":
                if int(value) not in self.rows[kind]:
                    raise _validation(f"No matching record found for database id '{value}' in field '{called}'")
                vals[called] = int(value)
            else:
                vals[called] = int(value) if called == "res_id" else value
        if name in self.names:
            if model == "mail.message" and {"model", "res_id"} & set(vals):
                raise _validation("Only administrators can modify 'model' and 'res_id' fields.")
            self._set(model, self.rows[model][self.names[name][1]], vals)
        else:
            self.names[name] = model, self.make(model, vals)
            self._before.append(lambda: self.names.pop(name))
        return self.names[name][1]

    def make(self, model: str, vals: Row) -> int:
        """Make a record, as anybody there may."""
        for called, kind in _FIELDS[model].items():
            if kind == "required" and not vals.get(called):
                raise _validation(f"Missing required value for the field ({called}).")
        if model == "mail.message" and vals.get("res_id") not in self.rows.get(str(vals.get("model")), {}):
            raise _validation("Record does not exist or has been deleted.")
        self._last += 1
        made = self._last
        row = dict.fromkeys(_FIELDS[model], False) | _DEFAULTS.get(model, {}) | {"id": made}
        self.rows[model][made] = row
        self._before.append(lambda: self.rows[model].pop(made))
        self._set(model, row, vals)
        if model == "crm.lead" and row["partner_id"] and not row["contact_name"]:
            row["contact_name"] = self.rows["res.partner"][row["partner_id"]]["name"]
        return made

    def _wrote(self, records: Iterable[tuple[str, int]]) -> None:
        """What a request that began before does not see: `load` gives way to it, and all else is tried again there."""
        self._commits += 1
        self._written |= dict.fromkeys(records, self._commits)

    def remove(self, model: str, record: int) -> None:
        """Remove a record, as anybody there may; its external id goes with it."""
        del self.rows[model][record]
        self.names = {name: it for name, it in self.names.items() if it != (model, record)}

    def _roll_back(self) -> None:
        for undo in reversed(self._before):
            undo()
        self._before.clear()

    def _set(self, model: str, row: Row, vals: Row) -> None:
        was = dict(row)
        self._before.append(lambda: row.update(was))
        for called, value in vals.items():
            self._check(model, called)
            kind = _FIELDS[model][called]
            if called == "attachment_ids":
                row[called] = sorted({*row[called], *(one for command, one in value if command == 4)})
            elif kind in self.rows and value is not False and value not in self.rows[kind]:
                raise Refused(404, "odoo.exceptions.MissingError", f"Record does not exist ({kind}({value},))")
            else:
                row[called] = value
            if called == "datas":
                try:
                    base64.b64decode(str(value), validate=True)
                except binascii.Error as error:
                    raise Refused(500, "binascii.Error", str(error)) from None
            if called == "phone":
                row["phone_sanitized"] = self._sanitized(value)
        if vals.get("phone") and model == "crm.lead" and row["partner_id"]:
            self._spread(self.rows["res.partner"][row["partner_id"]], vals["phone"])
            self._spread_to_leads(row["partner_id"], vals["phone"])
        elif vals.get("phone") and model == "res.partner":
            self._spread_to_leads(row["id"], vals["phone"])

    def _spread_to_leads(self, contact: int, phone: Any) -> None:
        """All leads of a contact have its number."""
        for lead in self.rows["crm.lead"].values():
            if lead["partner_id"] == contact:
                self._spread(lead, phone)

    def _spread(self, row: Row, phone: Any) -> None:
        was = dict(row)
        self._before.append(lambda: row.update(was))
        row |= {"phone": phone, "phone_sanitized": self._sanitized(phone)}

    def _sanitized(self, phone: Any) -> Any:
        if not phone or not self.has_numbers:
            return phone
        try:
            found = phonenumbers.parse(phone, self.country)
        except phonenumbers.NumberParseException:
            return False
        e164 = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
        return e164 if phonenumbers.is_possible_number(found) else False

    def _check(self, model: str, called: str) -> None:
        if called not in {"id", *_FIELDS[model]} or not self._has(called):
            raise Refused(500, "builtins.ValueError", f"Invalid field '{called}' on '{model}'")

    def _has(self, called: str) -> bool:
        """Whether this version has a field or a method."""
        return _KNOWN_FROM.get(called, 0) <= self.version <= _KNOWN_TO.get(called, self.version)

    def told(self, model: str, row: Row, fields: Sequence[str]) -> Row:
        """A record as it is read."""
        told: Row = {"id": row["id"]}
        for called in fields:
            self._check(model, called)
            kind, value = _FIELDS[model].get(called), row.get(called, False)
            if kind in self.rows and isinstance(value, int) and value is not False:
                value = [value, self.rows[kind][value]["name"]]
            told[called] = value
        return told

    def _has_search(self, model: str) -> bool:
        return model == "crm.lead" or (model == "res.partner" and self.version > 14)

    def _fits(self, model: str, row: Row, domain: list[Any]) -> bool:
        """Whether a record fits a domain, in Polish notation; what stands side by side holds all."""
        told: list[bool] = []
        for one in reversed(domain):
            told.append(told.pop() | told.pop() if one == "|" else self._holds(model, row, one))
        return all(told)

    def _holds(self, model: str, row: Row, condition: Any) -> bool:
        called, operator, value = condition
        if called == _SEARCHED and self._has_search(model):
            if len(value) < 3:
                raise Refused(422, "odoo.exceptions.UserError", "Please enter at least 3 characters")
            told = "\n".join(str(row.get(name) or "") for name in ("phone", "mobile"))
            return value in "".join(sign for sign in told if sign not in " ./()-")
        if called == "stage_id.is_won":
            return bool(self.rows["crm.stage"][row["stage_id"]]["is_won"]) is value
        self._check(model, called)
        has = row.get(called, False)
        match operator:
            case "in":
                return has in value
            case "=like":
                return fnmatchcase(str(has), value.replace("%", "*").replace("_", "?"))
            case ">=" | "<":
                return bool(has) and (has >= value if operator == ">=" else has < value)
            case "=":
                return bool(has == value)
        raise Refused(500, "builtins.ValueError", f"Invalid operator {operator!r}")


def _json(told: Any) -> Answered:
    return Answered(200, json.dumps(told).encode())
