"""Counts what changes of calls tell: each call once, when it settles, and each routing decision once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from calls.due import Change
from calls.events import FallbackTaken, Routed
from calls.follow_up import cause_of
from calls.missed import CAUSES
from calls.nps import OF_NOBODY
from calls.view import CallView
from directory.model import Directory
from directory.rules import BUILT_IN

PREFIX: Final = "switchhook"
DIRECTIONS: Final = ("inbound", "outbound", "internal")
STATUSES: Final = ("answered", "missed", "failed", "voicemail")
OUTCOMES: Final = ("in_time", "from_cache", "late", "refused", "fallback")
RULES_THAT_DECIDE: Final = (*(rule.name for rule in BUILT_IN), "not_ready")
OTHER: Final = "other"
NO_LINE: Final = "none"

_WAITS = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300)
_TALKS = (5, 15, 30, 60, 120, 180, 300, 600, 1200, 1800, 3600)
_DECISIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0)
_PUSHES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def _nothing() -> Directory | None:
    return None


class Observed:
    """Counters and histograms of calls; `observe` is told every change after its transaction.

    `directory` gives the lines now (None: not known yet). A line or trunk that is not in it is counted as `other`,
    so the labels stay as few as the company's own; calls on no line (outbound, internal) have the line `none`.
    """

    def __init__(self, registry: CollectorRegistry, directory: Callable[[], Directory | None] = _nothing) -> None:
        self._directory = directory
        self._prepared: Directory | None = None
        where = ["line", "team"]
        self.calls = Counter(
            "calls", "Calls, counted once when settled.", ["direction", "status", *where], PREFIX, registry=registry
        )
        self.by_trunk = Counter(
            "trunk_calls", "Calls that came in, by the trunk.", ["trunk"], PREFIX, registry=registry
        )
        self.missed = Counter(
            "missed_calls",
            "Missed calls, also of the CRM alone, by cause.",
            ["cause", *where],
            PREFIX,
            registry=registry,
        )
        self.wait = Histogram(
            "call_wait_seconds",
            "How long inbound callers waited for a person, or until they gave up.",
            namespace=PREFIX,
            registry=registry,
            buckets=_WAITS,
        )
        self.talk = Histogram(
            "call_talk_seconds", "How long people talked.", namespace=PREFIX, registry=registry, buckets=_TALKS
        )
        self.decision = Histogram(
            "routing_decision_seconds",
            "From the arrival's event to its plan; source: fresh facts, or a cache.",
            ["source"],
            namespace=PREFIX,
            registry=registry,
            buckets=_DECISIONS,
        )
        self.outcome = Counter(
            "routing_outcome", "What became of arrivals on our lines.", ["outcome"], PREFIX, registry=registry
        )
        self.rule = Counter("routed_calls", "Arrivals by the rule that decided.", ["rule"], PREFIX, registry=registry)
        self.caught_up = Counter(
            "catch_up_calls", "Calls with facts read again after an outage.", namespace=PREFIX, registry=registry
        )
        for outcome in OUTCOMES:
            self.outcome.labels(outcome)

    def observe(self, change: Change) -> None:
        """Count what this change did first; a change told of a call that was already so counts nothing."""
        before, after = change.before, change.after
        if after.direction in OF_NOBODY:
            return
        if change.just_settled:
            self._count(after)
        if after.integration_lost and not (before and before.integration_lost):
            self.missed.labels("integration_lost", *self._place(after)).inc()
        if after.recovered and not (before and before.recovered):
            self.caught_up.inc()
        routed = change.first(Routed)
        if isinstance(routed, Routed) and not (before and before.outcome):
            self.outcome.labels(routed.outcome if routed.outcome in OUTCOMES else "refused").inc()
            self.decision.labels("cache" if routed.outcome == "from_cache" else "fresh").observe(routed.seconds)
            self.rule.labels(_closed(after.rule, self._rules())).inc()
        fallback = change.first(FallbackTaken)
        if isinstance(fallback, FallbackTaken) and fallback.reason:
            self.outcome.labels("fallback").inc()

    def _rules(self) -> tuple[str, ...]:
        """Give the rules that a decision may name: the built-in ones and those of the directory."""
        directory = self._directory()
        return (*RULES_THAT_DECIDE, *(rule.name for rule in (directory.rules if directory else ())))

    def prepare(self) -> None:
        """Tell every series of the directory's lines from zero on.

        Prometheus sees no increase in a series that begins with 1: without this the first missed call of a line, in a
        small company the only one of the day, would raise no alert.
        """
        directory = self._directory()
        if directory is None or directory is self._prepared:
            return
        self._prepared = directory
        for place in [(line.number, line.team) for line in directory.lines] + [(OTHER, OTHER)]:
            for status in STATUSES:
                self.calls.labels("inbound", status, *place)
            for cause in CAUSES:
                self.missed.labels(cause, *place)
        self.missed.labels("integration_lost", NO_LINE, NO_LINE)
        for trunk in (*_trunks(directory), OTHER):
            self.by_trunk.labels(trunk)

    def _count(self, seen: CallView) -> None:
        line, team = self._place(seen)
        self.calls.labels(_closed(seen.direction, DIRECTIONS), _closed(seen.status, STATUSES), line, team).inc()
        cause = cause_of(seen)
        if cause is not None:
            self.missed.labels(cause if cause in CAUSES else "unknown", line, team).inc()
        if seen.direction == "inbound":
            self.by_trunk.labels(_closed(seen.caller_device, _trunks(self._directory()))).inc()
            self.wait.observe(seen.wait_seconds)
        if seen.talk_seconds:
            self.talk.observe(seen.talk_seconds)

    def _place(self, seen: CallView) -> tuple[str, str]:
        if seen.direction != "inbound":
            return NO_LINE, NO_LINE
        directory = self._directory()
        line = directory.line(seen.line) if directory else None
        return (line.number, line.team) if line else (OTHER, OTHER)


class Pushed:
    """How fast pages are told; hand `seconds` to the web room as its `on_push`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._push = Histogram(
            "card_push_seconds",
            "From a call's change to its card's bytes on the wire.",
            namespace=PREFIX,
            registry=registry,
            buckets=_PUSHES,
        )

    def seconds(self, seconds: float) -> None:
        """One card was sent after so many seconds."""
        self._push.observe(seconds)


