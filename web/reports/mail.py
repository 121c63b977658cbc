"""A report as an e-mail: plain words, and a document that a mailbox shows as it is, narrow or wide (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from web.render import render
from web.reports.letter import Letter, Part, ToldFigure, ToldRow
from web.reports.words import ToldFinding
from web.words import say


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture in the document: where it is had from, and what it shows for who does not see it."""

    source: str
    says: str


def html_of(letter: Letter, pictures: Sequence[Shown]) -> str:
    """The document: inline styles, no scripts, and nothing from outside but the pictures that are handed in."""
    return render("report_mail.html", letter.language, letter=letter, pictures=pictures)


def text_of(letter: Letter) -> str:
    """The same in plain words, without its subject and the link to the page."""
    parts = [
        "\n".join([letter.title, letter.period, " ".join((letter.counted, *letter.lacks))]),
        _headed(say(letter.language, "report.findings"), _findings(letter)),
        _headed(say(letter.language, "report.incidents"), letter.incidents) if letter.incidents else "",
        _part(letter.untold, letter.language) if letter.untold else "",
        _headed(say(letter.language, "report.figures"), [f"{one.name}: {_value(one)}" for one in letter.figures]),
        *(_part(part, letter.language) for part in letter.parts),
    ]
    return "\n\n".join(filter(None, parts))


def _headed(head: str, lines: Sequence[str]) -> str:
    return "\n".join([head.upper(), *lines])


def _findings(letter: Letter) -> list[str]:
    if not letter.findings:
        return list(letter.nothing)
    numbered = enumerate(letter.findings, 1)
    return [line for number, finding in numbered for line in _finding(number, finding, letter.language)]


def _finding(number: int, finding: ToldFinding, language: str) -> Iterator[str]:
    verdict = say(language, "verdict.good" if finding.good else "verdict.bad")
    yield f"{number}. [{verdict}] {finding.title}"
    yield "   " + " ".join(filter(None, (finding.why, finding.driver)))
    yield from (f"   → {': '.join(filter(None, (one.words, one.link)))}" for one in finding.actions)


def _part(part: Part, language: str) -> str:
    rest = [say(language, "mail.report.left_out", count=part.left_out)] if part.left_out else []
    return _headed(part.name, [*map(_row, part.rows), *rest])


def _row(row: ToldRow) -> str:
    return " → ".join(filter(None, (f"{row.name}: {_values(row.figures)}", row.link)))


def _value(figure: ToldFigure) -> str:
    return " ".join(filter(None, (_beside(figure), figure.pace, figure.outlook, figure.driver)))


def _beside(figure: ToldFigure) -> str:
    beside = ", ".join(filter(None, (figure.verdict_words, figure.usual, figure.plan)))
    return f"{figure.value} ({beside})" if beside else figure.value


def _values(figures: Sequence[ToldFigure]) -> str:
    return "; ".join(f"{one.name} {_beside(one) if one.verdict in {'good', 'bad'} else one.value}" for one in figures)
