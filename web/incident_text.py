"""What an incident is called (pure)."""

from __future__ import annotations

from web.words import say


def title_of(language: str, kind: str, subject: str, count: int = 0) -> str:
    """One line that says what is wrong, or was."""
    about = say(language, f"queue.{subject}") if kind == "jobs" else subject
    return say(language, f"incident.{kind}", subject=about, count=count or "")
