"""What people and lines are called (pure)."""

from directory.model import Directory


def person_name(directory: Directory, key: str | None) -> str:
    """A person's name; the key itself when they have left the directory, empty for nobody."""
    person = directory.person(key) if key else None
    return person.name if person else key or ""


def line_name(directory: Directory, number: str | None) -> str:
    """A line's name, empty when it is none of ours."""
    line = directory.line(number) if number else None
    return line.name if line else ""
