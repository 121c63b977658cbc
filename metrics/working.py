"""What should work this moment, told at each scrape: lines and trunks within their hours, phones of who is on shift."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from directory.model import Directory
from directory.presence import Presence, lines_open, works
from metrics.observe import PREFIX


def _now() -> datetime:
    return datetime.now(UTC)


class WorkingNow(Collector):
    """Families that alerts ask before they call silence a fault; nothing before there is a directory.

    `directory` is None until it is known, `presences` gives everybody's presence at a moment by our clock.
    """

    def __init__(
        self,
        directory: Callable[[], Directory | None],
        presences: Callable[[datetime], Mapping[str, Presence]],
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._directory = directory
        self._presences = presences
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Tell every line, every trunk that a line names, and every desk and soft phone of the directory."""
        lines = _gauge("line_open", "The line is within its hours (1) or not (0).", "line")
        trunks = _gauge("trunk_open", "A line of the trunk is within its hours (1) or none is (0).", "trunk")
        devices = _gauge("device_expected", "The phone's person is on shift and not absent (1), or is (0).", "device")
        directory = self._directory()
        if directory is not None:
            at = self._now()
            presences = self._presences(at)
            is_open = lines_open(directory, at)
            for number, opened in is_open.items():
                lines.add_metric([number], float(opened))
            for trunk in sorted({line.trunk for line in directory.lines if line.trunk}):
                ours = [is_open[line.number] for line in directory.lines if line.trunk == trunk]
                trunks.add_metric([trunk], float(any(ours)))
            for person in directory.people:
                expected = works(person, directory, presences.get(person.key, Presence()), is_open)
                for device in person.devices:
                    if device.kind != "mobile":
                        devices.add_metric([device.address], float(expected))
        yield from (lines, trunks, devices)


def _gauge(name: str, about: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", about, labels=[label])
