"""Real Whisper hears a card's number, the archive is made with its seconds muted, and Whisper hears none in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recordings import opus
from recordings.heard import Talk, Track
from recordings.masking import kind_of, mask
from recordings.model import SpeechSettings
from recordings.speech import Speech
from recordings.transcript import Word
from service.settings import TranscriptionSettings
from tests.fakes.recorded import speech, write_wav

CARD = "2202604876475931"


@pytest.fixture
async def ears() -> AsyncIterator[Speech]:
    speech = Speech(SpeechSettings(TranscriptionSettings().model_path))
    yield speech
    await speech.close()


def read_out(language: str) -> list[str | float]:
    """The digits one by one, as people read a card, a breath after each four."""
    told: list[str | float] = []
    for at, digit in enumerate(CARD):
        told += [f"{language}/digits/{digit}", 0.6 if at % 4 == 3 else 0.1]
    return told


def texts(heard: dict[str, tuple[Word, ...]]) -> dict[str, str]:
    return {side: " ".join(word.text for word in words).casefold() for side, words in heard.items()}


async def test_a_card_that_is_read_out_is_heard_by_nobody_and_the_talk_around_it_by_everybody(
    ears: Speech, tmp_path: Path
) -> None:
    """Both sides read it, in Russian and in English; sentences before and behind stay in text and sound."""
    sides = {
        "caller": write_wav(
            tmp_path / "caller.wav", speech("ru/queue-youarenext", 1.0, *read_out("ru"), 1.0, "ru/vm-goodbye")
        ),
        "staff": write_wav(
            tmp_path / "staff.wav",
            speech(25.0, "en/queue-periodic-announce", 1.0, *read_out("en"), 1.0, "en/demo-thanks"),
        ),
    }
    heard = await ears.hear(Talk({side: Track(str(path)) for side, path in sides.items()}))
    masked = mask(heard.words, ["card"])
    for side, text in texts(masked.words).items():
        assert not any(letter.isdigit() for letter in text), (side, text)
        assert sum(kind_of(word.text) == "card" for word in masked.words[side]) >= 1, (side, text)
    sources = [opus.Source(str(path), side, 0.0) for side, path in sides.items()]
    archive = tmp_path / "archive.ogg"
    archive.write_bytes(opus.encode(sources, [(one.start, one.end) for one in masked.muted], 24_000).sound)
    again = await ears.hear(Talk({side: Track(str(archive), at) for at, side in enumerate(opus.SIDES)}))
    told = texts(again.words)
    assert not any(letter.isdigit() for text in told.values() for letter in text), told
    assert not mask(again.words, ["card"]).muted
    for side, around in (("caller", ("первым в очереди", "свидания")), ("staff", ("representatives", "thank you"))):
        assert all(part in told[side] for part in around), told[side]
