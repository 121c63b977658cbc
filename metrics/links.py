"""What each connection to a PBX knows of itself, told at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from metrics.observe import PREFIX
from recordings.disk import LEVELS, Disk, Room
from telephony.pbx import LinkState


@dataclass(frozen=True, slots=True)
class WatchedLink:
    """One PBX by the name in the settings: its link's state, how many events were heard but could not be kept, for
    how long its CEL has not been read (None: there is none, or its time is not known yet), how many callers hold
    for each team, and whether another process attends it.
    """

    pbx: str
    state: LinkState
    lost_count: Callable[[], int]
    cel_unread_seconds: Callable[[], float | None]
    waiting: Callable[[], Mapping[str, int]] = dict
    standby: Callable[[], bool] = bool


class LinkGauges(Collector):
    """Families of all PBXes; `links` may grow after this was made. Register it: `registry.register(LinkGauges(…))`."""

    def __init__(self, links: Sequence[WatchedLink]) -> None:
        self._links = links

    def collect(self) -> Iterator[Metric]:
        """Tell every family, with a series a PBX; a value that is not known yet is left out.

        Of a PBX that another process attends nothing is told: no link of ours to it is no fault.
        """
        connected = _gauge("ami_connected", "Logged in to the PBX (1) or not (0).")
        silent = _gauge("ami_last_event_seconds", "Since the PBX was last heard.")
        lag = _gauge("ami_heartbeat_lag_seconds", "How long our last heartbeat took through the PBX and back.")
        unread = _gauge(
            "cel_unread_seconds", "Up to now minus this CEL is read and in the store; some seconds are usual."
        )
        offset = _gauge("ami_clock_offset_seconds", "The PBX's clock minus ours.")
        waiting = GaugeMetricFamily(
            f"{PREFIX}_callers_waiting", "Callers who hold in our own queue, by the team.", labels=["pbx", "team"]
        )
        counted = {
            name: CounterMetricFamily(f"{PREFIX}_{name}", about, labels=["pbx"]) for name, about in _COUNTED.items()
        }
        for link in self._links:
            if link.standby():
                continue
            pbx, state = [link.pbx], link.state
            connected.add_metric(pbx, float(state.connected))
            if state.last_event_at is not None:
                silent.add_metric(pbx, (datetime.now(UTC) - state.last_event_at).total_seconds())
            if state.heartbeat_lag_seconds is not None:
                lag.add_metric(pbx, state.heartbeat_lag_seconds)
            behind = link.cel_unread_seconds()
            if behind is not None:
                unread.add_metric(pbx, behind)
            if state.connected:
                offset.add_metric(pbx, state.clock_offset_seconds)
            for team, callers in link.waiting().items():
                waiting.add_metric([*pbx, team], float(callers))
            counts = {
                "ami_events": state.events_total,
                "ami_connects": state.connects_total,
                "ami_login_refusals": state.login_refusals_total,
                "ami_heartbeats_lost": state.heartbeats_lost_total,
                "ami_pieces_torn": state.torn_total,
                "ami_events_forged": state.forged_total,
                "events_lost": link.lost_count() + state.deliver_errors_total,
            }
            for name, count in counts.items():
                counted[name].add_metric(pbx, float(count))
        yield from (connected, silent, lag, unread, offset, waiting, *counted.values())


class StoreGauges(Collector):
    """How full the disk of the recordings is, looked at now; without one (a bucket) nothing is told."""

    def __init__(self, disk: Disk | None) -> None:
        self._disk = disk

    def collect(self) -> Iterator[Metric]:
        """Tell every family; of a disk that cannot be looked at only that it is no room."""
        used = _plain("store_disk_used_ratio", "Of the disk on which recordings are kept, 0 to 1.")
        free = _plain("store_disk_free_bytes", "Left on it for us.")
        level = GaugeMetricFamily(
            f"{PREFIX}_store_disk",
            "Its level: room, low (a person is told) or full (nothing is compressed).",
            labels=["level"],
        )
        if self._disk is not None:
            try:
                room = self._disk.room()
            except OSError:
                room = Room("full", 100.0, 0)
            used.add_metric([], room.used_percent / 100)
            free.add_metric([], room.free_bytes)
            for one in LEVELS:
                level.add_metric([one], float(one == room.level))
        yield from (used, free, level)


def _plain(name: str, about: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", about)


_COUNTED = {
    "ami_events": "Events heard from the PBX.",
    "ami_connects": "Logins that succeeded.",
    "ami_login_refusals": "Logins that the PBX refused.",
    "ami_heartbeats_lost": "Heartbeats that never came back: the PBX loses events.",
    "ami_pieces_torn": "Pieces of the stream that were no whole message; left out.",
    "ami_events_forged": "UserEvents in our names that an AMI user raised and no dialplan; left out.",
    "events_lost": "Events heard but dropped: the buffer was full, or their consumer failed. CEL tells them again.",
}


def _gauge(name: str, about: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", about, labels=["pbx"])
