"""Settings: one TOML file and the environment, checked before anything starts."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from calls.database import plain
from directory.contact import email
from notices.signing import read_secret
from service import secret_files
from service.secret_files import SecretFiles
from service.shown import shown
from telephony.cel_table import TABLE
from telephony.pbx import LinkSettings
from web.access.safe import is_safe

DEFAULT_FILE = Path("switchhook.toml")
_HTTP = r"^https?://[^\s/@]+(/\S*)?$"


def cache_folder() -> Path:
    """Where fetched things live: $SWITCHHOOK_CACHE, else the user's cache folder."""
    told = os.environ.get("SWITCHHOOK_CACHE")
    return Path(told) if told else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "switchhook"


class SettingsError(Exception):
    """A setting is wrong; the text is one line a problem, naming the setting and the value."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WebSettings(_Part):
    """Where pages and the API listen. `secure` says that a TLS proxy stands in front: cookies are then Secure.

    `trusted_proxies` are the networks of proxies whose X-Forwarded-For is believed. `public_url` is where others find
    the pages: what is sent to them, as links to recordings, begins so.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    secure: bool = False
    trusted_proxies: list[IPv4Network | IPv6Network] = Field(default_factory=list)
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s/@]+$")


class OidcSettings(_Part):
    """By whom people may log in beside their passwords: a provider of OpenID Connect; without `issuer` nobody.

    `claim` of its ID token, which has to be named, is the name of a login that is there; people must not be able to
    change it there.
    `label` stands on the button.
    """

    issuer: str | None = None
    client_id: str = ""
    client_secret: SecretStr | None = None
    claim: str = Field(default="", pattern=r"^[A-Za-z0-9_:/.-]{0,100}$")
    scopes: list[str] = Field(default=["openid", "profile", "email"], max_length=20)
    label: str = Field(default="SSO", min_length=1, max_length=40)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.issuer is None:
            return self
        if not is_safe(self.issuer):
            raise ValueError(f"issuer must begin with https://, got {self.issuer!r}")
        if not self.client_id:
            raise ValueError("client_id is required: by what name the provider knows us")
        if not self.claim:
            raise ValueError("claim is required: what of the ID token names a login, that people cannot change there")
        if "openid" not in self.scopes:
            raise ValueError("scopes must hold openid")
        return self


class MetricsSettings(_Part):
    """Where Prometheus scrapes: an own port, closed to the outside by default.

    The database is asked every so many seconds for what only it knows; a scrape waits for no answer.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=9465, ge=0, le=65535)
    every_seconds: float = Field(default=5, ge=0.1, le=60)


class PbxSettings(_Part):
    """One Asterisk: its AMI, and where it writes CEL and recordings, as this machine sees them.

    `secret_file`: which file, as of the folder of secrets, holds `secret`. CEL is in `cel_file`, or in the table
    `cel_table` of the PostgreSQL database at `cel_url`. `uploads`: it sends its recordings, into
    `recordings` or a folder under the data folder.
    """

    name: str = Field(default="pbx", pattern=r"^[A-Za-z0-9_-]{1,40}$")
    host: str = "127.0.0.1"
    port: int = Field(default=5038, ge=1, le=65535)
    username: str = "switchhook"
    secret: SecretStr
    tls: bool = False
    tls_ca_file: Path | None = None
    cel_file: Path | None = None
    cel_url: SecretStr | None = None
    cel_table: str = Field(default="cel", pattern=TABLE)
    recordings: Path | None = None
    uploads: bool = False
    budget_seconds: float = Field(default=1.5, gt=0, le=10)
    fallback: list[str] = Field(default_factory=list)

    @property
    def link(self) -> LinkSettings:
        """How to reach its manager interface."""
        return LinkSettings(
            name=self.name,
            host=self.host,
            port=self.port,
            username=self.username,
            secret=self.secret.get_secret_value(),
            tls=self.tls,
            tls_ca_file=self.tls_ca_file,
        )

    @model_validator(mode="before")
    @classmethod
    def _secret_from_file(cls, told: Any) -> Any:
        if not isinstance(told, dict) or "secret_file" not in told:
            return told
        if "secret" in told:
            raise ValueError("secret and secret_file do not go together")
        secret = secret_files.read(secret_files.place(Path(told["secret_file"])))
        return {name: value for name, value in told.items() if name != "secret_file"} | {"secret": secret}

    @model_validator(mode="after")
    def _one_cel(self) -> Self:
        if self.cel_file is not None and self.cel_url is not None:
            raise ValueError(f"cel_file and cel_url of {self.name!r}: CEL is read from one place, set one of them")
        return self

    @field_validator("cel_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://; CEL in another database cannot be read, write a file")
        return _address(value)


class CalendarSettings(_Part):
    """How people's calendar feeds are fetched; `networks` are those inside the house where calendars may be."""

    every_seconds: float = Field(default=300.0, ge=30, le=86_400)
    networks: list[IPv4Network | IPv6Network] = Field(default_factory=list)
    bytes_most: int = Field(default=5_000_000, ge=1_000, le=50_000_000)
    seconds_most: float = Field(default=20.0, gt=0, le=120)


