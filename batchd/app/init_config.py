"""``batchd init``: a commented config for a table, written once and then its owner's."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchd.app.config_text import Place, config_text, task_name
from batchd.app.guessing import Guess, guess
from batchd.config.secret_refs import SecretRef
from batchd.config.urls import absolute_sqlite_url, has_password
from batchd.errors import UsageError
from batchd.store.opening import open_database
from batchd.store.profile import TableProfile, profile
from batchd.store.reading import ask
from batchd.store.source import SourceTable

# SQLAlchemy's connection, which only the store knows by name.
Connection = Any
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for: a database, a table, and its key where the primary key won't do.

    ``password_env`` names the environment variable that holds the login's password.
    """

    url: str
    table: str
    schema: str | None = None
    key: tuple[str, ...] = ()
    password_env: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The file that was written, its task, and what is left for a person to do."""

    path: Path
    task: str
    to_do: tuple[str, ...]


def write_config(wish: Wish, out: Path) -> Written:
    """Looks at the table and writes the file.

    Raises:
        UsageError: the file is there already, its folder is not, or a password is in the URL.
        ConfigError: the table is missing, has no key, or nothing to read or to write; or there is no such variable.
        DatabaseError: the database cannot be opened.
    """
    path = Path.cwd() / out
    _check_target(path)
    url = _absolute_url(wish.url)
    seen = _profile(url, wish)
    found = guess(wish.table, seen, wish.key)
    place = Place(_url_for(url, path.parent), wish.table, wish.schema, wish.password_env)
    text = config_text(place, found, seen.quoted)
    _write_new(path, text)
    return Written(path, task_name(wish.table), tuple(_to_do(found)))


def _check_target(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} is there already and is not overwritten", next_command="--out ANOTHER.toml")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", next_command=f"mkdir -p {path.parent}")


def _absolute_url(url: str) -> str:
    if has_password(url):
        raise UsageError(
            "a password may not be written in the URL, since it would stand in the config",
            next_command="leave it out of --url, and name a variable that holds it: --password-env BATCHD_DB_PASSWORD",
        )
    try:
        return absolute_sqlite_url(url, Path.cwd())
    except ValueError as error:
        raise UsageError(f"--url: {error}", next_command="write it like sqlite:///candidates.db") from error


def _profile(url: str, wish: Wish) -> TableProfile:
    database = open_database(url, password=_password(wish.password_env))

    def look(connection: Connection) -> TableProfile:
        source = SourceTable(connection, database.dialect, wish.table, wish.schema)
        seen = profile(connection, database.dialect, wish.table, wish.schema)
        if key := wish.key or seen.primary_key:
            source.key_columns(key)
            source.check_unique(key)
        return seen

    try:
        return ask(database, look)
    finally:
        database.engine.dispose()


def _password(name: str | None) -> str | None:
    return SecretRef(env=name).resolve(Path.cwd(), where="--password-env") if name else None


def _url_for(url: str, folder: Path) -> str:
    """The URL as the file should say it: a SQLite file in or below its folder by its relative path."""
    file = Path(url.removeprefix(_SQLITE))
    if url.startswith(_SQLITE) and file.is_relative_to(folder):
        return _SQLITE + str(file.relative_to(folder))
    return url


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", next_command="--out FILE") from error


def _to_do(found: Guess) -> list[str]:
    sentences = ["say in each field's description what you want, and drop the fields you don't want"]
    if found.marker is None:
        sentences.append(
            f"no column marks a row as done; pending asks whether {found.answers[0].column} is empty. "
            "A column such as ProcessedAt, set by on_success, would be clearer"
        )
    return sentences
