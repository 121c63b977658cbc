"""By which words a file is read: the house's people, lines, steps and reasons, as people write them (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crm_sync.book.lifecycle import STAGES
from crm_sync.imports.rows import Terms, folded
from directory.model import Directory

Said = Mapping[str, Iterable[str]]
"""Key -> words that people use for it."""


def terms_of(directory: Directory, stages: Said, reasons: Said) -> Terms:
    """Give the terms of a house; `stages` and `reasons` are said in the words of the pages too."""
    policy = directory.leads
    of_house = {reason.key: (reason.name,) for reason in (*policy.disqualified, *policy.lost)}
    words = {
        "owner": _words({person.key: (person.name,) for person in directory.people}),
        "line": _words({line.number: (line.name, f"+{line.number}") for line in directory.lines}),
        "stage": _words({stage: stages.get(stage, ()) for stage in STAGES}),
        "step": _words({step.key: (step.name,) for step in policy.funnel}),
    }
    for stage, known in (("disqualified", policy.disqualifies()), ("lost", policy.loses())):
        words[stage] = _words({reason: of_house.get(reason) or reasons.get(reason, ()) for reason in known})
    mobiles = {device.address for person in directory.people for device in person.devices if device.kind == "mobile"}
    return Terms(
        region=directory.company.region,
        time_zone=directory.company.time_zone,
        staff=frozenset(mobiles | {line.number for line in directory.lines}),
        blocked=frozenset(blocked.number for blocked in directory.blocked),
        words=words,
    )


def _words(said: Said) -> dict[str, str]:
    """Folded word -> key. A key stands for itself, and a word of several for none of them (an empty key)."""
    found: dict[str, str] = {}
    for key, words in said.items():
        for word in map(folded, words):
            found[word] = "" if found.get(word, key) != key else key
    return found | {folded(key): key for key in said}


def word_for(terms: Terms, what: str, key: str, name: str) -> str:
    """Give the name of a key, or the key itself where the name would not lead back to it."""
    return name if terms.words[what].get(folded(name)) == key else key
