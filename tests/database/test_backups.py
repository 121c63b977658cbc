"""Backups of real databases and stores, and what comes back of them."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import wave
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from calls.database import connect, plain
from calls.incident_rows import sign_of_life
from calls.record import record
from directory import store as directory_store
from directory.tables import password_links
from metrics.gauges import DatabaseGauges
from recordings.store import Store, archive_name, side_name
from recordings.tables import archives, recordings
from service.backups import folder, making, programs, restoring
from service.backups.folder import BackupError
from service.backups.making import back_up
from service.backups.restoring import restore
from service.backups.rows import newest_backup
from service.backups.verifying import verify
from service.database import _config, status, upgrade
from service.settings import Settings, load
from tests.fakes.command import switchhook
from tests.fakes.ledger import OWES, add_connection
from tests.fakes.recorded import T0, settled_call
from tests.fakes.story import HOUSE
from web import sessions, users

WORDS = "a password of nobody"


def settings_of(url: str, data_dir: Path, **told: Any) -> Settings:
    return load(database_url=plain(url), data_dir=data_dir, **told)


@pytest.fixture
async def there(engine: AsyncEngine, tmp_path: Path, database_url: str) -> Settings:
    """A call, what a CRM is owed of it and a side of its sound; the archive of another call, with its original."""
    settings = settings_of(database_url, tmp_path / "there")
    async with engine.begin() as connection:
        await directory_store.apply(connection, HOUSE)
    await add_connection(engine, "https://crm.example.com/hook")
    async with engine.begin() as connection:
        call = (await record(connection, settled_call(), OWES))[0].call_id
        other = (await record(connection, settled_call("1795427099.5", number="79160000001"), OWES))[0].call_id
    await keep_side(engine, settings, call, "1795427050.1", "caller")
    await keep_archive(engine, settings, other)
    return settings


async def keep_side(engine: AsyncEngine, settings: Settings, call: UUID, channel: str, side: str) -> str:
    sound = BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(os.urandom(8000))
    kept = await store_of(settings).put_bytes(side_name(call, T0, channel, side), sound.getvalue())
    row = {"path": kept.path, "bytes": kept.size_bytes, "sha256": kept.sha256, "seconds": 0.5, "state": "stored"}
    async with engine.begin() as connection:
        await connection.execute(insert(recordings).values(call_id=call, channel=channel, side=side, **row))
    return kept.path


async def keep_archive(engine: AsyncEngine, settings: Settings, call: UUID) -> None:
    """The archive of the call, of a side that is in the store no more, and the original of it."""
    loud, muted = os.urandom(3000), os.urandom(3000)
    original, kept = [
        await store_of(settings).put_bytes(
            archive_name(call, T0, sha256(sound).hexdigest(), original=sound is loud), sound
        )
        for sound in (loud, muted)
    ]
    parts = [{"channel": "1795427099.5", "offset": 0.0, "seconds": 0.5, "sides": {"caller": "a" * 64}}]
    gone = {"path": "2026/11/23/x-caller.wav", "bytes": 1, "sha256": "a" * 64, "seconds": 0.5, "state": "stored"}
    async with engine.begin() as connection:
        await connection.execute(
            insert(archives).values(
                call_id=call, path=kept.path, bytes=kept.size_bytes, sha256=kept.sha256, seconds=0.5, masked=[],
                parts=parts, outline={}, original_path=original.path, original_sha256=original.sha256,
            )
        )  # fmt: skip
        await connection.execute(insert(recordings).values(call_id=call, channel="1795427099.5", side="caller", **gone))


def store_of(settings: Settings) -> Store:
    return Store.in_folder(settings.recordings_store)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def contents(url: str) -> dict[str, list[str]]:
    """Every row of every table."""
    engine = connect(url, pool=1)
    async with engine.connect() as connection:
        told = {
            name: sorted((await connection.execute(text(f'select told::text from "{name}" as told'))).scalars())
            for name in await making.count_rows(connection)
        }
    await engine.dispose()
    return told


@pytest.fixture
async def empty(empty_database_url: str, tmp_path: Path) -> Settings:
    """Where nothing is yet."""
    return settings_of(empty_database_url, tmp_path / "elsewhere")


async def test_all_comes_back_row_by_row_and_sound_by_sound(
    there: Settings, empty: Settings, database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    """Into an empty place: every row of every table, every object of the store; nothing of what had gone before."""
    before = await contents(database_url)
    made = await back_up(there, tmp_path / "copies", keep=None, recordings=True)
    done = await restore(empty, made.folder, replace=False)
    after = await contents(empty_database_url)
    effects = before.pop("crm_effects"), after.pop("crm_effects")
    audited = [row for row in after.pop("audit") if row not in before["audit"]]
    before.pop("audit")
    assert after == before
    assert len(effects[0]) == len(effects[1]) > 0
    assert files(empty.recordings_store) == files(there.recordings_store) != {}
    assert (made.missing, done.missing, done.brought) == ((), (), 3)
    assert made.manifest.objects == 3
    assert len(audited) == 1
    assert f'database_restored,"backup {made.folder.name}"' in audited[0]


async def test_what_a_crm_was_owed_is_asked_back_before_it_is_told(
    there: Settings, empty: Settings, empty_database_url: str, tmp_path: Path
) -> None:
    """It may have been told after the backup: told again it would stand there twice."""
    made = await back_up(there, tmp_path, keep=None, recordings=False)
    done = await restore(empty, made.folder, replace=False)
    engine = connect(empty_database_url, pool=1)
    async with engine.connect() as connection:
        told = (await connection.execute(text("select state, sent_at from crm_effects where ended_at is null"))).all()
    await engine.dispose()
    assert told == [("unknown", made.manifest.made_at)] * done.doubted
    assert done.doubted > 0


async def test_who_was_in_logs_in_anew_and_what_opens_the_house_is_counted(
    there: Settings, engine: AsyncEngine, empty: Settings, empty_database_url: str, tmp_path: Path
) -> None:
    """A session or a link to a password may have ended since the backup; what is still open is told."""
    async with engine.begin() as connection:
        vera = await users.add(connection, "vera", "admin")
        oleg = await users.add(connection, "oleg", "operator")
        await sessions.begin(connection, vera, "a browser")
        await sessions.begin(connection, oleg, "a browser")
        link = {"digest": b"link", "user_id": oleg, "expires_at": datetime.now(UTC) + timedelta(days=1)}
        await connection.execute(insert(password_links).values(link))
        for login, name in (("vera", "desk"), ("vera", "old"), ("oleg", "of nobody any more")):
            await users.create_token(connection, login, name)
        await users.revoke_tokens(connection, "vera", "old")
        await connection.execute(text("update users set disabled_at = now() where login = 'oleg'"))
    made = await back_up(there, tmp_path, keep=None, recordings=False)
    ours = {"DATABASE_URL": plain(empty_database_url), "SWITCHHOOK_DATA_DIR": str(empty.data_dir)}
    done = await asyncio.to_thread(switchhook, "restore", str(made.folder), **ours)
    assert "\n2 sessions ended: everybody logs in anew\n1 login and 1 API token are as they were then" in done.stderr
    after = await contents(empty_database_url)
    assert (after["sessions"], after["password_links"]) == ([], [])
    assert len(after["tokens"]) == 3


async def test_what_is_brought_back_tells_of_no_outage_since_the_backup(
    there: Settings, empty: Settings, engine: AsyncEngine, empty_database_url: str, tmp_path: Path
) -> None:
    """The last sign of life is that of another day."""
    async with engine.begin() as connection:
        await sign_of_life(connection)
    made = await back_up(there, tmp_path, keep=None, recordings=False)
    await restore(empty, made.folder, replace=False)
    restored = connect(empty_database_url, pool=1)
    async with restored.connect() as connection:
        assert (await connection.execute(text("select at from signs_of_life"))).all() == []
    await restored.dispose()


async def test_a_backup_is_of_one_moment_whatever_happens_meanwhile(
    there: Settings, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that comes while the database is dumped is in none of it; what is tried is restored and counted."""
    dump = programs.dump

    async def busy(*told: Any) -> int:
        async with engine.begin() as connection:
            await record(connection, settled_call("1795427123.7", number="79160000002"), OWES)
        return await dump(*told)

    monkeypatch.setattr(programs, "dump", busy)
    made = await back_up(there, tmp_path, keep=None, recordings=True)
    assert made.manifest.rows["calls"] == 2
    assert await verify(made.folder) == made.manifest


