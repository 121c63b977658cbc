"""Invented directories: one small office for examples, and Hypothesis strategies for any that a file may hold."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final

from hypothesis import strategies as st

from directory.hours import read_week
from directory.lead_policy import (
    CALL_TYPES,
    DOES,
    FIRST_STAGES,
    LOST,
    MAKES,
    OWNER_RULES,
    FunnelStep,
    LeadPolicy,
    LeadRule,
    OwnReason,
    RevivalChain,
    RevivalStep,
    TaskWish,
)
from directory.masking import MASK_KINDS, Masking
from directory.model import (
    DAYS,
    FOLLOW_UP_OWNERS,
    KINDS,
    MOBILE_SECONDS,
    ORDERS,
    RINGS,
    ROLES,
    SHOWS,
    Allowed,
    Blocked,
    Company,
    Consent,
    Device,
    Directory,
    DoNotCall,
    FollowUpPolicy,
    Hours,
    Line,
    Person,
    Span,
    SpecialDay,
    Team,
    Vip,
)
from directory.nps import STAGES as NPS_STAGES
from directory.nps import WAYS, NpsPolicy, TalkShare
from directory.outgoing import FIRSTS, Callback, Outgoing, Price, Reach
from directory.retention import DAYS_MOST, FOREVER, KEPT, STATUSES, Keep, Retention
from directory.rules import (
    BUILT_IN,
    DESTINATIONS,
    LEAD_STAGES,
    PERSON_STATES,
    REJECTS,
    RELATIVE,
    STRATEGIES,
    Destination,
    Rule,
    TeamLoad,
    When,
    open_by_default,
)
from directory.script import Step, Topic

LINE: Final = "74951234567"
ZONES: Final = ("Europe/Moscow", "UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")

OFFICE: Final = Directory(
    company=Company(name="Ромашка"),
    hours=(Hours("office", read_week({"mon-fri": "09:00-18:00", "sat": "10:00-15:00"})),),
    people=(
        Person(
            key="anna",
            name="Анна Смирнова",
            role="manager",
            hours="office",
            devices=(
                Device(kind="desk", address="PJSIP/anna-desk", number="101"),
                Device(kind="soft", address="PJSIP/anna-soft"),
                Device(kind="mobile", address="79160000011", trunk="PJSIP/trunk"),
            ),
        ),
        Person(
            key="boris",
            name="Борис Козлов",
            role="manager",
            hours="office",
            devices=(Device(kind="desk", address="PJSIP/boris-desk", number="102"),),
        ),
        Person(
            key="vera",
            name="Вера Павлова",
            role="head",
            devices=(Device(kind="mobile", address="79160000013", trunk="PJSIP/trunk"),),
        ),
    ),
    teams=(
        Team(key="sales", name="Продажи", strategy="ring_all", members=("anna", "boris")),
        Team(key="support", name="Поддержка", strategy="hunt", members=("boris", "anna", "vera")),
    ),
    lines=(
        Line(number=LINE, name="Основная", trunk="PJSIP/trunk", team="sales", hours="office"),
        Line(number="74951234568", name="Поддержка", team="support", ring_seconds=15),
    ),
    blocked=(Blocked(number="79160009999", note="спам"),),
)
"""Three people, two teams, two lines; Moscow time."""

words = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S"), include_characters=" "), min_size=1, max_size=12
).filter(lambda text: text == text.strip())
keys = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,7}", fullmatch=True)
mobiles = st.integers(79160000000, 79169999999).map(str)


phrases = st.lists(words.filter(lambda text: any(it.isalnum() for it in text)), min_size=1, max_size=3).map(tuple)
scripts = st.lists(st.builds(Step, words, phrases), max_size=3, unique_by=lambda step: step.step).map(tuple)
topics = st.lists(st.builds(Topic, words, phrases), max_size=3, unique_by=lambda topic: topic.name).map(tuple)
amounts = st.decimals(0, 10_000, places=2)
consents = st.builds(
    Consent,
    prompt=st.sampled_from(["priv-recordintro", "custom/said&custom/press-3"]),
    refuse=st.none() | st.sampled_from(["3", "*"]),
)
callbacks = st.builds(
    Callback,
    first=st.sampled_from(FIRSTS),
    attempts=st.integers(1, 20),
    after_seconds=st.integers(0, 86_400),
    pause_seconds=st.integers(1, 86_400),
)


def reaches(role: str) -> st.SearchStrategy[Reach]:
    """Prefixes, each once."""
    prefixes = st.lists(st.from_regex(r"[1-9][0-9]{0,5}", fullmatch=True), max_size=4, unique=True)
    return prefixes.map(lambda found: Reach(role=role, allow=tuple(found[::2]), deny=tuple(found[1::2])))


_minutes = st.none() | st.integers(1, 10_000)
_owner_rules = st.lists(st.sampled_from(OWNER_RULES), max_size=2, unique=True).map(tuple)
_own_reasons = st.lists(keys.map("own_{}".format), max_size=2, unique=True).flatmap(
    lambda found: st.tuples(*(st.builds(OwnReason, key=st.just(key), name=words) for key in found))
)
_said = words.filter(lambda text: not {"{", "}"} & set(text) and text.strip(" ,"))
_chain_steps = st.lists(
    st.builds(RevivalStep, days=st.integers(0, 365), do=st.sampled_from(DOES), text=_said), min_size=1, max_size=3
).map(lambda steps: tuple(sorted(steps, key=lambda step: step.days)))


_lead_rule: dict[str, st.SearchStrategy[Any]] = {
    "name": keys,
    "types": st.lists(st.sampled_from(CALL_TYPES), max_size=2, unique=True).map(tuple),
    "known": st.none() | st.booleans(),
    "make": st.sampled_from(MAKES),
    "stage": st.sampled_from(["", *FIRST_STAGES]),
    "owner": _owner_rules,
    "reassign": st.booleans(),
    "minutes": _minutes,
    "task": st.none() | st.builds(TaskWish, text=words, minutes=st.integers(1, 600)),
}
_lead_policy: dict[str, st.SearchStrategy[Any]] = {
    "funnel": st.lists(
        st.builds(FunnelStep, key=keys, name=words, minutes=_minutes), max_size=3, unique_by=lambda it: it.key
    ).map(tuple),
    "disqualified": _own_reasons,
    "lost": _own_reasons,
    "minutes": st.dictionaries(st.sampled_from(["new", "qualifying", "in_work"]), st.integers(1, 10_000)),
    "remind_minutes": st.integers(1, 600),
    "forgotten_days": st.integers(1, 30),
    "leads_most": st.none() | st.integers(1, 100),
    "lost_days": st.integers(0, 90),
    "revival": st.lists(
        st.builds(
            RevivalChain,
            name=keys,
            steps=_chain_steps,
            reasons=st.lists(st.sampled_from(LOST), max_size=2, unique=True).map(tuple),
            fields=st.dictionaries(st.sampled_from(["project", "проект"]), st.lists(words, min_size=1).map(tuple)),
        ),
        max_size=2,
        unique_by=lambda it: it.name,
    ).map(tuple),
    "return_owner": _owner_rules,
}


def lead_policies(numbers: Sequence[str]) -> st.SearchStrategy[LeadPolicy]:
    """Any policy of leads that a directory with these lines may hold."""
    lines = st.lists(st.sampled_from(numbers), max_size=2, unique=True).map(tuple) if numbers else st.just(())
    rule = st.builds(LeadRule, lines=lines, **_lead_rule)
    rules = st.lists(rule, max_size=2, unique_by=lambda it: it.name).map(tuple)
    return st.builds(LeadPolicy, rules=rules, **_lead_policy)


_nps_policy: dict[str, st.SearchStrategy[Any]] = {
    "way": st.sampled_from(WAYS),
    "stages": st.lists(st.sampled_from(NPS_STAGES), max_size=2, unique=True).map(tuple),
    "days_between": st.integers(1, 400),
    "delay_minutes": st.integers(0, 600),
    "prompt": st.sampled_from(["custom/nps", "vm-intro&beep"]),
    "comment_prompt": st.sampled_from(["", "vm-intro"]),
    "comment_seconds": st.integers(5, 120),
}


def nps_policies(numbers: Sequence[str]) -> st.SearchStrategy[NpsPolicy]:
    """Any policy of NPS that a directory with these lines may hold."""
    if not numbers:
        return st.builds(NpsPolicy, talks=st.just(()), **_nps_policy)
    share = st.builds(TalkShare, line=st.sampled_from(numbers), percent=st.integers(1, 100))
    talks = st.lists(share, max_size=2, unique_by=lambda it: it.line).map(tuple)
    return st.builds(NpsPolicy, talks=talks, **_nps_policy)


policies = st.builds(
    Outgoing,
    everybody=reaches(""),
    roles=st.lists(st.sampled_from(ROLES), max_size=2, unique=True).flatmap(
        lambda roles: st.tuples(*(reaches(role) for role in sorted(roles)))
    ),
    prices=st.lists(
        st.builds(Price, prefix=st.from_regex(r"[1-9][0-9]{0,4}", fullmatch=True), per_minute=amounts),
        max_size=3,
        unique_by=lambda price: price.prefix,
    ).map(tuple),
    price_per_minute=amounts,
    person_per_minute=st.integers(1, 1000),
    company_per_hour=st.integers(1, 1000),
    person_day_budget=st.none() | amounts,
    company_day_budget=st.none() | amounts,
)


_times = st.lists(st.integers(0, 1440), max_size=4, unique=True).map(sorted)


@st.composite
def weeks(draw: st.DrawFn) -> tuple[Span, ...]:
    """Spans as a file may hold them: sorted, and those of one day apart; some run over midnight."""
    spans: list[Span] = []
    for day in range(len(DAYS)):
        times = draw(_times)
        if len(times) % 2:
            times.pop()
        spans += [Span(day, *pair) for pair in zip(times[::2], times[1::2], strict=True)]
        last = spans[-1] if spans and spans[-1].day == day else None
        if last and draw(st.booleans()):
            spans[-1] = Span(day, last.opens, draw(st.integers(1, max(1, last.opens))))
    return tuple(sorted(span for span in spans if span.opens != span.closes))


_dated_weeks = st.dictionaries(st.dates(date(2020, 1, 1), date(2030, 1, 1)), weeks(), max_size=4)


@st.composite
def special_days(draw: st.DrawFn) -> tuple[SpecialDay, ...]:
    """Dates as a file may hold them: each once, closed or with hours of its own."""
    found = draw(_dated_weeks)
    return tuple(
        SpecialDay(day, tuple(span for span in spans if span.day == day.weekday()))
        for day, spans in sorted(found.items())
    )


_hours = st.tuples(weeks(), st.sampled_from([None, "RU", "DE-BY", "US"]), special_days())


@st.composite
def some_hours(draw: st.DrawFn, key: str = "any") -> Hours:
    """Any hours: a week, holidays of some country or none, dates that go their own way."""
    return Hours(key, *draw(_hours))


maskings = st.builds(
    Masking,
    kinds=st.none() | st.lists(st.sampled_from(MASK_KINDS), unique=True, max_size=3).map(tuple),
    keep_original=st.none() | st.booleans(),
    readers=st.none() | st.sampled_from(ROLES),
)


# What one part of a directory says whatever the others are; made once, as Hypothesis looks through each that is new.
_zone = st.sampled_from(ZONES)
_hours_keys = st.lists(keys, max_size=2, unique=True)
_people_keys = st.lists(keys, min_size=1, max_size=4, unique=True)
_team_keys = st.lists(keys, min_size=1, max_size=3, unique=True)
_numbers = st.lists(mobiles, min_size=20, max_size=20, unique=True)
_device_kind = st.sampled_from(KINDS)
_mobile_seconds = st.none() | st.integers(5, 60).filter(lambda it: it != MOBILE_SECONDS)
_person: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": words,
        "role": st.sampled_from(ROLES),
        "time_zone": st.none() | _zone,
        "order": st.sampled_from(ORDERS),
        "ring": st.sampled_from(RINGS),
        "languages": st.sampled_from([(), ("en",), ("ru", "en")]),
        "skills": st.sampled_from([(), ("tax",), ("tax", "law")]),
        "plan": st.sampled_from([1, 2, 5]),
        "leads_most": st.sampled_from([None, 1, 40]),
        "telegram": st.sampled_from([None, "123456789", "-100200300"]),
        "notify": st.sampled_from([("page",), ("email", "page"), ("webhook",)]),
        "quiet": st.sampled_from([None, "22:00-08:00", "never"]),
    }
)
_wrap_up = st.sampled_from([None, 0, 30, 3600])
_team: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": words,
        "strategy": st.sampled_from(STRATEGIES),
        "time_zone": st.none() | _zone,
        "wrap_up_seconds": _wrap_up,
    }
)
_days: dict[str, st.SearchStrategy[Any]] = {kind: st.sampled_from([None, FOREVER, 1, 90, DAYS_MOST]) for kind in KEPT}
_retentions = st.builds(
    Retention,
    statuses=st.lists(st.builds(Keep, **_days), min_size=len(STATUSES), max_size=len(STATUSES)).map(
        lambda found: tuple(pair for pair in zip(STATUSES, found, strict=True) if pair[1] != Keep())
    ),
    **_days,
)
_line: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": words,
        "time_zone": st.none() | _zone,
        "region": st.sampled_from([None, "GB", "KZ"]),
        "language": st.sampled_from([None, "ru", "en"]),
        "ring_seconds": st.integers(5, 300),
        "mobile_shows": st.sampled_from(SHOWS),
        "fallback": st.sampled_from([(), ("PJSIP/phone-0", "PJSIP/reception")]),
        "wrap_up_seconds": _wrap_up,
        "emergency": st.none() | mobiles,
        "shows": st.none() | mobiles,
        "callback": st.none() | callbacks,
        "ring_seconds_least": st.none() | st.integers(1, 300),
        "masking": maskings,
        "campaign": st.sampled_from([None, "spring", "метро"]),
        "retention": _retentions,
        "consent": st.none() | consents,
        "script": scripts,
    }
)
_company: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": words,
        "time_zone": _zone,
        "language": st.sampled_from(["ru", "en"]),
        "ring_seconds_least": st.integers(1, 300),
        "masking": maskings,
        "retention": _retentions,
        "topics": topics,
    }
)
_follow_up: dict[str, st.SearchStrategy[Any]] = {
    "owners": st.lists(st.sampled_from(FOLLOW_UP_OWNERS), unique=True).map(tuple),
    "minutes": st.none() | st.integers(1, 10080),
}
_notes = st.lists(st.just("") | words, max_size=2)


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    """Any directory without contradictions."""
    hours = tuple(draw(some_hours(key)) for key in draw(_hours_keys))
    named_hours = st.sampled_from([None, *(entry.key for entry in hours)])
    numbers = iter(draw(_numbers))
    addresses = iter(f"PJSIP/phone-{index}" for index in range(100))
    extensions = iter(str(number) for number in range(100, 200))

    def device() -> Device:
        kind = draw(_device_kind)
        number = draw(st.sampled_from([None, next(extensions)]))
        if kind == "mobile":
            seconds = draw(_mobile_seconds)
            return Device(kind=kind, address=next(numbers), number=number, trunk="PJSIP/trunk", mobile_seconds=seconds)
        return Device(kind=kind, address=next(addresses), number=number)

    people = tuple(
        Person(
            key=key,
            devices=tuple(device() for _ in range(draw(st.integers(0, 3)))),
            hours=draw(named_hours),
            calendar=draw(st.sampled_from([None, f"https://calendar.example/{key}.ics"])),
            email=f"{key}@romashka.example",
            **draw(_person),
        )
        for key in draw(_people_keys)
    )
    members = st.lists(st.sampled_from([person.key for person in people]), min_size=1, unique=True).map(tuple)
    teams = tuple(
        Team(key=key, members=draw(members), hours=draw(named_hours), **draw(_team)) for key in draw(_team_keys)
    )
    named_team = st.sampled_from([team.key for team in teams])
    person = st.sampled_from([None, *(person.key for person in people)])
    promises = st.builds(FollowUpPolicy, person=person, **_follow_up)
    lines = tuple(
        Line(
            number=next(numbers),
            team=draw(named_team),
            hours=draw(named_hours),
            follow_up=draw(promises),
            **draw(_line),
        )
        for _ in range(draw(st.integers(0, 3)))
    )
    blocked = tuple(Blocked(number=next(numbers), note=note) for note in draw(_notes))
    allowed = tuple(Allowed(number=next(numbers), note=note) for note in draw(_notes))
    line = st.sampled_from([None, *(one.number for one in lines)])
    people = tuple(replace(person, line=draw(line)) for person in people)
    teams = tuple(replace(team, line=draw(line)) for team in teams)
    unwanted = tuple(DoNotCall(number=next(numbers), note=note) for note in draw(_notes))
    vip = tuple(Vip(number=next(numbers), note=note) for note in draw(_notes))
    company = Company(follow_up=draw(promises), **draw(_company))
    bare = Directory(
        company=company,
        hours=hours,
        people=people,
        teams=teams,
        lines=lines,
        blocked=blocked,
        allowed=allowed,
        vip=vip,
        do_not_call=unwanted,
        outgoing=replace(draw(policies), line=draw(line)),
        leads=draw(lead_policies([one.number for one in lines])),
        nps=draw(nps_policies([one.number for one in lines])),
    )
    return replace(bare, rules=draw(rules(bare)))


def _some(values: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(tuple)


def _load(teams: Sequence[str]) -> st.SearchStrategy[TeamLoad]:
    count = st.integers(0, 2)
    bounds = st.sampled_from(["free_at_least", "free_at_most", "waiting_at_least", "waiting_at_most"])
    told = st.dictionaries(bounds, count, min_size=1, max_size=2)
    made = st.builds(lambda key, bounds: TeamLoad(key=key, **bounds), st.sampled_from(["", *teams]), told)
    return made.filter(lambda it: bool(it.to_json().keys() - {"key"}))


_ASKED: Final[dict[str, Callable[[Directory], st.SearchStrategy[Any]]]] = {
    "line": lambda directory: _some([line.number for line in directory.lines]),
    "campaign": lambda directory: _some(sorted({line.campaign for line in directory.lines if line.campaign})),
    "language": lambda _directory: _some(["ru", "en"]),
    "blocked": lambda _directory: st.just(value=True),
    "vip": lambda _directory: st.booleans(),
    "known": lambda _directory: st.booleans(),
    "number": lambda _directory: _some(["7916", "79", "44", "7"]),
    "stage": lambda _directory: _some(LEAD_STAGES),
    "open": lambda _directory: st.sampled_from([None, True, False]),
    "hours": lambda directory: _some([entry.key for entry in directory.hours]),
    "outside": lambda directory: _some([entry.key for entry in directory.hours]),
    "time": lambda _directory: st.sampled_from([(("mon-fri", "09:00-18:00"),), (("sat", "10:00-12:00, 13:00-15:00"),)]),
    "owner": lambda _directory: st.sampled_from(PERSON_STATES),
    "owner_is": lambda directory: _some([person.key for person in directory.people]),
    "last_talked": lambda _directory: st.sampled_from(PERSON_STATES),
    "team": lambda directory: _load([team.key for team in directory.teams]),
}


@st.composite
def conditions(draw: st.DrawFn, directory: Directory) -> When:
    """Up to three conditions that this directory allows."""
    there = {
        "line": directory.lines,
        "campaign": [line for line in directory.lines if line.campaign],
        "hours": directory.hours,
        "outside": directory.hours,
    }
    possible = [name for name in _ASKED if there.get(name, ("",))]
    asked = draw(st.lists(st.sampled_from(possible), max_size=3, unique=True))
    told = {name: draw(_ASKED[name](directory)) for name in asked}
    return When(**{"open": open_by_default(*map(told.get, ("hours", "outside", "time")))} | told)


@st.composite
def destinations(draw: st.DrawFn, directory: Directory) -> Destination:
    """Any destination that this directory allows."""
    kind = draw(st.sampled_from(DESTINATIONS))
    teams = [team.key for team in directory.teams]
    words_of = {
        "ring": RELATIVE,
        "person": [person.key for person in directory.people],
        "team": teams,
        "hold": teams,
        "queue": ["sales"],
        "voicemail": ["box", "100@default"],
        "number": ["74951112233", "79160009999"],
        "message": ["vm-goodbye", "custom/closed&vm-goodbye"],
        "reject": REJECTS,
    }
    to = draw(st.sampled_from(words_of[kind]))
    if kind == "team" or (kind, to) == ("ring", "team"):
        strategy = draw(st.sampled_from(["", *STRATEGIES]))
        skills, languages = draw(st.sampled_from([((), ()), (("tax",), ()), (("tax", "law"), ()), ((), ("en",))]))
        return Destination(kind=kind, to=to, strategy=strategy, skills=skills, languages=languages)
    timed = kind in {"hold", "queue", "voicemail", "number"}
    return Destination(kind=kind, to=to, seconds=draw(st.sampled_from([None, 1, 600])) if timed else None)


@st.composite
def rules(draw: st.DrawFn, directory: Directory) -> tuple[Rule, ...]:
    """Any rules that this directory allows."""
    taken = {rule.name for rule in BUILT_IN} | {"not_ready"}
    names = draw(st.lists(keys.filter(lambda key: key not in taken), max_size=3, unique=True))
    then = st.lists(destinations(directory), min_size=1, max_size=2).map(tuple)
    return tuple(Rule(name=name, when=draw(conditions(directory)), then=draw(then)) for name in names)


def noon_zone(now: datetime) -> str:
    """The time zone where it is about noon at that moment: what happened in the last hours happened on the same day."""
    return f"Etc/GMT{now.astimezone(UTC).hour - 12:+d}"
