"""Subtitles that another's parsers read, and the words around a moment."""

from __future__ import annotations

import io
from html import unescape
from itertools import pairwise
from typing import Any

import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.moments import REACH, excerpts, moments, wanted
from recordings.subtitles import CUE_SECONDS_MOST, LINE_CHARACTERS, LINES_MOST, cues, to_srt, to_vtt

NAMES = {"caller": "Клиент", "staff": "Мы"}


def said(side: str, text: str, start: float = 0.0, each: float = 0.4) -> list[dict[str, Any]]:
    """The words of a text one after another."""
    return [
        {"side": side, "text": word, "start": start + each * n, "end": start + each * (n + 0.9), "confidence": 0.9}
        for n, word in enumerate(text.split())
    ]


def test_a_sentence_is_a_cue_with_its_side_and_its_seconds() -> None:
    """Both formats, as players know them."""
    told = cues(said("staff", "Добрый день! Слушаю вас.") + said("caller", "Здравствуйте", 2))
    assert to_srt(told, NAMES).splitlines()[:8] == [
        "1", "00:00:00,000 --> 00:00:00,760", "Мы: Добрый день!", "",
        "2", "00:00:00,800 --> 00:00:01,560", "Мы: Слушаю вас.", "",
    ]  # fmt: skip
    assert to_vtt(told, NAMES).splitlines()[:7] == [
        "WEBVTT", "", "00:00:00.000 --> 00:00:00.760", "<v Мы>Добрый день!", "",
        "00:00:00.800 --> 00:00:01.560", "<v Мы>Слушаю вас.",
    ]  # fmt: skip
    assert to_srt((), NAMES) == ""
    assert to_vtt((), NAMES) == "WEBVTT\n"


def test_nothing_that_was_said_is_markup() -> None:
    """Tags, entities, arrows and names are text, whoever said them."""
    told = cues(said("caller", "<b>жирный</b> &lt; R&D --> 00:00 </v>"))
    names = {"caller": "Анна > <Борис>\n\nNOTE"}
    (cue,) = webvtt.from_buffer(io.StringIO(to_vtt(told, names))).captions
    assert unescape(cue.text) == "<b>жирный</b> &lt; R&D --> 00:00 </v>"
    assert unescape(cue.voice or "") == "Анна > <Борис> NOTE"
    (cue,) = webvtt.from_buffer(io.StringIO(to_srt(told, names)), format="srt").captions
    assert cue.text == "Анна › ‹Борис› NOTE: ‹b›жирный‹/b› &lt; R&D --› 00:00 ‹/v›"


_WORDS = st.lists(
    st.builds(
        lambda side, text, start, took: {"side": side, "text": text, "start": start, "end": start + took},
        st.sampled_from(["caller", "staff"]),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=9)
        | st.sampled_from(["слово", "конец.", "-->", "a" * 130, "<c>", "7", "\n\n1\n", " \xa0"]),
        st.floats(0, 90_000) | st.floats(0, 5),
        st.floats(0, 20),
    ),
    max_size=30,
)


@given(_WORDS)
@settings(max_examples=60)
def test_whatever_was_heard_becomes_subtitles_that_are_read_back(words: list[dict[str, Any]]) -> None:
    """Two lines, seven seconds, in order, apart on each side, and every letter is there."""
    told = cues(words)
    for cue in told:
        assert 0 <= cue.start < cue.end <= cue.start + CUE_SECONDS_MOST
        assert 1 <= len(cue.lines) <= LINES_MOST
        assert all(0 < len(line) <= LINE_CHARACTERS for line in cue.lines)
    assert [cue.start for cue in told] == sorted(cue.start for cue in told)
    for side in ("caller", "staff"):
        mine = [cue for cue in told if cue.side == side]
        assert all(one.end <= other.start for one, other in pairwise(mine))
    srt = webvtt.from_buffer(io.StringIO(to_srt(told, NAMES)), format="srt").captions if told else []
    vtt = webvtt.from_buffer(io.StringIO(to_vtt(told, NAMES))).captions if told else []
    assert len(srt) == len(vtt) == len(told)
    for cue, one, other in zip(told, srt, vtt, strict=True):
        assert other.voice == NAMES[cue.side]
        assert one.start_in_seconds == other.start_in_seconds == pytest.approx(cue.start, abs=1)
        assert one.end > one.start
        assert other.end > other.start


TALK = said("staff", "Добрый день, смотрим квартиру на Лесной улице") + said("caller", "квартиры есть", 9)


@pytest.mark.parametrize(
    "query, parts",
    [
        ("квартиру", [("квартир",)]),
        ('"Лесная улица" -дом OR цена', [("лесн", "улиц"), ("цен",)]),
        ("  ", []),
        ('- "" -"дом у реки"', []),
        ("Wi-Fi", [("wi", "fi")]),
        ('незакрытая "кавычка', [("незакрыт",), ("кавычк",)]),
    ],
)
def test_a_query_is_read_as_the_database_reads_it(query: str, parts: list[tuple[str, ...]]) -> None:
    """Words, phrases, and what is left out."""
    assert list(wanted(query)) == parts


def test_moments_are_by_time_and_side() -> None:
    """A phrase is one moment; one that is not said together is shown by its words."""
    assert [(one.side, one.start) for one in moments("квартира", TALK)] == [("staff", 3 * 0.4), ("caller", 9)]
    (one,) = moments('"лесной улице"', TALK)
    assert one.start == pytest.approx(2.0)
    assert one.words == (5, 6)
    assert len(moments('"улица лесная"', TALK)) == 2
    assert moments("-квартира", TALK) == ()


def test_an_excerpt_is_what_was_said_around_in_one_go() -> None:
    """As far as REACH words or a long pause; near moments share one, and each word that was found is marked."""
    far = said("staff", "раз", 20) + said("staff", " ".join(["слово"] * 30 + ["Лесная"] + ["слово"] * 30), 30)
    (first, second) = excerpts("лесная день", TALK + far)
    assert first.pieces == (
        ("Добрый", False), ("день,", True), ("смотрим квартиру на", False), ("Лесной", True), ("улице", False),
    )  # fmt: skip
    assert len(second.text.split()) == 2 * REACH + 1
    assert excerpts("раз", far)[0].text == "раз"