class Reconciled:
    """How many calls two keepers of the same facts tell differently, as their last comparison found."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._differences = Gauge(
            "reconcile_differences",
            "Calls that are told differently: of the last compared hour (pbx_store), or day (store_crm).",
            ["between"],
            PREFIX,
            registry=registry,
        )
        self._counts: dict[str, dict[str, int]] = {}

    def note(self, between: str, pbx: str, count: int) -> None:
        """The last comparison `between` two keepers (pbx_store) of one PBX's calls."""
        counts = self._counts.setdefault(between, {})
        counts[pbx] = count
        self._differences.labels(between).set(sum(counts.values()))

    def note_all(self, between: str, counts: Mapping[str, int]) -> None:
        """The last comparisons `between` two keepers (store_crm), of each connection that there is."""
        self._counts[between] = dict(counts)
        self._differences.labels(between).set(sum(counts.values()))


class CrmAsked:
    """How a CRM answers while a caller waits; `note` is told each wait, one of `RESULTS`, and its seconds."""

    RESULTS: Final = ("told", "late", "failed")

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "crm_requests", "What a CRM was asked.", ["crm", "operation", "result"], PREFIX, registry=registry
        )
        self._seconds = Histogram(
            "crm_request_seconds",
            "How long callers waited for the CRM to tell their owner.",
            ["crm", "operation"],
            namespace=PREFIX,
            registry=registry,
            buckets=_DECISIONS,
        )
        for result in self.RESULTS:
            self._requests.labels("http", "owner", result)

    def note(self, result: str, seconds: float) -> None:
        """Count one wait for an owner."""
        self._requests.labels("http", "owner", _closed(result, self.RESULTS)).inc()
        self._seconds.labels("http", "owner").observe(seconds)


def _trunks(directory: Directory | None) -> tuple[str, ...]:
    """Give the trunks that lines and devices of the directory name."""
    if directory is None:
        return ()
    devices = {device.trunk for person in directory.people for device in person.devices}
    return tuple(sorted(trunk for trunk in {line.trunk for line in directory.lines} | devices if trunk))


def _closed(value: str, known: tuple[str, ...]) -> str:
    return value if value in known else OTHER
