"""Any recording to text, with the engine of the service: what `switchhook transcribe FILE` runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from recordings import transcript
from recordings.heard import Heard


class HearsFiles(Protocol):
    """`recordings.speech.Speech`, as far as a file needs it."""

    async def transcribe_file(self, path: Path, hint: str | None = None) -> Heard:
        """Hear a file. Raises SpeechError."""
        ...


@dataclass(frozen=True, slots=True)
class FileTranscript:
    """What was said in a file."""

    heard: Heard
    segments: tuple[transcript.Segment, ...]

    def to_json(self) -> dict[str, Any]:
        """The stable object of `--json`; times are seconds from the start."""
        return {
            "language": self.heard.language,
            "model": self.heard.model,
            "audio_seconds": round(self.heard.audio_seconds, 3),
            "took_seconds": round(self.heard.took_seconds, 3),
            "realtime_factor": round(self.heard.realtime_factor, 4),
            "segments": transcript.segments_json(self.segments),
            "words": transcript.words_json(self.heard.words),
        }

    def to_text(self) -> str:
        """One line a segment: `00:12.3 caller  text`; without sides for a file of one voice track."""
        many = len(self.heard.sides) > 1
        return "\n".join(
            f"{_clock(one.start)}  {f'{one.side:<6}  ' if many else ''}{one.text}" for one in self.segments
        )


async def transcribe_file(path: Path, speech: HearsFiles) -> FileTranscript:
    """Hear `path`, of any format: two channels are caller (left) and staff (right). Raises SpeechError."""
    heard = await speech.transcribe_file(path)
    return FileTranscript(heard, transcript.segments(heard.words))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02d}:{rest:04.1f}"
