"""Real Whisper on recorded human prompts whose words are known."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from recordings.heard import AudioError, Heard, ModelMissingError, SpeechDiedError
from recordings.model import SpeechSettings
from recordings.speech import Speech
from recordings.transcribe_file import transcribe_file
from recordings.transcript import segments
from service.demo_world.speech import Speech as Turns
from service.demo_world.speech import words as known
from service.settings import TranscriptionSettings
from tests.fakes.recorded import speech, stereo, write_wav

STAFF: Turns = ("ru/queue-youarenext", 4.0, "ru/vm-goodbye")
CALLER: Turns = (7.5, "en/queue-periodic-announce")
SETTINGS = SpeechSettings(TranscriptionSettings().model_path)


@pytest.fixture(scope="module")
async def engine_room() -> AsyncIterator[Speech]:
    """One listening process for the module: the model is loaded once."""
    speech = Speech(SETTINGS)
    yield speech
    await speech.close()


def plain(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("ё", "е"))


def share(turns: Turns, heard: str) -> float:
    """How many of the known words were heard, 0 to 1."""
    wanted, told = plain(known(turns)), set(plain(heard))
    return sum(word in told for word in wanted) / len(wanted)


async def test_each_side_is_heard_in_its_own_language_while_the_loop_runs_on(
    engine_room: Speech, tmp_path: Path
) -> None:
    """Known words, times inside the recording, turns in order; meanwhile this process answers."""
    sides = {
        "caller": write_wav(tmp_path / "caller.wav", speech(*CALLER)),
        "staff": write_wav(tmp_path / "staff.wav", speech(*STAFF)),
    }
    lags: list[float] = []

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.02)
            lags.append(loop.time() - before - 0.02)

    ticking = asyncio.create_task(tick())
    heard = await engine_room.transcribe(sides)
    ticking.cancel()
    assert {side: told.language for side, told in heard.sides.items()} == {"caller": "en", "staff": "ru"}
    texts = {side: " ".join(word.text for word in told) for side, told in heard.words.items()}
    assert share(CALLER, texts["caller"]) >= 0.85
    assert share(STAFF, texts["staff"]) >= 0.75
    assert all(
        0 <= word.start <= word.end <= heard.audio_seconds + 0.1 for told in heard.words.values() for word in told
    )
    assert all(0 < word.confidence <= 1 for told in heard.words.values() for word in told)
    assert next(word.start for word in heard.words["caller"]) == pytest.approx(7.5, abs=1.0)
    turns = [one.side for one in segments(heard.words)]
    assert (turns[0], set(turns)) == ("staff", {"caller", "staff"})
    assert 0 < heard.realtime_factor < 20
    assert heard.model == "whisper-base"
    assert sorted(lags)[len(lags) // 2] < 0.1


async def test_a_stereo_file_is_two_sides_and_silence_says_nothing(engine_room: Speech, tmp_path: Path) -> None:
    """What `switchhook transcribe FILE` gives: left is the caller; a silent side has no words, invented or not."""
    turns: Turns = ("ru/vm-goodbye",)
    path = write_wav(tmp_path / "talk.wav", stereo(speech(3.0), speech(*turns)), channels=2)
    told = await transcribe_file(path, engine_room)
    assert told.heard.sides["caller"].words == ()
    assert share(turns, " ".join(one.text for one in told.segments)) == 1.0
    assert {one.side for one in told.segments} == {"staff"}
    shown = told.to_json()
    assert (shown["language"], shown["model"]) == ("ru", "whisper-base")
    assert len(shown["words"]) == 2
    assert "staff" in told.to_text()


async def test_a_language_that_is_set_is_not_guessed(tmp_path: Path, engine_room: Speech) -> None:
    """Silence alone: the language is the one that the line or the settings told."""
    path = write_wav(tmp_path / "silence.wav", bytes(32_000))
    assert (await engine_room.transcribe({"caller": path}, "en")).language == "en"
    assert (await engine_room.transcribe({"caller": path}, "ru")).language == "ru"


@pytest.mark.parametrize("content", [b"", b"this is no sound", b"RIFF\0\0\0\0WAVE"])
async def test_a_file_that_is_no_sound_is_one_clear_line(engine_room: Speech, tmp_path: Path, content: bytes) -> None:
    """And the listening process lives on."""
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"letter\.txt: cannot be read as sound") as told:
        await engine_room.transcribe_file(path)
    assert "\n" not in str(told.value)


async def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    """Before any sound is heard."""
    speech = Speech(replace(SETTINGS, model=str(tmp_path / "nowhere")))
    try:
        with pytest.raises(ModelMissingError, match=r"no Whisper model at .*: run `make`"):
            await speech.transcribe({"caller": write_wav(tmp_path / "a.wav", bytes(16_000))})
    finally:
        await speech.close()


async def test_a_killed_listening_process_is_replaced_and_the_work_is_done(tmp_path: Path) -> None:
    """Whoever waits notices nothing but the time."""
    turns: Turns = ("ru/vm-goodbye",)
    path = write_wav(tmp_path / "talk.wav", speech(*turns))
    engine, others = Speech(SETTINGS), set(_children(os.getpid(), "spawn_main"))
    try:
        working = asyncio.create_task(engine.transcribe({"caller": path}))
        async with asyncio.timeout(30):
            while not (children := set(_children(os.getpid(), "spawn_main")) - others):
                await asyncio.sleep(0.02)
        for child in children:
            os.kill(child, signal.SIGKILL)
        heard = await working
        assert share(turns, " ".join(word.text for word in heard.words["caller"])) == 1.0
    finally:
        await engine.close()


async def test_a_recording_that_kills_is_given_up_and_harms_no_other(tmp_path: Path) -> None:
    """Whoever opens it is killed, as by the kernel that runs out of memory: the others of its batch get their words."""
    turns: Turns = ("ru/vm-goodbye",)
    poison = write_wav(tmp_path / "poison.wav", bytes(16_000 * 400))
    paths = [write_wav(tmp_path / f"{name}.wav", speech(*turns)) for name in "ab"]
    engine, killed = Speech(SETTINGS, pauses=(0.0, 0.1)), set[int]()
    others = set(_children(os.getpid(), "spawn_main"))
    loop, file = asyncio.get_running_loop(), os.open(poison, os.O_RDWR)

    def guard() -> None:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except BlockingIOError:  # whoever was killed has it open to the last
            loop.call_later(0.005, guard)

    def kill() -> None:
        """Somebody opens the file, and stands still until it is let go."""
        for child in set(_children(os.getpid(), "spawn_main")) - killed - others:
            os.kill(child, signal.SIGKILL)
            killed.add(child)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        guard()

    loop.add_signal_handler(signal.SIGIO, kill)
    guard()
    try:
        told = await asyncio.gather(
            *(engine.transcribe({"caller": path}, "ru") for path in (paths[0], poison, paths[1])),
            return_exceptions=True,
        )
    finally:
        loop.remove_signal_handler(signal.SIGIO)
        os.close(file)
        await engine.close()
    assert isinstance(told[1], SpeechDiedError)
    assert "3 times" in str(told[1])
    assert len(killed) == 3
    for heard in (told[0], told[2]):
        assert isinstance(heard, Heard)
        assert share(turns, " ".join(word.text for word in heard.words["caller"])) == 1.0


async def test_what_is_heard_together_is_given_back_to_each_with_its_own_times(
    engine_room: Speech, tmp_path: Path
) -> None:
    """Words and times as when heard alone, to a third of a second; what cannot be read costs only itself."""
    prompts = ("en/queue-periodic-announce", "ru/queue-youarenext", "en/vm-goodbye", "ru/tt-allbusy")
    paths = [write_wav(tmp_path / f"{place}.wav", speech(place * 1.5, prompt)) for place, prompt in enumerate(prompts)]
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    alone = [await engine_room.transcribe({"caller": path}) for path in paths]
    *together, unread = await asyncio.gather(
        *(engine_room.transcribe({"caller": path}) for path in (*paths, broken)), return_exceptions=True
    )
    assert isinstance(unread, AudioError)
    for prompt, one, other in zip(prompts, alone, together, strict=True):
        assert isinstance(other, Heard)
        assert other.language == prompt[:2]
        mine, others = one.words["caller"], other.words["caller"]
        text = " ".join(word.text for word in others)
        assert share((prompt,), text) >= share((prompt,), " ".join(word.text for word in mine)) - 0.1, text
        same = [(a, b) for a, b in zip(mine, others, strict=False) if plain(a.text) == plain(b.text)]
        assert len(same) >= len(mine) * 0.7, text
        assert max(abs(a.start + a.end - b.start - b.end) / 2 for a, b in same) <= 0.3
        assert abs(sum(a.confidence - b.confidence for a, b in same)) / len(same) <= 0.2


async def test_the_same_said_on_many_calls_is_heard_on_each(engine_room: Speech, tmp_path: Path) -> None:
    """Where a shared window makes Whisper end early or leave out what was said again, that is heard once more."""
    prompts = ("ru/vm-goodbye", "ru/hello", "ru/queue-thankyou", "ru/one-moment-please") * 2
    said: list[Turns] = [(prompt, 0.7, prompt, 0.7, prompt) for prompt in prompts]
    paths = [write_wav(tmp_path / f"{number}.wav", speech(*turns)) for number, turns in enumerate(said)]
    heard = await asyncio.gather(*(engine_room.transcribe({"caller": path}, "ru") for path in paths))
    wanted = [len(plain(known(turns))) for turns in said]
    told = [len(plain(" ".join(word.text for word in one.words["caller"]))) for one in heard]
    for prompt, one in zip(prompts, heard, strict=True):
        assert share((prompt,), " ".join(word.text for word in one.words["caller"])) == 1.0
    assert 0.8 * sum(wanted) <= sum(told) <= sum(wanted), list(zip(told, wanted, strict=True))


async def test_a_gpu_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Asked for by name; `auto` takes the CPU, as every other test here shows."""
    if await asyncio.to_thread(Path("/dev/nvidiactl").exists):
        pytest.fail("this machine has a GPU: hear with it, and see `docs/how_to/choose_a_transcription_model.md`")
    engine = Speech(replace(SETTINGS, device="cuda"))
    try:
        with pytest.raises(ModelMissingError, match="there is no GPU that CUDA can use"):
            await engine.transcribe({"caller": write_wav(tmp_path / "a.wav", bytes(16_000))})
    finally:
        await engine.close()


async def test_listening_processes_die_with_a_killed_parent(tmp_path: Path) -> None:
    """SIGKILL of the worker leaves nothing running at full load."""
    path = write_wav(tmp_path / "talk.wav", speech("en/queue-periodic-announce"))
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from recordings.model import *\nfrom recordings.speech import *\n"
        "async def main():\n"
        "    speech = Speech(SpeechSettings(sys.argv[1]))\n"
        "    await speech.transcribe({'caller': Path(sys.argv[2])})\n"
        "    print('ready', flush=True)\n    await asyncio.sleep(600)\n"
        "if __name__ == '__main__':\n    asyncio.run(main())\n"
    )
    told = [sys.executable, str(script), SETTINGS.model, str(path)]
    paths = os.environ | {"PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(told, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=paths) as parent:
        assert parent.stdout is not None
        assert await asyncio.to_thread(parent.stdout.readline) == b"ready\n"
        children = _children(parent.pid, "spawn_main")
        assert children
        parent.kill()
    async with asyncio.timeout(10):
        while any(_alive(child) for child in children):
            await asyncio.sleep(0.05)


def _children(parent: int, holding: str) -> list[int]:
    told = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in told if holding in Path(f"/proc/{pid}/cmdline").read_text()]


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
