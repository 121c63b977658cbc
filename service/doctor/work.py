"""The work after calls: workers that live, queues that move, and a model that is quicker than people talk."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import text

from calls.queue import QUEUES, waiting
from recordings.heard import SpeechError
from service.doctor.check import Check
from service.doctor.look import Known, aside
from service.settings import Settings
from service.wiring import open_speech

OLD_SECONDS: Final = 600.0
"""So long nothing waits that is ready to be done; for its text a call may."""
_OLD_SPEECH_SECONDS: Final = 3600.0

_ALIVE = text(
    "select count(*) from procrastinate_workers"
    " where last_heartbeat > clock_timestamp() - make_interval(secs => :seconds)"
)


async def workers(known: Known) -> list[Check]:
    """Whether anybody does what is owed, how old the oldest of it is, and what was given up."""
    async with known.engine.connect() as connection:
        alive = (await connection.execute(_ALIVE, {"seconds": known.settings.jobs.stalled_seconds})).scalar_one()
        queues = await waiting(connection)
    owed = sum(queue.waiting for queue in queues)
    remedy = "run `switchhook worker`, or `switchhook serve`, which keeps one"
    if alive:
        checks = [Check("workers", "ok", f"{alive} live")]
    else:
        checks = [Check("workers", "fail" if owed else "warn", f"none lives, {owed} jobs wait", remedy)]
    old = [
        f"{queue.queue} for {queue.oldest_seconds / 60:.0f} min"
        for queue in queues
        if queue.oldest_seconds > (_OLD_SPEECH_SECONDS if queue.queue == "transcription" else OLD_SECONDS)
    ]
    given_up = sum(queue.failed for queue in queues)
    if old:
        checks.append(Check("queues", "warn", f"work waits: {', '.join(old)}", "see docs/runbooks/jobs_old.md"))
    elif given_up:
        why = f"{given_up} jobs were given up"
        checks.append(Check("queues", "warn", why, "switchhook jobs list; see docs/runbooks/jobs_given_up.md"))
    else:
        checks.append(Check("queues", "ok", f"{owed} jobs wait in {len(QUEUES)} queues"))
    return checks


async def model(settings: Settings) -> list[Check]:
    """Whether the model is there, and how long it takes over a window of sound."""
    told = settings.transcription
    if not await aside((Path(told.model_path) / "model.bin").is_file):
        remedy = "run `make setup`, or set transcription.model to a CTranslate2 folder"
        return [Check("transcription", "warn", f"no model.bin in {told.model_path}", remedy)]
    async with open_speech(told) as speech:
        try:
            pace = await speech.pace()
        except SpeechError as error:
            return [Check("transcription", "fail", str(error), "see docs/how_to/choose_a_transcription_model.md")]
    name = Path(told.model_path).name
    why = f"model {name} hears a minute in {60 * pace:.0f} s"
    remedy = "name a smaller model, or a GPU: docs/how_to/choose_a_transcription_model.md"
    return [
        Check("transcription", "ok", f"model {name}"),
        Check("transcription speed", "ok" if pace < 1 else "warn", why, remedy),
    ]
