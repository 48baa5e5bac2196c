"""The small tables of the config: ``[database]``, ``[daemon]``, ``[prices."model"]``, ``[notify]``, ``[log]``."""

from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfoNotFoundError

from pydantic import AfterValidator, Discriminator, Field, Strict, Tag, ValidationInfo

from batchd.config.durations import Duration, DurationOrZero
from batchd.config.entra import Entra
from batchd.config.secret_refs import SecretRef
from batchd.config.time_zones import time_zone
from batchd.config.urls import absolute_sqlite_url, has_password
from batchd.config.values import CountOrZero, FilePath, Name, Table, written


def _literal_url(url: str, info: ValidationInfo) -> str:
    if ":" not in url:
        raise ValueError('expects a URL such as "sqlite:///batchd.db"')
    if has_password(url):
        raise ValueError(
            "a password may not be written in the URL; take it out and say where it is kept: "
            'password = { env = "BATCHD_DB_PASSWORD" }; or keep all of it elsewhere: '
            'url = { env = "BATCHD_DB_URL" }'
        )
    folder = (info.context or {}).get("folder")
    return absolute_sqlite_url(url, folder) if folder else url


def _text_or_reference(value: object) -> str:
    return "reference" if isinstance(value, dict | SecretRef) else "text"


DatabaseUrl = Annotated[
    Annotated[str, AfterValidator(_literal_url), Tag("text")] | Annotated[SecretRef, Tag("reference")],
    Discriminator(_text_or_reference),
]


class DatabaseConfig(Table):
    """``[database]``: where the tasks' tables and the ledger are."""

    url: DatabaseUrl = Field(
        description='SQLAlchemy URL without a password, such as "sqlite:///batchd.db", or a reference to one.'
    )
    password: SecretRef | None = Field(default=None, description="Where the database password is kept.")
    entra: Entra | None = Field(
        default=None, description="SQL Server only: Entra ID in place of user and password; a credential, or a table."
    )
    ledger_schema: Name | None = Field(
        default=None,
        description="Schema of batchd's own tables; `batchd` on SQL Server and PostgreSQL, else the URL's database.",
    )


def _time_zone(name: str) -> str:
    try:
        time_zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError('expects the name of a time zone that this machine knows, such as "Europe/Berlin"') from error
    return name


class DaemonConfig(Table):
    """``[daemon]``: pace and working folder."""

    check_interval: Duration = written("60s", "Shortest pause between two looks at the vendor's batches.")
    sweep_interval: Duration = written("10m", "Longest time between two reads of a whole table for rows passed over.")
    timezone: Annotated[str, AfterValidator(_time_zone)] = written(
        "UTC", "The time zone that cron lines and quiet hours mean, such as Europe/Berlin."
    )
    lease: Duration = written("5m", "How long a process may be silent before another takes over its work.")
    apply_rows: Annotated[int, Field(ge=1, le=100_000)] = written(2000, "Rows that are written in one transaction.")
    transfers: Annotated[int, Field(ge=1, le=10)] = written(4, "Uploads or downloads that run at once, at most.")
    spool: FilePath = written("spool", "Folder of request and result files, relative to the config's folder.")
    spool_reserve: CountOrZero = written(100_000_000, "Bytes that batch files leave free on the spool's disk.")
    keep_files: DurationOrZero = written("7d", "How long the files of a batch are kept after it has ended.")
    keep_ledger: Duration | None = Field(
        default=None,
        description="How long the requests of a batch are kept in the ledger after it has ended, and no less than its "
        "files; for ever where this is left out.",
    )
    keep_vendor_files: Duration | None = Field(
        default=None,
        description="How long the files of a batch stay at the vendor after it has ended, and no less than those in "
        "the spool; as long as the vendor keeps them where this is left out.",
    )


Price = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class PriceConfig(Table):
    """``[prices."model"]``: what is really paid, in USD for a million tokens of a batch."""

    input: Price = Field(description="USD per million input tokens, at batch price.")
    cached_input: Price | None = Field(
        default=None,
        description="USD per million input tokens read from the vendor's cache, at batch price; else as other input.",
    )
    output: Price = Field(description="USD per million output tokens, at batch price.")


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("expects a URL that starts with http:// or https://")
    return url


WebhookUrl = Annotated[
    Annotated[str, AfterValidator(_http_url), Tag("text")] | Annotated[SecretRef, Tag("reference")],
    Discriminator(_text_or_reference),
]


class NotifyConfig(Table):
    """``[notify]``: who is told of findings, and how; by both ways where both are given."""

    webhook: WebhookUrl | None = Field(
        default=None,
        description="URL that each finding is POSTed to as JSON, or better a reference to it: whoever has it can post.",
    )
    command: Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="Program and arguments, run for each finding without a shell: JSON on its input, "
        "`BATCHD_FINDING_…` in its environment.",
    )
    min_priority: Annotated[int, Strict(), Field(ge=1, le=3)] = written(
        2, "Findings of this priority and of more urgent ones, which have smaller numbers, are told."
    )
    timeout: Annotated[Duration, Field(le=30)] = written("10s", "How long one way may take for one finding.")


class LogConfig(Table):
    """``[log]``: what is logged to stderr, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="JSON lines or text for people; auto is text on a terminal, JSON elsewhere.",
    )
