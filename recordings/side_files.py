"""Every stored side of a call as a file of this machine, whether it lies in the store or in the call's archive."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from recordings import opus
from recordings.archive_plan import ArchivedPart
from recordings.archive_rows import Archive
from recordings.rows import Recording
from recordings.store import Store
from recordings.wav import header


@asynccontextmanager
async def side_files(
    store: Store, sides: Sequence[Recording], archives: Sequence[Archive]
) -> AsyncIterator[dict[tuple[str, str], Path]]:
    """By (channel, side): a WAV, for as long as the body runs.

    What is in an archive is decoded (from the original, when the policy keeps it), into a file without a name, which
    is gone with this process. Raises FileNotFoundError, StoreError, opus.SoundError.
    """
    found: dict[tuple[str, str], Path] = {}
    async with AsyncExitStack() as stack:
        fetched: dict[str, Path] = {}
        for one in sides:
            archive = next((it for it in archives if it.made.holds(one.channel, one.side, one.sha256)), None)
            if archive is None:
                path = await stack.enter_async_context(store.fetch(one.path or ""))
            else:
                name = archive.original_path or archive.path
                if name not in fetched:
                    fetched[name] = await stack.enter_async_context(store.fetch(name))
                part = next(part for part in archive.parts if part.channel == one.channel)
                file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 the stack closes it
                await asyncio.to_thread(_decode, fetched[name], one.side, part, file)
                path = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
            found[one.channel, one.side] = path
        yield found


def _decode(whole: Path, side: str, part: ArchivedPart, file: BinaryIO) -> None:
    first, count = round(part.offset * opus.RATE), round(part.seconds * opus.RATE)
    file.write(header(1, opus.RATE, 2, count * 2))
    file.writelines(opus.slice_of(whole, (side,), first, count))
    file.flush()
