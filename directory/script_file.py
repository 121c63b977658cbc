"""A line's `script:` and the company's `topics:`, read from YAML nodes."""

from typing import Final

from directory.nodes import Fields
from directory.script import PHRASE_CHARACTERS_MOST, PHRASES_MOST, STEPS_MOST, TOPICS_MOST, Step, Topic

_STEP: Final = ("step", "phrases")


def read_script(line: Fields) -> tuple[Step, ...]:
    """Read the steps of a line, in their order."""
    reading, path = line.reading, f"{line.path}.script"
    entries = reading.entries(line.table.get("script"), path)
    if len(entries) > STEPS_MOST:
        reading.fault(path, f"must have at most {STEPS_MOST} steps, got {len(entries)}")
    steps = []
    for child, node in entries:
        fields = Fields(reading, child, reading.mapping(node, child, _STEP))
        steps.append(Step(fields.needed("step", _short), _phrases(fields, "phrases")))
    return tuple(steps)


def read_topics(company: Fields) -> tuple[Topic, ...]:
    """Read the topics, in their order: `name: [word or phrase, ...]`."""
    reading, path = company.reading, f"{company.path}.topics"
    table = reading.mapping(company.table.get("topics"), path)
    if len(table) > TOPICS_MOST:
        reading.fault(path, f"must have at most {TOPICS_MOST} topics, got {len(table)}")
    fields = Fields(reading, path, table)
    topics = []
    for name in table:
        try:
            topics.append(Topic(_named(name), _phrases(fields, name)))
        except ValueError as error:
            reading.fault(f"{path}.{name}", f"{error}")
    return tuple(topics)


def _phrases(fields: Fields, key: str) -> tuple[str, ...]:
    told = fields.texts(key, _spoken)
    if not told:
        fields.reading.fault(f"{fields.path}.{key}", "must name at least one word or phrase")
    if len(told) > PHRASES_MOST:
        fields.reading.fault(f"{fields.path}.{key}", f"must be at most {PHRASES_MOST}, got {len(told)}")
    return told


def _spoken(value: str) -> str:
    """Check a word or a phrase: something of it must be sayable."""
    if not any(character.isalnum() for character in value):
        raise ValueError(f"must have a letter or a digit, got {value!r}")
    return _short(value)


def _named(value: str) -> str:
    if not value or not value.isprintable() or value != value.strip():
        raise ValueError(f"must be printable text, got {value!r}")
    return _short(value)


def _short(value: str) -> str:
    if len(value) > PHRASE_CHARACTERS_MOST:
        raise ValueError(f"must be at most {PHRASE_CHARACTERS_MOST} characters, got {len(value)}")
    return value
