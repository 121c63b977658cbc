"""The doctor's promises of what would let others in, or keep us out: real certificates, real files, real ports."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from recordings.speech import Speech
from service.doctor import certificates, security
from service.doctor.check import Check
from service.doctor.work import model
from service.ports import free_port
from service.settings import (
    MailSettings,
    MetricsSettings,
    NoticesSettings,
    PbxSettings,
    RecordingsSettings,
    Settings,
    TranscriptionSettings,
    WebSettings,
    load,
)
from tests.fakes.mailbox import SENDER, open_mailbox

SECRET = SecretStr("b7cUq0sUOhI1zX2w")


def certificate(folder: Path, days: int) -> Path:
    """A certificate for localhost that only itself vouches for, with its key in the file; it ends in so many days."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=1000)).not_valid_after(now + timedelta(days=days, hours=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    shown = built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    file = folder / f"{days}.pem"
    file.write_bytes(shown + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


@asynccontextmanager
async def served(file: Path) -> AsyncIterator[int]:
    """The port of a server that shows this certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def settings_of(folder: Path, **told: Any) -> Settings:
    return load(data_dir=folder, **told)


async def test_certificates_are_judged_by_their_days_and_by_who_vouches(tmp_path: Path) -> None:
    """A manager interface by TLS: good for long, not ours to believe, soon over, over, and nobody there."""

    async def told(port: int, ca_file: Path | None) -> Check:
        pbx = PbxSettings(name="main", host="localhost", port=port, secret=SECRET, tls=True, tls_ca_file=ca_file)
        (check,) = await certificates.look(settings_of(tmp_path, pbx=[pbx]))
        assert check.name == "certificate of pbx main"
        return check

    long, soon, over = (certificate(tmp_path, days) for days in (100, 2, -1))
    async with served(long) as port:
        well = await told(port, long)
        assert (well.state, well.why) == ("ok", f"localhost:{port}: good for 100 days")
        strange = await told(port, None)
        assert (strange.state, "self" in strange.why) == ("fail", True)
    async with served(soon) as port:
        assert (await told(port, soon)).state == "warn"
    async with served(over) as port:
        past = await told(port, over)
        assert (past.state, "expired" in past.why) == ("fail", True)
    assert (await told(port, soon)).why.startswith(f"localhost:{port}: not met")


async def test_the_pages_and_the_buckets_certificates_are_met_where_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By https alone; they are vouched for by whom the system believes."""
    file = certificate(tmp_path, 30)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with served(file) as port:
        bucket = RecordingsSettings(
            store="s3", endpoint=f"https://localhost:{port}", bucket="calls", key="k", secret=SECRET
        )
        pages = WebSettings(public_url=f"https://localhost:{port}")
        told = await certificates.look(settings_of(tmp_path, web=pages, recordings=bucket))
    assert [(check.name, check.state) for check in told] == [
        ("certificate of pages", "ok"), ("certificate of store", "ok"),
    ]  # fmt: skip
    assert await certificates.look(settings_of(tmp_path, web=WebSettings(public_url="http://localhost"))) == []


async def test_a_mail_servers_certificate_is_met_over_starttls(tmp_path: Path) -> None:
    async with open_mailbox(tmp_path) as box:
        for ca_file, state in ((box.ca_file, "warn"), (None, "fail")):
            mail = MailSettings(host="localhost", port=box.port, sender=SENDER, ca_file=ca_file)
            (told,) = await certificates.look(settings_of(tmp_path, notices=NoticesSettings(mail=mail)))
            assert (told.name, told.state) == ("certificate of mail", state)


async def test_files_that_anybody_reads_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is open, then the settings file too; behind a closed folder neither is."""
    with TemporaryDirectory() as temporary:  # pytest's own lets nobody in
        await _files(Path(temporary), monkeypatch)


async def _files(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, file = house / "data", house / "switchhook.toml"
    data.mkdir()
    file.write_text("language = 'en'\n")
    house.chmod(0o711)
    data.chmod(0o755)
    file.chmod(0o600)
    monkeypatch.setenv("SWITCHHOOK_CONFIG", str(file))

    async def told() -> Check:
        (check,) = await security.files(load(data_dir=data))
        return check

    warned = await told()
    assert (warned.state, warned.remedy) == ("warn", f"chmod o-rwx {data}")
    file.chmod(0o644)
    failed = await told()
    assert (failed.state, str(file) in failed.why) == ("fail", True)
    house.chmod(0o700)
    assert (await told()).state == "ok"


async def test_secrets_that_anybody_reads_or_adds_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As files are handed to it; those that a container has mounted one by one are its host's matter."""
    with TemporaryDirectory() as temporary:
        house = Path(temporary)
        secret, data = house / "secrets/ami_secret", house / "data"
        for folder, mode in ((secret.parent, 0o755), (data, 0o700), (house, 0o711)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
        secret.write_text("words")
        secret.chmod(0o640)
        monkeypatch.setenv("SWITCHHOOK_SECRETS", str(secret.parent))

        async def told() -> tuple[str, str]:
            (check,) = await security.files(load(data_dir=data))
            return check.state, check.remedy

        assert await told() == ("ok", "")
        secret.chmod(0o644)
        assert await told() == ("fail", f"chmod o-rwx {secret}")
        monkeypatch.delenv("SWITCHHOOK_SECRETS")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secret.parent))
        assert await told() == ("fail", f"chmod o-rwx {secret}")
        with monkeypatch.context() as container:
            container.setattr("os.path.ismount", lambda path: path == secret)
            assert await told() == ("ok", "")
        secret.chmod(0o640)
        secret.parent.chmod(0o757)
        assert await told() == ("fail", f"chmod o-rwx {secret.parent}")


