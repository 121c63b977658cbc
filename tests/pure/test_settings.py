"""Settings: what is wrong is named, with its value, and secrets are never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.children import environment_of
from service.settings import SettingsError, load


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SWITCHHOOK_CONFIG", "DATABASE_URL", "SWITCHHOOK_SECRETS", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str) -> str:
    file = tmp_path / "switchhook.toml"
    file.write_text(toml)
    monkeypatch.setenv("SWITCHHOOK_CONFIG", str(file))
    with pytest.raises(SettingsError) as caught:
        load()
    return str(caught.value)


def test_nothing_set_is_a_good_start() -> None:
    """Every setting but the PBX has a default."""
    settings = load()
    assert (settings.web.host, settings.web.port, settings.pbx) == ("127.0.0.1", 8080, [])


def test_a_wrong_value_is_named_with_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the setting, the value and the file."""
    told = wrong(tmp_path, monkeypatch, '[web]\nport = "high"\n')
    assert told.startswith("web.port: ")
    assert "'high'" in told
    assert "switchhook.toml" in told


def test_a_synthetic_call_has_a_line_and_a_pbx_that_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is off without a word; the first PBX makes it, unless another is named."""
    assert load().synthetic.every_minutes == 0
    assert "line is required" in wrong(tmp_path, monkeypatch, "[synthetic]\nevery_minutes = 15\n")
    told = wrong(tmp_path, monkeypatch, '[synthetic]\nevery_minutes = 0.1\nline = "74951234567"\n')
    assert "at least 1, got 0.1" in told
    assert "synthetic.line" in wrong(tmp_path, monkeypatch, '[synthetic]\nline = "7495/n"\n')
    assert "'south'" in wrong(tmp_path, monkeypatch, '[synthetic]\npbx = "south"\n[[pbx]]\nsecret = "s"\n')
    (tmp_path / "switchhook.toml").write_text("")
    settings = load(pbx=[{"name": "north", "secret": "s"}, {"name": "south", "secret": "s"}])
    assert settings.synthetic_pbx == "north"


def test_a_trusted_proxy_is_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One address is one too, the environment may name them, and what is none is refused."""
    monkeypatch.setenv("SWITCHHOOK_WEB__TRUSTED_PROXIES", '["127.0.0.1", "fd00::/8"]')
    assert [str(network) for network in load().web.trusted_proxies] == ["127.0.0.1/32", "fd00::/8"]
    monkeypatch.delenv("SWITCHHOOK_WEB__TRUSTED_PROXIES")
    assert "web.trusted_proxies[0]" in wrong(tmp_path, monkeypatch, '[web]\ntrusted_proxies = ["proxy"]\n')


def test_a_setting_nobody_knows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt setting never passes for a set one."""
    told = wrong(tmp_path, monkeypatch, '[[pbx]]\nname = "main"\nsecret = "s"\nbuget_seconds = 2\n')
    assert "pbx[0].buget_seconds: no such setting" in told


def test_every_problem_is_told_at_once_and_no_secret_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a problem; a secret of the wrong type is not printed."""
    told = wrong(tmp_path, monkeypatch, '[[pbx]]\nname = "a b"\nsecret = 12345\nport = 0\n')
    assert len(told.splitlines()) == 3
    assert "12345" not in told


@pytest.mark.parametrize(
    "toml",
    [
        'databse_url = "postgresql://u:hidden@h/d"\n',
        '[[pbx]]\nsecret = "s"\npassword = "hidden"\n',
        'pbx = "hidden"\n',
    ],
)
def test_a_secret_under_a_wrong_name_is_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str) -> None:
    """What nobody knows is named without its value: it may be a secret whose name was misspelt."""
    assert "hidden" not in wrong(tmp_path, monkeypatch, toml)


