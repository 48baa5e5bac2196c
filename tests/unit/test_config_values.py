"""Durations, URLs and references to secrets, each by itself."""

from pathlib import Path

import pytest

from batchd.config import SecretRef, mask_url, parse_duration
from batchd.config.urls import absolute_sqlite_url, has_password
from batchd.errors import ConfigError


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("0.5h", 1800),
        ("250ms", 0.25),
        ("90", 90),
        (5, 5),
        (0.5, 0.5),
    ],
)
def test_a_duration_is_read_as_seconds(written: object, seconds: float) -> None:
    """Every unit, fractions and bare numbers are seconds in the end."""
    assert seconds == parse_duration(written)


@pytest.mark.parametrize(
    "written",
    ["", "10 parsecs", "-5s", "1h30m", -1, True, float("nan"), "9" * 400, 10**400, float("inf"), None],
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    """The refusal says how a duration is written."""
    with pytest.raises(ValueError, match='expects a duration such as "30s"'):
        parse_duration(written)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql+psycopg://me:secret@host/db", "postgresql+psycopg://me:***@host/db"),
        ("mysql+pymysql://me:s@cret/x@host/db", "mysql+pymysql://me:***@host/db"),
        (
            "mssql+pyodbc://host/db?UID=me&PWD=secret&driver=x",
            "mssql+pyodbc://host/db?UID=me&PWD=***&driver=x",
        ),
        ("mssql+pyodbc:///?odbc_connect=SERVER%3Dh%3BPWD%3Dsecret", "mssql+pyodbc:///?odbc_connect=***"),
        ("https://api.example/v1?api_key=secret", "https://api.example/v1?api_key=***"),
    ],
)
def test_passwords_in_urls_are_masked(url: str, masked: str) -> None:
    """No form of a password stays in a URL that is shown, and each counts as one."""
    assert masked == mask_url(url)
    assert has_password(url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///batchd.db",
        "postgresql+psycopg://me@host:5432/db",
        "mssql+pyodbc://me@host:1433/db?driver=ODBC+Driver+18+for+SQL+Server",
        "mssql+pyodbc:///?odbc_connect=SERVER%3Dh%3BTrusted_Connection%3Dyes",
    ],
)
def test_urls_without_a_password_are_shown_as_they_are(url: str) -> None:
    """A port or an option is not taken for a password."""
    assert url == mask_url(url)
    assert not has_password(url)


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("sqlite:///batchd.db", "sqlite:////srv/batchd.db"),
        ("sqlite+pysqlite:///data/x.db?timeout=5", "sqlite+pysqlite:////srv/data/x.db?timeout=5"),
        ("sqlite:////var/x.db", "sqlite:////var/x.db"),
        ("postgresql+psycopg://host/db", "postgresql+psycopg://host/db"),
    ],
)
def test_a_sqlite_file_is_named_from_the_folder(url: str, absolute: str) -> None:
    """A relative SQLite file starts from the config's folder; all else stays."""
    assert absolute == absolute_sqlite_url(url, Path("/srv"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:", "in memory"),
        ("sqlite:///", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file::memory:?uri=true", "plain path"),
        ("sqlite://batchd.db", "three slashes"),
    ],
)
def test_a_sqlite_url_without_a_file_is_refused(url: str, reason: str) -> None:
    """A ledger in memory would forget what was paid; other mistakes are named."""
    with pytest.raises(ValueError, match=reason):
        absolute_sqlite_url(url, Path("/srv"))


def test_a_question_mark_in_the_folder_is_refused() -> None:
    """It would cut the path of the database short, and another file would be opened."""
    with pytest.raises(ValueError, match="question mark"):
        absolute_sqlite_url("sqlite:///x.db", Path("/srv/what?"))


def test_a_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``env`` names a variable."""
    monkeypatch.setenv("BATCHD_TEST_KEY", "made-up")

    assert SecretRef(env="BATCHD_TEST_KEY").resolve(Path()) == "made-up"


def test_a_secret_is_read_from_a_file_beside_the_config(tmp_path: Path) -> None:
    """``file`` starts from the config's folder, and the line break at its end is not part of the secret."""
    (tmp_path / "key").write_text("made-up \n")

    assert SecretRef(file="key").resolve(tmp_path) == "made-up "


def test_a_secret_is_read_from_a_systemd_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``credential`` is a file in the folder that systemd made for the service."""
    (tmp_path / "key").write_text("made-up")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    assert SecretRef(credential="key").resolve(Path("/elsewhere")) == "made-up"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (SecretRef(env="BATCHD_TEST_KEY"), "variable BATCHD_TEST_KEY is not set"),
        (SecretRef(file="absent"), "absent cannot be read: No such file"),
        (SecretRef(file="empty"), "empty is empty"),
        (SecretRef(file="binary"), "binary cannot be read: it is not UTF-8 text"),
        (SecretRef(credential="key"), "CREDENTIALS_DIRECTORY is not set"),
    ],
)
def test_a_secret_that_cannot_be_read_says_where_and_what_to_do(
    reference: SecretRef, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the place of the reference, the reason and a next step."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    monkeypatch.delenv("BATCHD_TEST_KEY", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    with pytest.raises(ConfigError, match=reason) as raised:
        reference.resolve(tmp_path, where="config.toml:7")

    assert raised.value.where == "config.toml:7"
    assert raised.value.next_command
