"""The link over TLS: what it trusts, and what it leaves."""

import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from service.pbx import Pbx
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.office import Office, until, working


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody vouches for, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    both = folder / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    both.write_text((folder / "cert").read_text() + (folder / "key").read_text())
    return both


async def _over_tls(pbx: Pbx, certificate: Path, check: Callable[[AmiProxy], Awaitable[None]]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with AmiProxy(pbx.host, pbx.ami_port, tls=context) as proxy:
        await check(proxy)


async def test_tls_works_with_a_trusted_certificate(pbx: Pbx, certificate: Path) -> None:
    """The authority is named in the settings; the name is checked."""

    async def check(proxy: AmiProxy) -> None:
        office = Office(pbx, proxy, host="localhost", tls=True, tls_ca_file=certificate)
        async with working(office):
            await office.say("тайно")
            await until(lambda: office.texts() == ["тайно"])

    await _over_tls(pbx, certificate, check)


@pytest.mark.parametrize("named", ["localhost", "pbx.invalid"])
async def test_tls_refuses_what_it_cannot_trust(pbx: Pbx, certificate: Path, named: str) -> None:
    """Neither an unknown authority nor another name gets our secret; the reason says what is wrong."""

    async def check(proxy: AmiProxy) -> None:
        trusted = certificate if named != "localhost" else None
        office = Office(pbx, proxy, tls=True, tls_ca_file=trusted, tls_server_name=named)
        async with working(office, connected=False) as link:
            await until(lambda: "certificate" in link.state.reason.lower())
        assert proxy.writes == []

    await _over_tls(pbx, certificate, check)