@pytest.mark.parametrize(
    "toml, told",
    [
        ('[crm]\nowner_url = "crm.example.com/owner"\n', "crm.owner_url"),
        ('[crm]\nowner_url = "file:///etc/passwd"\n', "crm.owner_url"),
        ('[crm]\nowner_url = "crm.example.com/hidden?hidden"\n', "got 'crm.example.com/…'"),
        ('[traces]\nendpoint = "ftp://hidden@crm.example.com"\n', "got 'ftp://…@crm.example.com'"),
        ("[crm]\nbudget_seconds = 5\n", "crm.budget_seconds"),
        ("[crm]\ntoken = 12345\n", "crm.token"),
    ],
)
def test_a_wrong_crm_is_told_at_the_start_without_its_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, told: str
) -> None:
    """It must be asked by HTTP, and no caller waits for it longer than a second."""
    said = wrong(tmp_path, monkeypatch, toml)
    assert told in said
    assert "12345" not in said


def test_two_pbxes_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are told apart by the PBX's name."""
    told = wrong(tmp_path, monkeypatch, '[[pbx]]\nsecret = "a"\n[[pbx]]\nsecret = "b"\n')
    assert "two PBXes are named 'pbx'" in told


def test_a_broken_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TOML's own complaint, with the file's name."""
    told = wrong(tmp_path, monkeypatch, "[web\n")
    assert "switchhook.toml" in told
    assert len(told.splitlines()) == 1


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers expect."""
    (tmp_path / "switchhook.toml").write_text("[web]\nport = 8001\n")
    monkeypatch.setenv("SWITCHHOOK_WEB__PORT", "8002")
    assert load().web.port == 8002


def test_secrets_are_not_shown() -> None:
    """Printing the settings shows no secret."""
    settings = load(database_url="postgresql://u:hidden@h/d", pbx=[{"secret": "hidden"}], crm={"token": "hidden"})
    assert "hidden" not in repr(settings)


def test_cel_is_read_from_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or a table of PostgreSQL; the address holds a password, which is not printed."""
    pbx = '[[pbx]]\nsecret = "s"\n'
    url = 'cel_url = "postgresql://u:hidden@h/d"\n'
    both = wrong(tmp_path, monkeypatch, f'{pbx}{url}cel_file = "cel.csv"\n')
    assert "cel_file and cel_url of 'pbx'" in both
    other = wrong(tmp_path, monkeypatch, f'{pbx}cel_url = "mysql://u:hidden@h/d"\n')
    assert "pbx[0].cel_url: " in other
    assert "must begin with postgresql://" in other
    table = wrong(tmp_path, monkeypatch, f'{pbx}{url}cel_table = "cel; drop table calls"\n')
    assert "pbx[0].cel_table: " in table
    assert "'cel; drop table calls'" in table
    assert "hidden" not in both + other + table


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:hidden@h:54x32/d",
        "postgresql://u@h:12hidden/d",
        "postgresql://u:hidden@h/d?ssl=require",
        "postgresql://u:hidden@[h/d",
        "postgresql://u:hidden@h",
    ],
)
def test_an_address_of_cel_that_the_driver_would_not_take_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Not when it is first used, and without a word of it."""
    told = wrong(tmp_path, monkeypatch, f'[[pbx]]\nsecret = "s"\ncel_url = "{address}"\n')
    assert "pbx[0].cel_url: " in told
    assert "must be postgresql://USER" in told
    assert "hidden" not in told


BUCKET = 'store = "s3"\nbucket = "talks"\nkey = "us"\nsecret = "hush"\n'


@pytest.mark.parametrize(
    "toml, told",
    [
        ('store = "s3"\nbucket = "talks"\nkey = "us"\n', "store is s3: secret is required"),
        ('bucket = "talks"\n', "store is folder: bucket is of a bucket"),
        ('endpoint = "https://s3.example.org"\n', "store is folder: endpoint is of a bucket"),
        (f'{BUCKET}folder = "/srv"\n', "store is s3: folder is of a store in a folder"),
        (f'{BUCKET}endpoint = "s3.example.org"\n', "recordings.endpoint: "),
        ("warn_percent = 96\n", "warn_percent 96 is above stop_percent 95"),
        ("bitrate = 16000\n", "recordings.bitrate: "),
        ('store = "tape"\n', "recordings.store: "),
    ],
)
def test_a_store_that_cannot_be_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, told: str
) -> None:
    """In one line, and never with the bucket's secret."""
    problem = wrong(tmp_path, monkeypatch, f"[recordings]\n{toml}")
    assert told in problem
    assert "hush" not in problem
    assert "\n" not in problem