class CrmSettings(_Part):
    """Who is asked for the owner of a caller: the CRM at `owner_url`, with `token`, or that of the connection
    `owner_from`; without either our own lead book.

    A caller waits for its answer at most `budget_seconds`. `networks` are those inside the house where webhooks may go.
    What a connection was not told `late_minutes` after it was owed counts as lost there.
    """

    owner_url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+(/\S*)?$")
    token: SecretStr = SecretStr("")
    owner_from: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    budget_seconds: float = Field(default=0.3, gt=0, le=1)
    networks: list[IPv4Network | IPv6Network] = Field(default_factory=list)
    late_minutes: float = Field(default=60.0, gt=0, le=10_080)

    @model_validator(mode="after")
    def _asks_one(self) -> Self:
        if self.owner_url is not None and self.owner_from is not None:
            raise ValueError("owner_url and owner_from do not go together: one CRM is asked")
        return self


class MailSettings(_Part):
    """The mail server that takes notices; without `host` none are sent by e-mail. `ca_file` vouches for its name."""

    host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.:_-]{1,253}$")
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender: str | None = None
    ca_file: Path | None = None

    @field_validator("sender")
    @classmethod
    def _is_mailbox(cls, value: str | None) -> str | None:
        return None if value is None else email(value)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.host is not None and self.sender is None:
            raise ValueError("sender is required: the address that notices come from")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.security == "none" and self.username is not None:
            raise ValueError("a password is not sent without encryption: set security to starttls or tls")
        return self


class TelegramSettings(_Part):
    """The bot that writes notices; without `token` none. `url`: a Bot API server of your own."""

    token: SecretStr | None = None
    url: str = Field(default="https://api.telegram.org", pattern=_HTTP)


class WebhookSettings(_Part):
    """Where notices go as signed JSON; without `url` nowhere. `secret` is `whsec_` and Base64."""

    url: str | None = Field(default=None, pattern=_HTTP)
    secret: SecretStr | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.url is not None:
            try:
                read_secret(self.secret.get_secret_value() if self.secret else "")
            except ValueError as error:
                raise ValueError(f"secret: {error}") from None
        return self


class NoticesSettings(_Part):
    """By what people can be told beside the pages."""

    mail: MailSettings = MailSettings()
    telegram: TelegramSettings = TelegramSettings()
    webhook: WebhookSettings = WebhookSettings()


