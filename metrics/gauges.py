"""Reads from the database, again and again, what only it knows: work owed, gaps, leads, devices."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from itertools import groupby

import structlog
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from metrics.observe import PREFIX
from metrics.questions import QUESTIONS, Question

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class DatabaseGauges:
    """Families that the database answers for; every process that serves them tells the same.

    A database that does not answer within `seconds` costs these families until it does, never a scrape:
    `database_reachable` is then 0.
    """

    def __init__(self, engine: AsyncEngine, seconds: float = 5.0, questions: Sequence[Question] = QUESTIONS) -> None:
        self._engine = engine
        self._seconds = seconds
        self._questions = questions
        self._told: dict[str, Metric] = {}
        self._asked_at: dict[str, float] = {}
        self._ours: list[Metric] = []

    async def keep(self, every_seconds: float) -> None:
        """Read what is due again and again, until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(every_seconds)

    async def read(self) -> list[Metric]:
        """Ask again what is not known or due; all families then. Never raises for the database's sake."""
        began = time.perf_counter()
        reachable, spent = _about_us()
        try:
            async with asyncio.timeout(self._seconds), self._engine.connect() as connection:
                for question in self._questions:
                    if began - self._asked_at.get(question.name, -math.inf) >= question.every_seconds:
                        self._told[question.name] = await _ask(connection, question)
                        self._asked_at[question.name] = began
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("the database could not be asked for metrics", error=type(error).__name__)
            self._told.clear()
            self._asked_at.clear()
        reachable.add_metric([], 1.0 if self._told else 0.0)
        spent.add_metric([], time.perf_counter() - began)
        self._ours = [reachable, spent]
        return self.families()

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