async def test_what_is_tried_has_no_rights_on_this_machine(
    there: Settings, engine: AsyncEngine, tmp_path: Path
) -> None:
    """A dump is a program: one that has the server run another is refused, and that is not run."""
    with tempfile.TemporaryDirectory(prefix="switchhook-hostile-") as place:
        Path(place).chmod(0o777)
        proof = Path(place, "proof")
        async with engine.begin() as connection:
            body = f"begin copy (select 1) to program 'cat > {proof}'; return 1; end"
            await connection.execute(
                text(f"create function hostile() returns int language plpgsql as $body$ {body} $body$")
            )
            await connection.execute(text("create materialized view seen as select public.hostile()"))
        proof.unlink()
        made = await back_up(there, tmp_path, keep=None, recordings=False)
        with pytest.raises(BackupError, match="permission denied to COPY to or from an external program"):
            await verify(made.folder)
        assert not proof.exists()


async def test_sound_that_comes_and_goes_while_it_is_made_is_as_the_database_says(
    there: Settings, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A side that was copied and went into an archive meanwhile is not in it; what came until the moment is."""
    moment = making._moment

    async def later(*told: Any) -> Any:
        async with engine.begin() as connection:
            call = await connection.scalar(
                text("delete from recordings where channel = '1795427050.1' returning call_id")
            )
        await keep_side(engine, there, call, "1795427050.1", "staff")
        return await moment(*told)

    monkeypatch.setattr(making, "_moment", later)
    made = await back_up(there, tmp_path, keep=None, recordings=True)
    copied = files(made.folder / "recordings")
    assert made.missing == ()
    assert sorted(copied) == sorted(one.path for one in folder.read_store(made.folder))
    assert [name for name in copied if name.endswith("staff.wav")] != []
    assert [name for name in copied if name.endswith("caller.wav")] == []


async def test_a_backup_that_fails_leaves_nothing_that_looks_whole(
    there: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: AsyncEngine
) -> None:
    """Nor does one that was killed; the next clears what that left."""

    async def fails(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    killed = tmp_path / ".switchhook-2026-11-01T000000Z.partial"
    killed.mkdir()
    (killed / "database.dump").write_bytes(b"half")
    monkeypatch.setattr(programs, "dump", fails)
    with pytest.raises(OSError, match="No space"):
        await back_up(there, tmp_path, keep=None, recordings=False)
    assert [path.name for path in tmp_path.iterdir() if path.name not in {".lock", "there"}] == []
    async with engine.connect() as connection:
        assert await newest_backup(connection) is None
    with pytest.raises(BackupError, match="is no whole backup: there is no SHA256SUMS"):
        await restore(there, tmp_path, replace=True)


async def test_the_lock_is_no_link_to_another_file(there: Settings, tmp_path: Path) -> None:
    """It would be made, or emptied, wherever the link leads."""
    elsewhere, to = tmp_path / "elsewhere", tmp_path / "copies"
    to.mkdir()
    (to / ".lock").symlink_to(elsewhere)
    with pytest.raises(BackupError, match=r"copies/\.lock: "):
        await back_up(there, to, keep=None, recordings=False)
    assert not elsewhere.exists()


@pytest.mark.parametrize("name", ["database.dump", "store.csv", "manifest.json"])
async def test_a_damaged_backup_is_refused_before_anything_is_touched(
    name: str, there: Settings, database_url: str, tmp_path: Path
) -> None:
    made = await back_up(there, tmp_path, keep=None, recordings=False)
    before = await contents(database_url)
    told = bytearray((made.folder / name).read_bytes())
    told[len(told) // 2] ^= 1
    (made.folder / name).write_bytes(told)
    with pytest.raises(BackupError, match=rf"{name} is damaged"):
        await restore(there, made.folder, replace=True)
    assert await contents(database_url) == before


async def test_a_dump_that_breaks_off_leaves_the_database_as_it_was(
    there: Settings, database_url: str, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Though its sums be right: what was in the database goes in the transaction that brings the new."""
    made = await back_up(there, tmp_path, keep=None, recordings=False)
    (made.folder / "database.dump").write_bytes((made.folder / "database.dump").read_bytes()[:-20_000])
    folder.finish(made.folder, made.manifest)
    before = await contents(database_url)
    await engine.dispose()
    with pytest.raises(BackupError, match="the database is as it was"):
        await restore(there, made.folder, replace=True)
    assert await contents(database_url) == before


async def test_only_an_empty_database_is_taken_unless_told(
    there: Settings, database_url: str, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Told so, what was there is gone: also what came since."""
    made = await back_up(there, tmp_path, keep=None, recordings=False)
    async with engine.begin() as connection:
        await connection.execute(text("create table of_a_newer_version (id int)"))
    await engine.dispose()
    with pytest.raises(BackupError, match="the database is not empty: --replace"):
        await restore(there, made.folder, replace=False)
    await restore(there, made.folder, replace=True)
    assert "of_a_newer_version" not in await contents(database_url)


async def test_whoever_owns_the_database_and_nothing_else_backs_it_up_and_restores_it(
    empty_database_url: str, administrator: asyncpg.Connection, tmp_path: Path
) -> None:
    """As on a server of one's own: also what was restored is backed up and restored again."""
    role, name = f"owner_{uuid4().hex[:8]}", empty_database_url.rpartition("/")[2]
    await administrator.execute(f"create role {role} login password 'owner'")
    await administrator.execute(f"alter database {name} owner to {role}")
    place = plain(empty_database_url).rpartition("@")[2]
    settings = settings_of(f"postgresql://{role}:owner@{place}", tmp_path / "there")
    await upgrade(f"postgresql://{role}:owner@{place}")
    first = await back_up(settings, tmp_path, keep=None, recordings=False)
    await restore(settings, first.folder, replace=True)
    first.folder.rename(tmp_path / "first")
    second = await back_up(settings, tmp_path, keep=None, recordings=False)
    await restore(settings, second.folder, replace=True)
    assert second.manifest.rows == first.manifest.rows | {"audit": 1, "backups": 0}


async def test_a_server_that_ends_idle_transactions_is_backed_up(
    there: Settings,
    administrator: asyncpg.Connection,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the dump is written its snapshot's transaction asks nothing."""
    dump = programs.dump

    async def slow(*told: Any) -> int:
        await asyncio.sleep(1.2)
        return await dump(*told)

    monkeypatch.setattr(programs, "dump", slow)
    name = database_url.rpartition("/")[2]
    await administrator.execute(f"alter database {name} set idle_in_transaction_session_timeout = '1s'")
    assert (await back_up(there, tmp_path, keep=None, recordings=False)).manifest.rows["calls"] == 2


async def test_a_database_in_use_is_left_alone(
    there: Settings, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "LEAVING_SECONDS", 0.2)
    made = await back_up(there, tmp_path, keep=None, recordings=False)
    async with engine.connect(), asyncio.timeout(60):
        with pytest.raises(BackupError, match="other sessions use the database: stop the service"):
            await restore(there, made.folder, replace=True)


async def test_one_of_an_earlier_version_is_brought_to_this_one(
    empty: Settings, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is restored as it was, then upgraded; before that nothing here makes a backup of it."""
    engine = connect(empty_database_url, pool=1)
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "0064"))
    with pytest.raises(BackupError, match="the database is at revision 0064, this version at"):
        await back_up(empty, tmp_path, keep=None, recordings=False)
    with folder.begun(tmp_path, T0) as place:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            with monkeypatch.context() as patch:  # that version reads fewer columns of the directory than this one
                patch.setattr(directory_store, "read", AsyncMock(return_value=HOUSE))
                told, _ = await making._moment(connection, empty_database_url, place, empty)
        told |= {"revision": "0064", "format": 1, "version": "0.0", "objects": 0, "copied": False}
        folder.finish(place, folder.Manifest(**told))
    await engine.dispose()
    await restore(empty, tmp_path / "switchhook-2026-11-23T090000Z", replace=True)
    found, newest = await status(empty_database_url)
    assert found == newest


async def test_one_of_a_newer_version_is_refused(
    there: Settings, empty: Settings, empty_database_url: str, tmp_path: Path
) -> None:
    made = await back_up(there, tmp_path, keep=None, recordings=False)
    told = json.loads((made.folder / "manifest.json").read_text()) | {"revision": "9999", "version": "99.0"}
    folder.finish(made.folder, folder.Manifest(**told | {"made_at": made.manifest.made_at}))
    with pytest.raises(BackupError, match=r"is of Switchhook 99\.0, revision 9999, which is newer"):
        await restore(empty, made.folder, replace=False)
    assert await contents(empty_database_url) == {}


async def test_a_server_that_is_newer_than_every_pg_dump_here_is_told(empty: Settings) -> None:
    with pytest.raises(
        BackupError, match=r"the server is PostgreSQL 99, pg_dump here is \d+: install postgresql-client-99"
    ):
        programs.programs(99)


async def test_no_list_of_processes_shows_the_password() -> None:
    place, told = programs._place(
        f"postgresql+asyncpg://anna:{WORDS.replace(' ', '%20')}@db.example/switchhook?sslmode=require"
    )
    assert WORDS not in place
    assert "sslmode=require" in place
    assert told["PGPASSWORD"] == WORDS


async def test_no_secret_of_the_settings_is_in_it(there: Settings, database_url: str, tmp_path: Path) -> None:
    """And all of it is for the account alone that made it."""
    secrets = {
        "secret_key": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I=",
        "pbx": [{"name": "main", "secret": "ami-secret-of-main"}],
        "notices": {"telegram": {"token": "telegram-secret"}},
        "crm": {"token": "crm-secret", "owner_url": "https://crm.example.org/owner-secret"},
    }
    made = await back_up(settings_of(database_url, tmp_path / "there", **secrets), tmp_path, keep=None, recordings=True)
    told = (made.folder / "settings.json").read_text()
    shown = [
        secret
        for secret in ("ami-secret", "telegram-secret", "crm-secret", "owner-secret", "c2VjcmV0")
        if secret in told
    ]
    assert shown == []
    assert json.loads(told)["pbx"][0]["name"] == "main"
    modes = {path.stat().st_mode & 0o077 for path in made.folder.rglob("*") if path.is_file()}
    assert modes | {made.folder.stat().st_mode & 0o077} == {0}


async def test_sound_that_is_lost_or_damaged_is_named_and_the_rest_is_whole(
    there: Settings, empty: Settings, tmp_path: Path, database_url: str, empty_database_url: str
) -> None:
    """By the backup, and by the restore where nobody has it; the command ends with 1."""
    lost, damaged, whole = sorted(path for path in there.recordings_store.rglob("*") if path.is_file())
    lost.unlink()
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    names = [str(path.relative_to(there.recordings_store)) for path in (lost, damaged)]
    ours = {"DATABASE_URL": plain(database_url), "SWITCHHOOK_DATA_DIR": str(there.data_dir)}
    done = await asyncio.to_thread(switchhook, "backup", "--to", f"{tmp_path}/b", "--with-recordings", **ours)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [f"missing or damaged in the store: {name}" for name in names]
    backup = done.stdout.strip()
    with pytest.raises(BackupError, match=f"2 recordings are missing or damaged in it, the first is {names[0]}"):
        await verify(Path(backup))
    ours = {"DATABASE_URL": plain(empty_database_url), "SWITCHHOOK_DATA_DIR": str(empty.data_dir)}
    done = await asyncio.to_thread(switchhook, "restore", backup, **ours)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [f"missing: {name}" for name in names]
    assert list(files(empty.recordings_store)) == [str(whole.relative_to(there.recordings_store))]


async def test_the_newest_are_kept_and_sound_is_copied_once(there: Settings, tmp_path: Path) -> None:
    """A later backup links what the last one has; it stays whole when that one goes."""
    to = tmp_path / "copies"
    made = await back_up(there, to, keep=2, recordings=True)
    first = made.folder.rename(to / "switchhook-2026-11-01T000000Z")
    second = to / "switchhook-2026-11-02T000000Z"
    shutil.copytree(first, second)
    (to / "of somebody else").mkdir()
    between = await back_up(there, to, keep=None, recordings=False)
    between.folder.rename(to / "switchhook-2026-11-03T000000Z")
    newest = await back_up(there, to, keep=3, recordings=True)
    assert folder.whole_ones(to) == [second, to / "switchhook-2026-11-03T000000Z", newest.folder]
    assert newest.removed == (first,)
    assert (to / "of somebody else").is_dir()
    for path in files(newest.folder / "recordings"):
        assert (second / "recordings" / path).samefile(newest.folder / "recordings" / path)
    assert files(newest.folder / "recordings") == files(there.recordings_store)


async def test_who_made_a_backup_and_who_restored_it_is_written_down(
    there: Settings, engine: AsyncEngine, empty: Settings, empty_database_url: str, tmp_path: Path
) -> None:
    """By which account of the machine, of which moment and how large; in the audit, and in the log beside it."""
    account = pwd.getpwuid(os.geteuid()).pw_name
    with capture_logs() as logged:
        made = await back_up(there, tmp_path, keep=None, recordings=True)
        await making.note_other(there)
        await restore(empty, made.folder, replace=False)
    size = sum(len(data) for data in files(made.folder).values())
    of = made.manifest.made_at.isoformat()
    asked = text("select actor, action, subject, details from audit order by id")
    async with engine.connect() as connection:
        assert (await connection.execute(asked)).all() == [
            (
                "command line",
                "backup_made",
                f"backup {made.folder.name}",
                {"of": of, "bytes": size, "account": account},
            ),
            ("command line", "backup_made", "backup by other means", {"account": account}),
        ]
    restored = connect(empty_database_url, pool=1)
    async with restored.connect() as connection:
        ((_, action, subject, details),) = (await connection.execute(asked)).all()
    await restored.dispose()
    assert (action, subject, details["account"]) == ("database_restored", f"backup {made.folder.name}", account)
    ours = [line["event"] for line in logged if line["log_level"] in {"info", "warning"}]
    assert [line for line in ours if "backup" in line or "restored" in line] == [
        "backup made",
        "backup by other means noted",
        "database restored",
    ]
    assert [line.get("bytes") for line in logged if line["event"] == "backup made"] == [size]


async def test_when_the_last_was_made_is_known(there: Settings, engine: AsyncEngine, tmp_path: Path) -> None:
    """To metrics and whoever asks; before the first there is no age, and the number tells that there was none."""

    async def told() -> dict[str, float]:
        families = await DatabaseGauges(engine).read()
        return {one.name: one.value for family in families for one in family.samples if "_backup" in one.name}

    assert await told() == {"switchhook_backups_made_total": 0}
    made = await back_up(there, tmp_path, keep=None, recordings=False)
    async with engine.begin() as connection:
        assert await newest_backup(connection) == made.manifest.made_at
        await connection.execute(text("update backups set made_at = made_at - interval '1 day'"))
    assert (await told())["switchhook_backup_age_seconds"] >= 86_400
    ours = {"DATABASE_URL": plain(str(there.database_url and there.database_url.get_secret_value()))}
    done = await asyncio.to_thread(switchhook, "backup", "--by-other-means", **ours)
    assert (done.returncode, done.stdout) == (0, "")
    assert (await told())["switchhook_backup_age_seconds"] < 3600


async def test_what_a_server_had_goes_into_the_embedded_one(there: Settings, database_url: str) -> None:
    """A new machine: an empty data folder, the backup, one command."""
    with tempfile.TemporaryDirectory(prefix="switchhook-new-") as place:  # PostgreSQL's account may enter it
        Path(place).chmod(0o711)
        old = {"DATABASE_URL": plain(database_url), "SWITCHHOOK_DATA_DIR": str(there.data_dir)}
        done = await asyncio.to_thread(switchhook, "backup", "--json", **old)
        backup = json.loads(done.stdout)["folder"]
        assert Path(backup).parent == there.data_dir / "backups"
        subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=backup, check=True, capture_output=True)
        done = await asyncio.to_thread(switchhook, "restore", backup, SWITCHHOOK_DATA_DIR=f"{place}/new")
        assert (done.returncode, len(done.stdout.splitlines())) == (1, 3), done.stderr
        done = await asyncio.to_thread(switchhook, "directory", "export", SWITCHHOOK_DATA_DIR=f"{place}/new")
    assert done.stdout == (Path(backup) / "directory.yaml").read_text()