class RecordingsSettings(_Part):
    """Where audio is kept: in `folder` (None: under the data folder), or in an S3-compatible bucket.

    `bitrate`: bits a second of an archive, both sides together; with less they would melt into one. When so much of the
    folder's disk is used, a person is told (`warn_percent`), and nothing is compressed any more (`stop_percent`); audio
    is stored as long as it fits.
    """

    store: Literal["folder", "s3"] = "folder"
    folder: Path | None = None
    endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s/@]+/?$")
    bucket: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$")
    region: str = Field(default="us-east-1", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    key: str | None = None
    secret: SecretStr | None = None
    bitrate: int = Field(default=24_000, ge=24_000, le=128_000)
    warn_percent: float = Field(default=85.0, gt=0, le=100)
    stop_percent: float = Field(default=95.0, gt=0, le=100)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        told = {"bucket": self.bucket, "key": self.key, "secret": self.secret}
        missing = [name for name, value in told.items() if value is None]
        if self.store == "s3" and missing:
            raise ValueError(f"store is s3: {missing[0]} is required")
        strange = [name for name in (*told, "endpoint") if getattr(self, name) is not None]
        if self.store == "folder" and strange:
            raise ValueError(f"store is folder: {strange[0]} is of a bucket, set store = 's3'")
        if self.store == "s3" and self.folder is not None:
            raise ValueError("store is s3: folder is of a store in a folder")
        if self.warn_percent > self.stop_percent:
            raise ValueError(f"warn_percent {self.warn_percent:g} is above stop_percent {self.stop_percent:g}")
        return self


class TracesSettings(_Part):
    """Where traces of calls go, by OTLP over HTTP; without `endpoint` none are made. Needs `switchhook[traces]`."""

    endpoint: str | None = Field(default=None, pattern=_HTTP)


class SyntheticSettings(_Part):
    """The call that the service makes to see that everything works: to `line`, `every_minutes` (0: never by itself).

    `pbx`: on which PBX the line is, the first one where it is empty. Both sides speak `language`. Without a text
    `text_minutes` after it began, it failed.
    """

    every_minutes: float = Field(default=0.0, ge=0, le=1440)
    line: str | None = Field(default=None, pattern=r"^[0-9]{1,20}$")
    pbx: str = ""
    language: Literal["ru", "en"] = "ru"
    text_minutes: float = Field(default=15.0, gt=0, le=1440)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.every_minutes and self.line is None:
            raise ValueError("line is required: the number that is called every_minutes")
        if 0 < self.every_minutes < 1:
            raise ValueError(f"every_minutes must be 0 or at least 1, got {self.every_minutes:g}")
        return self


class JobSettings(_Part):
    """The work after calls. A worker that has not said for `stalled_seconds` that it lives is dead to the others."""

    stalled_seconds: float = Field(default=15.0, ge=1, le=600)


class TranscriptionSettings(_Part):
    """`model`: a CTranslate2 folder, or a name that faster-whisper knows. `language`: None: Whisper says.

    `device` auto: a GPU where one works. `compute`: CTranslate2's type of numbers; auto: float16 on a GPU, else int8.
    """

    model: str = ""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute: Literal["auto", "int8", "int8_float16", "int8_float32", "float16", "bfloat16", "float32"] = "auto"
    language: str | None = None
    beam: int = Field(default=1, ge=1, le=10)
    processes: int = Field(default=1, ge=1, le=64)

    @property
    def model_path(self) -> str:
        """The model to load: the one named, else Whisper base as `make` fetched it."""
        return self.model or str(cache_folder() / "whisper-base")


class Settings(BaseSettings):
    """All of it. Environment: SWITCHHOOK_WEB__PORT=8000 and so on, or DATABASE_URL; it wins over the file."""

    model_config = SettingsConfigDict(
        env_prefix="SWITCHHOOK_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    data_dir: Path = Path("var")
    database_url: SecretStr | None = None
    secret_key: SecretStr = SecretStr("")
    language: Literal["ru", "en"] = "ru"
    log: Literal["console", "json", "quiet"] = "console"
    web: WebSettings = WebSettings()
    oidc: OidcSettings = OidcSettings()
    metrics: MetricsSettings = MetricsSettings()
    pbx: list[PbxSettings] = Field(default_factory=list)
    crm: CrmSettings = CrmSettings()
    recordings: RecordingsSettings = RecordingsSettings()
    transcription: TranscriptionSettings = TranscriptionSettings()
    jobs: JobSettings = JobSettings()
    synthetic: SyntheticSettings = SyntheticSettings()
    calendars: CalendarSettings = CalendarSettings()
    notices: NoticesSettings = NoticesSettings()
    traces: TracesSettings = TracesSettings()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        self.check_agreement()
        return self

    def check_agreement(self) -> None:
        """Raises ValueError where parts contradict each other, each of them being right by itself."""
        if self.synthetic.pbx and self.synthetic.pbx not in {one.name for one in self.pbx}:
            raise ValueError(f"synthetic.pbx: no pbx has that name, got {self.synthetic.pbx!r}")
        if self.oidc.issuer is not None and self.web.public_url is None:
            raise ValueError("oidc.issuer needs web.public_url: the provider sends people back there")

    @property
    def synthetic_pbx(self) -> str | None:
        """The name of the PBX by which synthetic calls are made; None: there is no PBX."""
        return self.synthetic.pbx or next((one.name for one in self.pbx), None)

    @field_validator("database_url")
    @classmethod
    def _is_address(cls, value: SecretStr | None) -> SecretStr | None:
        return _address(value)

    @field_validator("pbx")
    @classmethod
    def _names_differ(cls, value: list[PbxSettings]) -> list[PbxSettings]:
        names = [one.name for one in value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two PBXes are named {twice!r}; each needs its own name")
        return value

    @property
    def recordings_store(self) -> Path:
        """The folder where recordings are kept for good, unless a bucket is set."""
        return self.recordings.folder or self.data_dir / "recordings"

    def recordings_of(self, pbx: PbxSettings) -> Path | None:
        """Where the PBX's recordings appear on this machine; None when they do not."""
        return pbx.recordings or (self.data_dir / "uploads" / pbx.name if pbx.uploads else None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the program says, then the environment, then files of secrets, then the file of settings."""
        del dotenv_settings, file_secret_settings
        secrets = SecretFiles(settings_cls)
        return init_settings, env_settings, secrets, TomlConfigSettingsSource(settings_cls, file_in_use())


def file_in_use() -> Path | None:
    """The settings file, if there is one: $SWITCHHOOK_CONFIG, else switchhook.toml in the working folder."""
    told = os.environ.get("SWITCHHOOK_CONFIG")
    if told:
        return Path(told)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def load(**told: Any) -> Settings:
    """The settings from the file ($SWITCHHOOK_CONFIG or ./switchhook.toml) and the environment.

    Raises SettingsError, one line a problem.
    """
    file = file_in_use()
    if file is not None and not file.is_file():
        raise SettingsError(f"SWITCHHOOK_CONFIG: there is no file {str(file)!r}")
    try:
        given = os.environ.get("DATABASE_URL") or secret_files.named("DATABASE_URL")
        if "database_url" not in told and given:
            told["database_url"] = given
        return Settings(**told)
    except ValidationError as error:
        where = f" (from the environment or {file})" if file else " (from the environment)"
        raise SettingsError("\n".join(f"{_problem(one)}{where}" for one in error.errors())) from None
    except ValueError as error:
        raise SettingsError(f"{file or secret_files.FOLDER}: {error}") from None


def _address(value: SecretStr | None) -> SecretStr | None:
    """The same, when libpq reads it; what libpq says of one that it does not read may repeat a password."""
    if value is None:
        return None
    try:
        told = conninfo_to_dict(plain(value.get_secret_value()))
    except (psycopg.Error, ValueError):
        told = {}
    ports = str(told.get("port", "5432")).split(",")
    if not told.get("dbname") or not all(port.isdigit() and 0 < int(port) < 65536 for port in ports):
        raise ValueError(
            "must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with libpq's parameters at most (?sslmode=require)"
        )
    return value


def _problem(error: Any) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    # A misspelt name may be that of a secret, and a PBX as text holds its own.
    secret = any(word in path for word in ("secret", "token", "password", "database_url", "cel_url")) or path == "pbx"
    hidden = secret or error["type"] == "extra_forbidden" or not isinstance(error["input"], str | int | float)
    given = shown(str(error["input"])) if path.endswith(("url", "endpoint")) else error["input"]
    value = "" if hidden else f", got {given!r}"
    words = {"extra_forbidden": "no such setting", "missing": "is required"}
    return f"{path}: {words.get(error['type'], error['msg'])}{value}"