async def test_secrets_that_are_tried_first_are_told_by_their_place_alone(tmp_path: Path) -> None:
    pbx = PbxSettings(name="main", secret=SecretStr("amp111"))
    far = SecretStr("postgresql://switchhook:switchhook@db.example/switchhook")
    (weak,) = await security.secrets(settings_of(tmp_path, pbx=[pbx], database_url=far))
    assert (weak.state, weak.why) == ("fail", "easily guessed: secret of pbx main, password of database_url")
    (well,) = await security.secrets(settings_of(tmp_path, pbx=[pbx.model_copy(update={"secret": SECRET})]))
    assert well.state == "ok"


async def test_ports_that_more_than_this_machine_reaches_are_told(tmp_path: Path) -> None:
    """Pages without TLS, and what really listens at the manager interface's port."""
    (well,) = await security.ports(settings_of(tmp_path))
    assert well.state == "ok"
    (pages,) = await security.ports(settings_of(tmp_path, web=WebSettings(host="0.0.0.0")))
    assert (pages.state, "the pages at 0.0.0.0:8080, without TLS" in pages.why) == ("warn", True)
    proxied = WebSettings(host="0.0.0.0", secure=True)
    (behind,) = await security.ports(settings_of(tmp_path, web=proxied))
    assert behind.state == "ok"
    for address, state in (("0.0.0.0", "warn"), ("127.0.0.1", "ok")):
        port = free_port()
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), address, port)
        async with server:
            (told,) = await security.ports(settings_of(tmp_path, pbx=[PbxSettings(port=port, secret=SECRET)]))
        assert told.state == state, address


def test_metrics_are_open_where_the_machine_has_an_address_of_the_internet() -> None:
    at_home, outside = ip_address("192.168.1.5"), ip_address("8.8.8.8")
    assert not security.is_outside(MetricsSettings().host, [outside])
    assert not security.is_outside("0.0.0.0", [at_home])
    assert security.is_outside("0.0.0.0", [at_home, outside])
    assert security.is_outside("8.8.8.8", [])
    assert any(address.is_loopback for address in security.own_addresses())


async def test_a_model_that_cannot_be_loaded_is_a_failure_and_a_slow_one_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without a model, with a broken one, and one whose pace is that of a slow machine."""

    async def told(folder: str) -> dict[str, Check]:
        transcription = TranscriptionSettings(model=folder)
        return {check.name: check for check in await model(settings_of(tmp_path, transcription=transcription))}

    assert (await told(str(tmp_path)))["transcription"].state == "warn"
    (tmp_path / "model.bin").write_bytes(b"no model")
    broken = (await told(str(tmp_path)))["transcription"]
    assert (broken.state, "cannot be loaded" in broken.why) == ("fail", True)

    async def slowly(_speech: Speech) -> float:
        return 1.5

    monkeypatch.setattr(Speech, "pace", slowly)
    slow = (await told(str(tmp_path)))["transcription speed"]
    assert (slow.state, "hears a minute in 90 s" in slow.why) == ("warn", True)
