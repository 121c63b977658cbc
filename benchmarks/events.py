"""How many messages of a PBX one process understands in a second."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence

from benchmarks.load import FILTERS, TAPES
from service.commands.replay import fold
from telephony import ami, tape
from telephony.told import Headers

_ROUNDS = 7


def measure() -> None:
    """Print parse + translate + fold, and translate + fold alone, of all AMI tapes; medians of several rounds."""
    texts = [path.read_text() for path in sorted(TAPES.glob("*.ami"))]
    told = [list(tape.messages(text.splitlines())) for text in texts]
    filters = FILTERS.read_text().lower()
    passed = [[one for one in call if f"name({ami.event_name(one).lower()})" in filters] for call in told]
    print("AMI messages a second in one process, all tapes (goal: translate + fold 100000)")
    _print("parse + translate + fold, read=all", told, lambda: [_folded(tape.messages(t.splitlines())) for t in texts])
    _print("translate + fold, read=all", told, lambda: [_folded(call) for call in told])
    _print("translate + fold, as our manager.conf filters", passed, lambda: [_folded(call) for call in passed])


def _folded(messages: Iterable[Headers]) -> object:
    return fold(event for message in messages for event in ami.translate("pbx", message))


def _print(name: str, told: Sequence[Sequence[Headers]], work: Callable[[], object]) -> None:
    rates = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work()
        rates.append(sum(map(len, told)) / (time.perf_counter() - began))
    print(f"  {name:<46} {statistics.median(rates):9.0f}", flush=True)
