"""Reads from the database, again and again, what only it knows: work owed, gaps, leads, devices."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

import structlog
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from metrics.observe import PREFIX
from metrics.questions import QUESTIONS, SELDOM, Question

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LIMIT: Final = text("select set_config('statement_timeout', :limit, true)")


class DatabaseGauges:
    """Families that the database answers for; every process that serves them tells the same.

    The database is reachable when it answers `select 1` within `seconds`; where it does not, these families are gone
    until it does, and no scrape waits for it. A question that takes longer than that, or fails, costs its own family
    alone, and rests.
    """

    def __init__(self, engine: AsyncEngine, seconds: float = 5.0, questions: Sequence[Question] = QUESTIONS) -> None:
        self._engine = engine
        self._seconds = seconds
        self._questions = questions
        self._told: dict[str, Metric] = {}
        self._asked_at: dict[str, float] = {}
        self._failing: set[str] = set()
        self._away = False
        self._ours: list[Metric] = []

    async def keep(self, every_seconds: float) -> None:
        """Read what is due again and again, until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(every_seconds)

    async def read(self) -> list[Metric]:
        """Ask again what is not known or due; all families then. Never raises for the database's sake."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._seconds), self._engine.connect() as connection:
                await connection.execute(text("select 1"))
            async with self._engine.connect() as connection:
                for question in self._questions:
                    if began - self._asked_at.get(question.name, -math.inf) >= self._rest(question):
                        await self._tell(connection, question)
                        self._asked_at[question.name] = began
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            if not self._away:
                log.warning("the database could not be asked for metrics", error=type(error).__name__)
            self._away = True
            self._told.clear()
            self._asked_at.clear()
        else:
            self._away = False
        reachable, spent = _about_us()
        reachable.add_metric([], 0.0 if self._away else 1.0)
        spent.add_metric([], time.perf_counter() - began)
        self._ours = [reachable, spent]
        return self.families()

    def _rest(self, question: Question) -> float:
        return max(question.every_seconds, SELDOM) if question.name in self._failing else question.every_seconds

    async def _tell(self, connection: AsyncConnection, question: Question) -> None:
        """Tell the family anew, or no more where the database refuses it. Raises what a database does that is away."""
        try:
            # The database ends a statement by itself, and the connection is good for the next. Past that it is away.
            async with asyncio.timeout(2 * self._seconds), connection.begin():
                await connection.execute(_LIMIT, {"limit": f"{self._seconds * 1000:.0f}ms"})
                self._told[question.name] = await _ask(connection, question)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            if question.name not in self._failing:
                log.warning("a family of metrics is not told", family=question.name, error=str(error.orig))
            self._failing.add(question.name)
            self._told.pop(question.name, None)
        else:
            self._failing.discard(question.name)

    def families(self) -> list[Metric]:
        """All families as they were read last."""
        return [*self._ours, *self._told.values()]


def describe(questions: Sequence[Question] = QUESTIONS) -> Iterator[Metric]:
    """The families without values, for checks of rules and dashboards against what there is."""
    yield from _about_us()
    for question in questions:
        yield _family(question)


def _about_us() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(f"{PREFIX}_database_reachable", "The database answered when it was asked last."),
        GaugeMetricFamily(f"{PREFIX}_database_scrape_seconds", "How long the database was asked then."),
    )


async def _ask(connection: AsyncConnection, question: Question) -> Metric:
    family = _family(question)
    values = {name: list(told) for name, told in question.values.items()}
    rows = (await connection.execute(text(question.sql), values)).all()
    if isinstance(family, HistogramMetricFamily):
        for labels, buckets_of in groupby(rows, key=lambda row: list(row[:-3])):
            series = list(buckets_of)
            buckets = [("+Inf" if row[-3] == "Infinity" else row[-3], float(row[-2])) for row in series]
            family.add_metric([str(label) for label in labels], buckets, float(series[-1][-1]))
        return family
    for row in rows:
        *labels, value = row
        if value is not None:
            family.add_metric([str(label) for label in labels], float(value))
    return family


def _family(question: Question) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    if question.histogram:
        return HistogramMetricFamily(f"{PREFIX}_{question.name}", question.about, labels=question.labels)
    kind = CounterMetricFamily if question.counts else GaugeMetricFamily
    return kind(f"{PREFIX}_{question.name}", question.about, labels=question.labels)
