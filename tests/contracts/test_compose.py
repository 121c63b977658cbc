"""compose.yaml, as Docker Compose itself reads it: what runs, as whom, with which secrets, and what it may not."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import tomllib
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from service.installed import locate_compose
from service.postgres import NAME, Postgres, locate_binaries
from service.settings import load

ROOT = Path(__file__).resolve().parents[2]
ALONE = {"postgres", "switchhook", "backup", "prometheus", "alertmanager", "grafana"}


@cache
def compose(*profiles: str) -> Any:
    """The whole model that Compose makes of the file; whatever it grumbles about fails."""
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    command: list[str | Path] = [
        locate_compose(),
        "--file",
        ROOT / "compose.yaml",
        *chosen,
        "config",
        "--format",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def services() -> list[Any]:
    return [pytest.param(told, id=name) for name, told in compose("*")["services"].items()]


def dockerfile(told: Any) -> str:
    return (ROOT / told["build"].get("dockerfile", "Dockerfile")).read_text() if "build" in told else ""


def test_the_house_is_whole_without_a_profile_and_a_pbx_or_the_demo_are_asked_for() -> None:
    assert set(compose()["services"]) == ALONE
    assert set(compose("pbx")["services"]) == {*ALONE, "asterisk"}
    assert set(compose("demo")["services"]) == {*ALONE, "demo"}


@pytest.mark.parametrize("told", services())
def test_each_container_has_no_rights_that_it_does_not_need(told: dict[str, Any]) -> None:
    """Nothing is root, gains rights, or writes but into its volumes and its memory."""
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["read_only"] is True
    user = told.get("user") or re.findall(r"^USER (\S+)$", dockerfile(told), re.MULTILINE)[-1]
    assert user.partition(":")[0] not in {"", "0", "root"}


@pytest.mark.parametrize("told", services())
def test_each_container_is_watched_and_bounded(told: dict[str, Any]) -> None:
    """One that leaks or hangs takes none of the others with it."""
    assert told["healthcheck"]["test"]
    assert int(told["mem_limit"]) > 0 < float(told["cpus"])
    assert 0 < told["pids_limit"] <= 500
    assert told["logging"]["options"]["max-size"]


@pytest.mark.parametrize("told", services())
def test_each_image_is_of_one_version(told: dict[str, Any]) -> None:
    """What is fetched has its whole version in its tag; Asterisk is in no Debian but the one that moves."""
    bases = re.findall(r"^FROM (\S+:\S+)", dockerfile(told), re.MULTILINE) if "build" in told else [told["image"]]
    assert bases
    moving = [base for base in bases if not re.search(r":v?\d+\.\d+(\.\d+)?(-|$)", base)]
    assert moving == (["debian:unstable-slim"] if told["image"] == "switchhook-asterisk" else [])


def test_secrets_are_files_that_one_script_writes_and_no_variable_holds_one(tmp_path: Path) -> None:
    """Twice is once; they are for who runs it, and each container is given those that it names."""
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy/make-secrets", tmp_path / "deploy")
    subprocess.run([script], check=True, capture_output=True)
    folder = tmp_path / "deploy/secrets"
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert {f"deploy/secrets/{name}" for name in first} == {
        str(Path(one["file"]).relative_to(ROOT)) for one in compose("*")["secrets"].values()
    }
    assert len(set(first.values())) == len(first)
    assert f"//switchhook:{first['database_password'].strip()}@" in first["DATABASE_URL"]
    assert (folder.stat().st_mode & 0o077, (folder / "ami_secret").stat().st_mode & 0o777) == (0, 0o444)
    again = subprocess.run([script], check=True, capture_output=True, text=True)
    assert again.stdout == ""
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
    for told in compose("*")["services"].values():
        hidden = [name for name in told.get("environment", {}) if re.search("PASSWORD|SECRET|TOKEN|KEY|URL", name)]
        assert all(told["environment"][name].startswith("/run/secrets") for name in hidden)


def test_secrets_are_kept_closed_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    """Whoever made the folder, and whatever emptied a file or gave no random bytes: nothing starts with no secret."""
    folder = tmp_path / "deploy/secrets"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    script = shutil.copy(ROOT / "deploy/make-secrets", tmp_path / "deploy")
    (folder / "ami_secret").write_text("\n")
    done = subprocess.run([script], check=False, capture_output=True, text=True)
    assert (done.returncode, f"{folder}/ami_secret is empty" in done.stderr) == (1, True)
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "ami_secret").unlink()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "od").symlink_to("/bin/true")
    broken = {"PATH": f"{tools}:/usr/bin:/bin"}
    done = subprocess.run([script], check=False, capture_output=True, text=True, env=broken)
    assert (done.returncode, "nothing to write into" in done.stderr) == (1, True)
    assert not (folder / "ami_secret").exists()


def test_the_service_starts_with_what_its_container_gives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deploy").mkdir()
    subprocess.run([shutil.copy(ROOT / "deploy/make-secrets", tmp_path / "deploy")], check=True, capture_output=True)
    told = compose()["services"]["switchhook"]
    given = {one["source"] for one in told["secrets"]}
    for path in (tmp_path / "deploy/secrets").iterdir():
        if path.name not in given:
            path.unlink()
    for name, value in told["environment"].items():
        monkeypatch.setenv(name, value)
    mounted = {one["target"]: one["source"] for one in told["volumes"]}
    monkeypatch.setenv("SWITCHHOOK_CONFIG", mounted[told["environment"]["SWITCHHOOK_CONFIG"]])
    monkeypatch.setenv("SWITCHHOOK_SECRETS", str(tmp_path / "deploy/secrets"))
    settings = load()
    assert settings.database_url is not None
    assert "@postgres/switchhook" in settings.database_url.get_secret_value()
    assert (settings.web.host, settings.metrics.host, settings.pbx[0].host) == ("0.0.0.0", "0.0.0.0", "asterisk")
    assert settings.pbx[0].secret.get_secret_value() == (tmp_path / "deploy/secrets/ami_secret").read_text().strip()
    assert str(settings.pbx[0].recordings) in mounted


async def test_the_service_owns_its_database_and_nothing_else(
    postgres_server: Postgres, administrator: asyncpg.Connection, tmp_path: Path
) -> None:
    """What PostgreSQL's image runs for it, at a real server: the role is that of the service's address."""
    told = compose()["services"]["postgres"]
    assert told["environment"]["POSTGRES_USER"] != "switchhook"
    (script,) = (one["source"] for one in told["volumes"] if one["target"].startswith("/docker-entrypoint-initdb.d/"))
    (secret,) = (one["source"] for one in told["secrets"] if one["source"] != "postgres_password")
    name, password = f"house_{uuid4().hex[:8]}", "a 'quoted' password"
    (tmp_path / secret).write_text(f"{password}\n")
    text = Path(script).read_text().replace("/run/secrets", str(tmp_path)).replace("switchhook", name)
    at = postgres_server.dsn.rpartition("@")[2].partition("/")[0]
    given = {
        "PATH": f"{locate_binaries()}:/usr/bin:/bin",
        "POSTGRES_USER": NAME,
        "PGPASSWORD": postgres_server.dsn.partition("@")[0].rpartition(":")[2],
        "PGHOST": at.partition(":")[0],
        "PGPORT": at.partition(":")[2],
    }
    done = await asyncio.to_thread(subprocess.run, ["sh", "-c", text], env=given, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    try:
        owner = await asyncpg.connect(f"postgresql://{at}/{name}", user=name, password=password)
        rights = await owner.fetchrow(
            "select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = $1", name
        )
        assert set(rights) == {False}
        await owner.execute("create extension pg_trgm; create table of_its_own (id int)")
        await owner.close()
    finally:
        await administrator.execute(f"drop database {name} with (force)")
        await administrator.execute(f"drop role {name}")


def test_a_proxy_on_this_machine_is_believed_and_nobody_else() -> None:
    """It comes by the published port, as the gateway of the one network of the service that is not closed."""
    told = compose("*")
    outward = [
        name for name in told["services"]["switchhook"]["networks"] if not told["networks"][name].get("internal")
    ]
    (network,) = outward
    assert [name for name, one in told["services"].items() if network in one.get("networks", {})] == ["switchhook"]
    (pool,) = told["networks"][network]["ipam"]["config"]
    settings = tomllib.loads((ROOT / "deploy/switchhook.toml").read_text())
    assert settings["web"]["trusted_proxies"] == [f"{pool['gateway']}/32"]
    assert ip_address(pool["gateway"]) in ip_network(pool["subnet"])


def test_what_is_mounted_from_the_checkout_is_there() -> None:
    """A missing file would be mounted as an empty folder, without a word."""
    told = [one for service in compose("*")["services"].values() for one in service.get("volumes", [])]
    mounted = [Path(one["source"]) for one in told if one["type"] == "bind"]
    assert mounted
    assert [path for path in mounted if not path.exists()] == []


def test_prometheus_is_given_every_rule_and_grafana_every_dashboard() -> None:
    """New files need no change here: folders are mounted, where the configuration looks for them."""
    told = compose()["services"]
    mounted = {one["target"]: Path(one["source"]) for one in told["prometheus"]["volumes"] if one["type"] == "bind"}
    config = Path(told["prometheus"]["command"][0].partition("=")[2])
    text = (mounted[str(config.parent)] / config.name).read_text()
    (rules,) = re.findall(r"^\s+- (/\S+\*\.rules\.yml)$", text, re.MULTILINE)
    assert list(mounted[str(Path(rules).parent)].glob(Path(rules).name)) != []
    dashboards = {one["target"]: Path(one["source"]) for one in told["grafana"]["volumes"] if one["type"] == "bind"}
    provider = next(path for target, path in dashboards.items() if "provisioning/dashboards" in target)
    (folder,) = re.findall(r"path: (\S+)", provider.read_text())
    assert list(dashboards[folder].glob("*.json")) != []


def test_nothing_but_telephony_is_published_to_the_network() -> None:
    for name, service in compose("*")["services"].items():
        ports = service.get("ports", [])
        assert name == "asterisk" or all(port["host_ip"] == "127.0.0.1" for port in ports)


def test_the_pbx_is_given_its_managers_secret_from_a_file(tmp_path: Path) -> None:
    """It is written into memory alone, and one that could end its line is refused."""
    script = (ROOT / "deploy/asterisk/start").read_text()
    for place in ("/usr/local/share/switchhook", "/run/asterisk", "exec asterisk"):
        assert place in script
    (tmp_path / "manager.conf").write_text((ROOT / "telephony/dialplan/manager.conf").read_text())
    script = script.replace("/usr/local/share/switchhook", str(tmp_path)).replace("/run/asterisk", str(tmp_path))
    told = {
        "PATH": "/usr/bin:/bin",
        "AMI_SECRET_FILE": str(tmp_path / "secret"),
        "AMI_PERMIT": "172.30.38.0/255.255.255.0",
    }
    command = ["sh", "-c", script.replace("exec asterisk", "exec env; :")]
    (tmp_path / "secret").write_text("a-good-secret\n")
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=True)
    written = (tmp_path / "manager-switchhook.conf").read_text()
    assert "secret = a-good-secret\n" in written
    assert "permit = 172.30.38.0/255.255.255.0\n" in written
    assert "a-good-secret" not in done.stdout
    (tmp_path / "secret").write_text("bad\nwrite = all\n")
    assert subprocess.run(command, env=told, capture_output=True, check=False).returncode == 2
