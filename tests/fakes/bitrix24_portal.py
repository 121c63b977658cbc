"""What a Bitrix24 portal holds, and what its REST methods do with it, with their oddities.

The facts are those of the vendor's pages (b24restdocs) and of the published source of the module `voximplant`
(`lib/rest/helper.php`, `vi_crm_helper.php`); where they differ the source is followed. What a method does not know it
ignores, as the real one does, and it is written down in `ignored`, so that a test can demand that there is none.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any, Final

LIVE_MINUTES: Final = 30
"""So long from its CALL_START_DATE a live call is found again by `register`."""

APP_ONLY: Final = (
    "telephony.externalcall.register",
    "telephony.externalcall.finish",
    "telephony.externalline.",
    "event.bind",
)
EVENTS: Final = frozenset({"ONEXTERNALCALLSTART", "ONEXTERNALCALLBACKSTART", "ONCRMLEADUPDATE", "ONCRMCONTACTUPDATE"})
_ENTITIES: Final = {"CONTACT": 3, "LEAD": 1, "COMPANY": 4}
_LEAD_FIELDS: Final = frozenset(
    {"title", "name", "fm", "assignedById", "sourceId", "stageId", "originatorId", "originId", "contactId", "companyId"}
)
_CLOSED: Final = {"CONVERTED": "S", "JUNK": "F"}
_FOUND_MOST: Final = 20
"""So many duplicates of one kind are told, and then none of the next."""


class Refused(Exception):
    """An error of a method: its HTTP status, `error` and `error_description`."""

    def __init__(self, text: str, code: str = "ERROR_CORE", status: int = 400) -> None:
        super().__init__(text)
        self.text, self.code, self.status = text, code, status


@dataclass
class User:
    id: int
    inner: str = ""
    name: str = ""
    active: bool = True
    email: str = ""


@dataclass
class Live:
    """A call that was registered and is not finished."""

    id: str
    user: int
    phone: str
    type: int
    began: datetime
    app: str
    line: str | None
    external: str | None
    entities: list[tuple[str, int]]
    created: int | None = None
    shown: set[int] = field(default_factory=set)


@dataclass
class Portal:
    """The portal of one tenant. `now` is its clock; `statistics` are the finished calls, as rows.

    `sees_calls_of`: the users whose calls whoever asks has the right to see, None for all; `history_fields`: by what
    the history can be asked. `hidden_for`: so many seconds searches by number do not find what was made there; the
    portal itself knows it at once, as whoever asks for its id or its origin does.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    users: dict[int, User] = field(default_factory=lambda: {1: User(1, "", "Админ")})
    live: dict[str, Live] = field(default_factory=dict)
    statistics: list[dict[str, Any]] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)
    chats: list[str] = field(default_factory=list)
    entities: dict[str, dict[int, dict[str, Any]]] = field(
        default_factory=lambda: {"LEAD": {}, "CONTACT": {}, "COMPANY": {}}
    )
    activities: dict[int, dict[str, Any]] = field(default_factory=dict)
    records: dict[str, bytes] = field(default_factory=dict)
    transcripts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    bound: list[tuple[str, str]] = field(default_factory=list)
    uploads: dict[str, tuple[str, str]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    scopes: tuple[str, ...] = ("telephony", "crm", "user", "call")
    may_see_statistics: bool = True
    sees_calls_of: frozenset[int] | None = None
    history_fields: frozenset[str] = frozenset({"CALL_ID", "EXTERNAL_CALL_ID", "CALL_START_DATE"})
    statuses: dict[str, set[str]] = field(
        default_factory=lambda: {
            "STATUS": {"NEW", "IN_PROCESS", "PROCESSED", *_CLOSED},
            "SOURCE": {"CALL", "EMAIL", "WEB", "ADVERTISING", "CALLBACK", "OTHER"},
        }
    )
    hidden_for: float = 0.0
    makes_leads: bool = True
    has_leads: bool = True
    base: str = ""
    counter: int = 0

    def next(self) -> int:
        self.counter += 1
        return self.counter

    def add_entity(self, kind: str, phone: str, owner: int = 1, **more: Any) -> int:
        """Somebody who is in the CRM already."""
        number = self.next()
        row = {"id": number, "phones": [phone], "assignedById": owner, "title": "", "name": "", **more}
        if kind == "LEAD":
            row = {"stageId": "NEW", "originatorId": None, "originId": None} | row
        self.entities[kind][number] = row
        return number

    def make_lead(self, phones: list[str], owner: int, **more: Any) -> int:
        """Somebody asked for it: searches do not find it at once."""
        number = self.add_entity("LEAD", "", owner, **more)
        seen_at = self.now() + timedelta(seconds=self.hidden_for)
        self.entities["LEAD"][number] |= {"phones": phones, "seen_at": seen_at}
        return number

    def is_seen(self, kind: str, number: int) -> bool:
        """Whether searches find it yet."""
        seen_at: datetime | None = self.entities[kind][number].get("seen_at")
        return seen_at is None or seen_at <= self.now()

    def found(self, phone: str, kinds: tuple[str, ...] = tuple(_ENTITIES)) -> list[tuple[str, int]]:
        """Whose a number is: contacts, leads that are open, companies."""
        return [
            (kind, row["id"])
            for kind in kinds
            for row in self.entities[kind].values()
            if same(phone, row["phones"]) and (kind != "LEAD" or row["stageId"] not in _CLOSED)
        ]

    def call(self, method: str, params: Mapping[str, Any], app: str) -> Any:
        """Do what a method says."""
        name = method.lower()
        known = METHODS.get(name)
        if known is None:
            raise Refused("Method not found!", "ERROR_METHOD_NOT_FOUND", 404)
        work, allowed, scope = known
        if scope and scope not in self.scopes:
            raise Refused("The request requires higher privileges", "insufficient_scope", 403)
        self.ignored += [f"{method} {param}" for param in params if param not in allowed]
        return work(self, {**params, "_app": app})


def same(phone: str, others: list[str]) -> bool:
    """Whether a number is one of these, as the CRM compares: digits, without an extension, 8 as 7."""
    return digits(phone) in {digits(other) for other in others}


def digits(phone: str) -> str:
    told = re.sub(r"\D", "", re.split(r"[;,#]|доб|ext", phone)[0])
    return "7" + told[1:] if len(told) == 11 and told[0] == "8" else told


def _user(portal: Portal, params: Mapping[str, Any]) -> int:
    """Who is told by USER_ID or USER_PHONE_INNER; one whom nobody knows is as none."""
    if params.get("USER_ID"):
        return int(params["USER_ID"])
    inner = params.get("USER_PHONE_INNER")
    for user in portal.users.values():
        if inner and user.inner == inner and user.active:
            return user.id
    raise Refused("USER_ID or USER_PHONE_INNER should be set")


def _active(portal: Portal, user: int) -> None:
    if user not in portal.users or not portal.users[user].active:
        raise Refused("User is not found or is not active")


def register(portal: Portal, params: Mapping[str, Any]) -> Any:
    user = _user(portal, params)
    if str(params.get("TYPE")) not in {"1", "2", "3", "4", "5"}:
        raise Refused("Unknown TYPE")
    began = _began(portal, params)
    phone = re.sub(r"[^0-9+*#]", "", str(params.get("PHONE_NUMBER", "")))
    if not phone:
        raise Refused("Unsupported phone number format")
    _active(portal, user)
    line = str(params["LINE_NUMBER"]).strip()[:50] if params.get("LINE_NUMBER") else None
    if line:
        portal.lines.setdefault(line, "")
    kind, external, app = int(params["TYPE"]), params.get("EXTERNAL_CALL_ID"), params["_app"]
    for known in portal.live.values():
        if (
            (known.user, known.phone, known.type, known.app) == (user, phone, kind, app)
            and known.began > portal.now() - timedelta(minutes=LIVE_MINUTES)
            and (line is None or known.line == line)
            and (external is None or known.external == external)
        ):
            return _registered(known, params)
    told = f"{app}{user}{phone}{portal.next()}".encode()
    call_id = f"externalCall.{md5(told, usedforsecurity=False).hexdigest()}.{int(portal.now().timestamp())}"
    call = Live(call_id, user, phone, kind, began, app, line, external, [])
    internal = any(one.active and one.inner and one.inner == phone for one in portal.users.values())
    if params.get("CRM_ENTITY_TYPE") and params.get("CRM_ENTITY_ID"):
        call.entities = [(params["CRM_ENTITY_TYPE"], int(params["CRM_ENTITY_ID"]))]
    elif not internal:
        call.entities = portal.found(phone)
    portal.live[call_id] = call
    if str(params.get("CRM_CREATE", 0)) != "1" or internal or call.entities:
        return _registered(call, params)
    if not portal.makes_leads:
        return {**_registered(call, params), "LEAD_CREATION_ERROR": "You have no permission to create leads"}
    call.created = portal.make_lead([phone], user, sourceId=params.get("CRM_SOURCE", "CALL"))
    call.entities = [("LEAD", call.created)]
    return _registered(call, params)


def _began(portal: Portal, params: Mapping[str, Any]) -> datetime:
    if "CALL_START_DATE" not in params:
        return portal.now()
    try:
        began = datetime.fromisoformat(params["CALL_START_DATE"])
    except (TypeError, ValueError):
        began = None
    if began is None or began.tzinfo is None:
        raise Refused("CALL_START_DATE should be in the ISO-8601 format")
    return began


def _registered(call: Live, params: Mapping[str, Any]) -> dict[str, Any]:
    if str(params.get("SHOW", 1)) == "1":
        call.shown.add(call.user)
    kind, number = call.entities[0] if call.entities else ("", None)
    created = [{"ENTITY_TYPE": "LEAD", "ENTITY_ID": call.created}] if call.created else []
    return {
        "CALL_ID": call.id,
        "CRM_CREATED_LEAD": call.created,
        "CRM_CREATED_ENTITIES": created,
        "CRM_ENTITY_TYPE": kind,
        "CRM_ENTITY_ID": number,
    }


def show(portal: Portal, params: Mapping[str, Any]) -> Any:
    call = portal.live.get(params.get("CALL_ID", ""))
    if call is None:
        return False
    call.shown |= set(_users(params.get("USER_ID", call.user)))
    return True


def hide(portal: Portal, params: Mapping[str, Any]) -> Any:
    call = portal.live.get(params.get("CALL_ID", ""))
    if call is None:
        return False
    call.shown -= set(_users(params.get("USER_ID", call.user)))
    return True


def _users(told: Any) -> list[int]:
    return [int(one) for one in (told if isinstance(told, list) else [told])]


def finish(portal: Portal, params: Mapping[str, Any]) -> Any:
    if not isinstance(params.get("CALL_ID"), str):
        raise Refused("CALL_ID must be a string", "INVALID_ARGUMENT")
    user = _user(portal, params)
    call = portal.live.get(params["CALL_ID"])
    if call is None:
        raise Refused("Call is not found (call should be registered prior to finishing)")
    _active(portal, user)
    call.shown.discard(user)
    seconds = int(params.get("DURATION") or 0)
    code = str(params.get("STATUS_CODE") or ("200" if seconds else "304"))
    if call.created is not None and call.created in portal.entities["LEAD"]:
        portal.entities["LEAD"][call.created]["assignedById"] = user
    activity, bindings = None, call.entities or portal.found(call.phone)
    if bindings:
        activity = portal.next()
        portal.activities[activity] = {
            "ID": activity,
            "PROVIDER_ID": "VOXIMPLANT_CALL",
            "RESPONSIBLE_ID": user,
            "SUBJECT": call.phone,
            "COMPLETED": "N" if code == "304" and call.type in {2, 3} else "Y",
            "BINDINGS": list(bindings),
        }
    row: dict[str, Any] = {
        "ID": portal.next(),
        "CALL_ID": call.id,
        "EXTERNAL_CALL_ID": call.external,
        "PORTAL_USER_ID": user,
        "PHONE_NUMBER": call.phone,
        "PORTAL_NUMBER": call.line or f"REST_APP:{call.app}",
        "INCOMING": str(call.type),
        "CALL_DURATION": seconds,
        "CALL_START_DATE": {},
        "CALL_STATUS": 1 if seconds > 0 else 0,
        "CALL_FAILED_CODE": code,
        "CALL_FAILED_REASON": params.get("FAILED_REASON"),
        "CRM_ACTIVITY_ID": activity,
        "CRM_ENTITY_TYPE": bindings[0][0] if call.entities else None,
        "CRM_ENTITY_ID": bindings[0][1] if call.entities else None,
        "REST_APP_ID": call.app,
    }
    if not bindings:
        row["ERRORS"] = ["Could not find associated crm entity for the current call"]
    portal.statistics.append({**row, "CALL_START_DATE": call.began.isoformat()})
    if code == "304" and call.type in {2, 3}:
        portal.missed.append(row["ID"])
    if str(params.get("ADD_TO_CHAT", 0)) == "1":
        portal.chats.append(call.id)
    del portal.live[call.id]
    return row


def statistic(portal: Portal, params: Mapping[str, Any]) -> Any:
    """A field that the history lacks is dropped from the filter, and so are calls that one may not see: no error."""
    if not portal.may_see_statistics:
        raise Refused("Access denied!", "ACCESS_DENIED", 403)
    wanted = params.get("FILTER") or {}
    known = {key: value for key, value in wanted.items() if key.lstrip("=@%<>") in portal.history_fields}
    portal.ignored += [f"voximplant.statistic.get FILTER.{key}" for key in wanted if key not in known]
    seen = portal.sees_calls_of
    rows = [row for row in portal.statistics if seen is None or row["PORTAL_USER_ID"] in seen]
    return [row for row in rows if _fits(row, known)]


def _fits(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Filters as the lists know them: equal, `@` one of, `%` a part of, `>=`, `<=` and `<` of times."""
    for key, value in wanted.items():
        sign, name = re.fullmatch(r"(=|@|%|>=|<=|<)?(\w+)", key).groups()  # type: ignore[union-attr]
        mine = row.get(name)
        match sign:
            case "@":
                fits = str(mine) in {str(one) for one in value}
            case "%":
                fits = str(value) in str(mine)
            case ">=":
                fits = datetime.fromisoformat(str(mine)) >= datetime.fromisoformat(value)
            case "<=":
                fits = datetime.fromisoformat(str(mine)) <= datetime.fromisoformat(value)
            case "<":
                fits = datetime.fromisoformat(str(mine)) < datetime.fromisoformat(value)
            case _:
                fits = str(mine) == str(value)
        if not fits:
            return False
    return True


def attach_record(portal: Portal, params: Mapping[str, Any]) -> Any:
    """All but RECORD_URL, which the server fetches itself (`tests.fakes.bitrix24`) and passes on as bytes."""
    if not params.get("CALL_ID") or not (params.get("RECORD_URL") or "FILENAME" in params):
        raise Refused("Required parameters are not set")
    _finished(portal, params["CALL_ID"], "Call is not found in the statistic table. Is it finished?")
    if "RECORD_URL" in params:
        return keep_record(portal, params["CALL_ID"], params["_fetched"])
    if not params["FILENAME"]:
        raise Refused("File name is empty")
    if not params["FILENAME"].endswith((".wav", ".mp3")):
        raise Refused("Wrong file extension. Only wav and mp3 are allowed")
    if "FILE_CONTENT" not in params:
        token = f"upload{portal.next()}"
        portal.uploads[token] = (params["CALL_ID"], params["FILENAME"])
        return {"uploadUrl": f"{portal.base}/upload/{token}", "fieldName": "file"}
    if not params["FILE_CONTENT"]:
        raise Refused("File content is empty.")
    try:
        sound = base64.b64decode(params["FILE_CONTENT"], validate=True)
    except (binascii.Error, ValueError):
        raise Refused("Can not decode file content. Base64 encoding is expected.") from None
    return keep_record(portal, params["CALL_ID"], sound)


def keep_record(portal: Portal, call_id: str, sound: bytes) -> dict[str, Any]:
    """The file of a call; the one before is deleted."""
    portal.records[call_id] = sound
    return {"FILE_ID": portal.next()}


def attach_transcription(portal: Portal, params: Mapping[str, Any]) -> Any:
    if not params.get("CALL_ID"):
        raise Refused("CALL_ID should be set")
    if not isinstance(params.get("MESSAGES"), list):
        raise Refused("MESSAGES should be an array")
    for index, one in enumerate(params["MESSAGES"]):
        if one.get("SIDE") not in {"Client", "User"}:
            raise Refused(f"MESSAGES[{index}][SIDE] should be either Client or User")
        if not isinstance(one.get("START_TIME"), int) or one["START_TIME"] < 0:
            raise Refused(f"MESSAGES[{index}][START_TIME] should be a positive integer or zero")
        if not isinstance(one.get("STOP_TIME"), int) or one["STOP_TIME"] < 1:
            raise Refused(f"MESSAGES[{index}][STOP_TIME] should be a positive integer")
        if not one.get("MESSAGE"):
            raise Refused(f"MESSAGES[{index}][MESSAGE] is empty")
    _finished(portal, params["CALL_ID"], f"Call {params['CALL_ID']} is not found. Is it finished?")
    portal.transcripts[params["CALL_ID"]] = params["MESSAGES"]
    return {"TRANSCRIPT_ID": portal.next()}


def _finished(portal: Portal, call_id: str, otherwise: str) -> None:
    if not any(row["CALL_ID"] == call_id for row in portal.statistics):
        raise Refused(otherwise)


def search(portal: Portal, params: Mapping[str, Any]) -> Any:
    if not params.get("PHONE_NUMBER"):
        raise Refused("PHONE_NUMBER is empty")
    told = []
    for kind, number in portal.found(params["PHONE_NUMBER"]):
        if not portal.is_seen(kind, number):
            continue
        row = portal.entities[kind][number]
        owner = portal.users.get(row["assignedById"])
        by = {"ID": row["assignedById"], "TIMEMAN_STATUS": "OPENED", "USER_PHONE_INNER": owner.inner if owner else ""}
        told.append(
            {
                "CRM_ENTITY_TYPE": kind,
                "CRM_ENTITY_ID": number,
                "ASSIGNED_BY_ID": row["assignedById"],
                "NAME": row["name"] or row["title"],
                "ASSIGNED_BY": by,
            }
        )
    return told


def find_duplicates(portal: Portal, params: Mapping[str, Any]) -> Any:
    values = params.get("values")
    if params.get("type") not in {"PHONE", "EMAIL"}:
        raise Refused("", "Communication type is not defined")
    if not isinstance(values, list) or not values or len(values) > 20:
        raise Refused("", "Communication values are not defined")
    kinds = (params["entity_type"],) if "entity_type" in params else ("LEAD", "CONTACT", "COMPANY")
    told: dict[str, list[int]] = {}
    for kind in kinds:
        ids = [
            row["id"]
            for row in portal.entities[kind].values()
            if params["type"] == "PHONE"
            and any(same(one, row["phones"]) for one in values)
            and portal.is_seen(kind, row["id"])
        ]
        told |= {kind: ids[:_FOUND_MOST]} if ids else {}
        if len(ids) >= _FOUND_MOST:
            break  # many of one kind hide the next ones
    return told or []


def add_item(portal: Portal, params: Mapping[str, Any]) -> Any:
    fields = _lead_fields(portal, "crm.item.add", params)
    phones = [one["value"] for one in fields.pop("fm", []) if one["typeId"] == "PHONE"]
    owner = fields.pop("assignedById", 1)
    _active_owner(portal, owner)
    number = portal.make_lead(phones, owner, **fields)
    return {"item": _item(portal.entities["LEAD"][number])}


def update_item(portal: Portal, params: Mapping[str, Any]) -> Any:
    fields = _lead_fields(portal, "crm.item.update", params)
    row = portal.entities["LEAD"].get(int(params.get("id", 0)))
    if row is None:
        raise Refused("Element not found", "NOT_FOUND")
    if "assignedById" in fields:
        _active_owner(portal, fields["assignedById"])
    phones = [one["value"] for one in fields.pop("fm", []) if one["typeId"] == "PHONE"]
    row.update(fields)
    row["phones"] += phones
    return {"item": _item(row)}


def _active_owner(portal: Portal, owner: Any) -> None:
    if owner not in portal.users:
        raise Refused("Invalid value of the field assignedById", "CRM_FIELD_ERROR_VALUE_NOT_VALID")


def _lead_fields(portal: Portal, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    if params.get("entityTypeId") != 1:
        raise Refused("Smart process not found", "NOT_FOUND")
    fields = params.get("fields")
    if not isinstance(fields, dict):
        raise Refused("Required fields: fields", "100")
    portal.ignored += [f"{method} fields.{name}" for name in fields if name not in _LEAD_FIELDS]
    for name, kind in (("stageId", "STATUS"), ("sourceId", "SOURCE")):
        if name in fields and fields[name] not in portal.statuses[kind]:
            raise Refused(f"Invalid value of the field {name}", "CRM_FIELD_ERROR_VALUE_NOT_VALID")
    return {name: value for name, value in fields.items() if name in _LEAD_FIELDS}


def list_items(portal: Portal, params: Mapping[str, Any]) -> Any:
    kind = next((name for name, number in _ENTITIES.items() if number == params.get("entityTypeId")), None)
    if kind is None:
        raise Refused("Smart process not found", "NOT_FOUND")
    rows = [row for row in portal.entities[kind].values() if _fits(_item(row), params.get("filter") or {})]
    with_phones = params.get("select") == ["*"]  # only who asks for everything gets them
    return {"items": [_item(row) | (_phones(row) if with_phones else {}) for row in rows]}


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in row.items() if name not in {"phones", "seen_at"}}
    return told | ({"stageSemanticId": _CLOSED.get(row["stageId"], "P")} if "stageId" in row else {})


def _phones(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"fm": [{"typeId": "PHONE", "valueType": "WORK", "value": phone} for phone in row["phones"]]}


def add_todo(portal: Portal, params: Mapping[str, Any]) -> Any:
    if not params.get("deadline"):
        raise Refused("Required fields: deadline", "100")
    _time(params["deadline"])
    owner = _owner(portal, params)
    number = portal.next()
    portal.activities[number] = {
        "ID": number,
        "PROVIDER_ID": "CRM_TODO",
        "OWNER_TYPE_ID": params["ownerTypeId"],
        "OWNER_ID": params["ownerId"],
        "SUBJECT": params.get("title", ""),
        "DESCRIPTION": params.get("description", ""),
        "RESPONSIBLE_ID": params.get("responsibleId", 1),
        "DEADLINE": params["deadline"],
        "COMPLETED": "N",
        "BINDINGS": [owner],
    }
    return {"id": number}


def update_todo(portal: Portal, params: Mapping[str, Any]) -> Any:
    row = portal.activities.get(int(params.get("id", 0)))
    if row is None or row["PROVIDER_ID"] != "CRM_TODO":
        raise Refused("Entity not found", "NOT_FOUND")
    if not params.get("deadline"):
        raise Refused("Required fields: deadline", "100")
    _time(params["deadline"])
    if _owner(portal, params) != row["BINDINGS"][0]:
        raise Refused("Owner not found", "OWNER_NOT_FOUND")
    names = {
        "deadline": "DEADLINE",
        "title": "SUBJECT",
        "description": "DESCRIPTION",
        "responsibleId": "RESPONSIBLE_ID",
    }
    row.update({names[name]: value for name, value in params.items() if name in names})
    return {"id": row["ID"]}


def _owner(portal: Portal, params: Mapping[str, Any]) -> tuple[str, int]:
    for kind, number in _ENTITIES.items():
        if params.get("ownerTypeId") == number and params.get("ownerId") in portal.entities[kind]:
            return kind, params["ownerId"]
    raise Refused("Owner not found", "OWNER_NOT_FOUND")


def _time(told: Any) -> None:
    try:
        datetime.fromisoformat(told)
    except (TypeError, ValueError):
        raise Refused("Wrong datetime format", "WRONG_DATETIME_FORMAT") from None


def list_activities(portal: Portal, params: Mapping[str, Any]) -> Any:
    rows = [{k: v for k, v in row.items() if k != "BINDINGS"} for row in portal.activities.values()]
    return [{k: str(v) for k, v in row.items()} for row in rows if _fits(row, params.get("filter") or {})]


def update_activity(portal: Portal, params: Mapping[str, Any]) -> Any:
    row = portal.activities.get(int(params.get("id", 0)))
    if row is None:
        raise Refused("Activity is not found.")
    row.update(params["fields"])
    return True


def bind_activity(portal: Portal, params: Mapping[str, Any]) -> Any:
    row = portal.activities.get(params.get("activityId", 0))
    if row is None:
        raise Refused("Entity not found", "NOT_FOUND")
    owner = _owner(portal, {"ownerTypeId": params.get("entityTypeId"), "ownerId": params.get("entityId")})
    if owner in row["BINDINGS"]:
        raise Refused("Activity is already bound", "ACTIVITY_IS_ALREADY_BOUND")
    row["BINDINGS"].append(owner)
    return True


def list_statuses(portal: Portal, params: Mapping[str, Any]) -> Any:
    wanted = params.get("filter") or {}
    rows = [{"ENTITY_ID": kind, "STATUS_ID": one} for kind, ids in portal.statuses.items() for one in sorted(ids)]
    return [row for row in rows if _fits(row, wanted)]


def get_users(portal: Portal, params: Mapping[str, Any]) -> Any:
    wanted = params.get("FILTER") or {}
    rows: list[dict[str, Any]] = [
        {"ID": str(user.id), "ACTIVE": user.active, "NAME": user.name, "EMAIL": user.email}
        | {"UF_PHONE_INNER": user.inner or None}
        for user in portal.users.values()
    ]
    return [row for row in rows if _fits(row, wanted)]


def bind_event(portal: Portal, params: Mapping[str, Any]) -> Any:
    if str(params.get("event", "")).upper() not in EVENTS:
        raise Refused("Event not found", "ERROR_EVENT_NOT_FOUND")
    told = params["event"].upper(), params.get("handler", "")
    if not told[1].startswith(("https://", "http://127.0.0.1")):
        raise Refused("Handler URL is not valid", "ERROR_UNSUPPORTED_PROTOCOL")
    if told in portal.bound:
        raise Refused("Unable to set event handler: Handler already binded", "ERROR_CORE")
    portal.bound.append(told)
    return True


def add_line(portal: Portal, params: Mapping[str, Any]) -> Any:
    if not params.get("NUMBER"):
        raise Refused("NUMBER should not be empty")
    if params["NUMBER"] in portal.lines:
        raise Refused("Line already exists")
    portal.lines[params["NUMBER"]] = params.get("NAME", "")
    return {"ID": portal.next()}


def get_lines(portal: Portal, params: Mapping[str, Any]) -> Any:
    del params
    return [{"NUMBER": number, "NAME": name, "CRM_AUTO_CREATE": "Y"} for number, name in portal.lines.items()]


def get_scope(portal: Portal, params: Mapping[str, Any]) -> Any:
    del params
    return list(portal.scopes)


def get_mode(portal: Portal, params: Mapping[str, Any]) -> Any:
    del params
    return 1 if portal.has_leads else 2


_USER = {"USER_ID", "USER_PHONE_INNER"}
_REGISTER = _USER | {
    "PHONE_NUMBER", "TYPE", "CALL_START_DATE", "CRM_CREATE", "CRM_SOURCE", "CRM_ENTITY_TYPE", "CRM_ENTITY_ID", "SHOW",
    "ADD_TO_CHAT", "CALL_LIST_ID", "LINE_NUMBER", "EXTERNAL_CALL_ID",
}  # fmt: skip
_FINISH = _USER | {
    "CALL_ID", "DURATION", "COST", "COST_CURRENCY", "STATUS_CODE", "FAILED_REASON", "VOTE", "ADD_TO_CHAT",
}  # fmt: skip
_TODO = {"ownerTypeId", "ownerId", "deadline", "title", "description", "responsibleId", "pingOffsets"}
_RECORD = {"CALL_ID", "RECORD_URL", "FILENAME", "FILE_CONTENT", "_fetched"}

Method = tuple[Callable[[Portal, Mapping[str, Any]], Any], set[str], str]

METHODS: Final[dict[str, Method]] = {
    "telephony.externalcall.register": (register, _REGISTER, "telephony"),
    "telephony.externalcall.show": (show, {"CALL_ID", "USER_ID"}, "telephony"),
    "telephony.externalcall.hide": (hide, {"CALL_ID", "USER_ID"}, "telephony"),
    "telephony.externalcall.finish": (finish, _FINISH, "telephony"),
    "telephony.externalcall.attachrecord": (attach_record, _RECORD, "telephony"),
    "telephony.call.attachtranscription": (attach_transcription, {"CALL_ID", "MESSAGES"}, "telephony"),
    "telephony.externalcall.searchcrmentities": (search, {"PHONE_NUMBER"}, "telephony"),
    "telephony.externalline.add": (add_line, {"NUMBER", "NAME", "CRM_AUTO_CREATE"}, "telephony"),
    "telephony.externalline.get": (get_lines, set(), "telephony"),
    "voximplant.statistic.get": (statistic, {"FILTER", "SORT", "ORDER", "start"}, "telephony"),
    "crm.duplicate.findbycomm": (find_duplicates, {"type", "values", "entity_type"}, "crm"),
    "crm.item.add": (add_item, {"entityTypeId", "fields"}, "crm"),
    "crm.item.update": (update_item, {"entityTypeId", "id", "fields"}, "crm"),
    "crm.item.list": (list_items, {"entityTypeId", "select", "filter", "order", "start"}, "crm"),
    "crm.activity.todo.add": (add_todo, _TODO, "crm"),
    "crm.activity.todo.update": (update_todo, _TODO | {"id"}, "crm"),
    "crm.activity.list": (list_activities, {"select", "filter", "order", "start"}, "crm"),
    "crm.activity.update": (update_activity, {"id", "fields"}, "crm"),
    "crm.activity.binding.add": (bind_activity, {"activityId", "entityTypeId", "entityId"}, "crm"),
    "crm.status.list": (list_statuses, {"filter", "order", "start"}, "crm"),
    "user.get": (get_users, {"FILTER", "SORT", "ORDER", "start"}, "user"),
    "crm.settings.mode.get": (get_mode, set(), "crm"),
    "event.bind": (bind_event, {"event", "handler", "auth_type"}, ""),
    "scope": (get_scope, set(), ""),
}