def test_a_worker_beside_the_service_works_with_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store and the CRMs, with what opens them, which is shown nowhere else."""
    file = tmp_path / "ours.toml"  # not by its name: a worker that looks around would find it
    crm = 'networks = ["10.1.0.0/16"]\nowner_url = "https://crm.example.com/owner"\ntoken = "hush hush"\n'
    web = 'public_url = "https://calls.example.com"\n'
    store = f'{BUCKET}endpoint = "http://127.0.0.1:9000"\n'
    file.write_text(f'secret_key = "hush"\n[recordings]\n{store}[crm]\n{crm}[web]\n{web}')
    monkeypatch.setenv("SWITCHHOOK_CONFIG", str(file))
    settings = load()
    assert "hush" not in repr(settings)
    told = environment_of(settings, "postgresql:///x")
    monkeypatch.delenv("SWITCHHOOK_CONFIG")
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    given = load()
    for name in ("recordings", "crm", "secret_key", "web"):
        assert getattr(given, name) == getattr(settings, name)


FOUND = '[web]\npublic_url = "https://us.example.com"\n'
OF_A_PROVIDER = {
    'issuer = "https://id.example.com"\n': "client_id is required",
    'issuer = "http://id.example.com"\nclient_id = "us"\n': "https://",
    'issuer = "https://id.example.com"\nclient_id = "us"\n': "claim is required",
    'issuer = "https://id.example.com"\nclient_id = "us"\nclaim = "name"\nscopes = ["email"]\n': "must hold openid",
}


@pytest.mark.parametrize("toml", OF_A_PROVIDER)
def test_a_provider_of_logins_is_known_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str) -> None:
    """Its name by https, ours there, and where it sends people back."""
    assert OF_A_PROVIDER[toml] in wrong(tmp_path, monkeypatch, f"{FOUND}[oidc]\n{toml}")
    whole = '[oidc]\nissuer = "https://id.example.com"\nclient_id = "us"\nclaim = "name"\n'
    assert "needs web.public_url" in wrong(tmp_path, monkeypatch, whole)


@pytest.mark.parametrize("where", ["SWITCHHOOK_SECRETS", "CREDENTIALS_DIRECTORY"])
def test_secrets_are_read_from_files_named_like_their_variables(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They win over the file of settings, the environment over them; other files of the folder are nobody's."""
    (tmp_path / "secrets").mkdir()
    told = {
        "DATABASE_URL": "postgresql://a:b@db/house\n",
        "SWITCHHOOK_SECRET_KEY": "key of a file\n",
        "SWITCHHOOK_CRM__TOKEN": "token of a file",
        "ami_secret": "of the PBX\n",
    }
    for name, text in told.items():
        (tmp_path / "secrets" / name).write_text(text)
    pbx = '[[pbx]]\nname = "main"\nsecret_file = "ami_secret"\n'
    (tmp_path / "switchhook.toml").write_text('[crm]\nowner_url = "https://crm.example.com"\ntoken = "of toml"\n' + pbx)
    monkeypatch.setenv(where, str(tmp_path / "secrets"))
    settings = load()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://a:b@db/house"
    assert settings.secret_key.get_secret_value() == "key of a file"
    assert settings.crm.token.get_secret_value() == "token of a file"
    assert settings.pbx[0].secret.get_secret_value() == "of the PBX"
    monkeypatch.setenv("SWITCHHOOK_SECRET_KEY", "key of the environment")
    assert load().secret_key.get_secret_value() == "key of the environment"


def test_a_file_of_a_secret_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = wrong(tmp_path, monkeypatch, '[[pbx]]\nsecret_file = "/nowhere/ami_secret"\n')
    assert told.startswith("pbx[0]: Value error, cannot be read: /nowhere/ami_secret: No such file")
    monkeypatch.setenv("SWITCHHOOK_SECRETS", "/nowhere")
    assert "there is no folder '/nowhere'" in wrong(tmp_path, monkeypatch, "")
