"""What a talk is looked through for: the steps of a line's script, and the company's topics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

STEPS_MOST: Final = 50
TOPICS_MOST: Final = 100
PHRASES_MOST: Final = 100
PHRASE_CHARACTERS_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Step:
    """A step of what staff say on a line, by its name; whoever says any of its phrases has taken it."""

    step: str
    phrases: tuple[str, ...]

    def __str__(self) -> str:
        """The step in a line for people."""
        return _listed(self.step, self.phrases)


@dataclass(frozen=True, slots=True)
class Topic:
    """What talks are about, by its name; any of its words or phrases, said by either side, is a mention."""

    name: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        """The topic in a line for people."""
        return _listed(self.name, self.words)


def script_json(script: Iterable[Step]) -> list[dict[str, Any]]:
    """A script as it is stored, and as a file writes it."""
    return [{"step": step.step, "phrases": list(step.phrases)} for step in script]


def script_from(told: Iterable[Mapping[str, Any]]) -> tuple[Step, ...]:
    """A stored script."""
    return tuple(Step(step["step"], tuple(step["phrases"])) for step in told)


def topics_json(topics: Iterable[Topic]) -> list[dict[str, Any]]:
    """Topics as they are stored: a list, for an object would lose their order."""
    return [{"name": topic.name, "words": list(topic.words)} for topic in topics]


def topics_from(told: Iterable[Mapping[str, Any]]) -> tuple[Topic, ...]:
    """Stored topics."""
    return tuple(Topic(topic["name"], tuple(topic["words"])) for topic in told)


def _listed(name: str, phrases: tuple[str, ...]) -> str:
    return f"{name} ({' or '.join(phrases)})"
