"""The config as the rest of the program sees it, able to say where each key was written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchd.config.metrics import MetricsConfig
from batchd.config.places import Places, read_text
from batchd.config.problems import key_name
from batchd.config.secret_refs import SecretRef
from batchd.config.sections import DaemonConfig, DatabaseConfig, LogConfig, NotifyConfig, PriceConfig
from batchd.config.tasks import TaskConfig
from batchd.config.urls import absolute_sqlite_url
from batchd.config.vendors import VendorConfig
from batchd.config.webhooks import WebhooksConfig
from batchd.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ConfigWarning:
    """Something allowed, and probably not meant; ``where`` is ``file:line``."""

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Config:
    """A config file, checked. Paths in it are absolute, durations are seconds."""

    places: Places
    database: DatabaseConfig
    vendors: Mapping[str, VendorConfig]
    daemon: DaemonConfig
    prices: Mapping[str, PriceConfig]
    notify: NotifyConfig | None
    log: LogConfig
    metrics: MetricsConfig
    webhooks: WebhooksConfig | None
    tasks: Mapping[str, TaskConfig]
    warnings: tuple[ConfigWarning, ...]

    @property
    def path(self) -> Path:
        """The config file, absolute."""
        return self.places.path

    @property
    def folder(self) -> Path:
        """The config's folder, where relative paths start."""
        return self.path.parent

    def where(self, *path: str | int) -> str:
        """``file:line`` of a key, such as ``where("tasks", "resumes", "prompt")``.

        A key that isn't written, because its default holds, is at the table around it.
        """
        return self.places.where(path)

    def error(self, message: str, *path: str | int, next_command: str = "") -> ConfigError:
        """An error about a key, with its place and its name, for checks that need more than the file."""
        return ConfigError(f"{key_name(path)}: {message}", where=self.where(*path), next_command=next_command)

    def secret(self, reference: SecretRef, *path: str | int) -> str:
        """Reads the secret that the key ``path`` refers to.

        Raises:
            ConfigError: it isn't there, cannot be read or is empty.
        """
        return reference.resolve(self.folder, where=self.where(*path))

    def database_url(self) -> str:
        """The database's URL; a SQLite file in it is absolute.

        It may hold a password where all of it is kept elsewhere: show it through ``mask_url`` only.

        Raises:
            ConfigError: the URL cannot be read from where it is kept, or can't be used.
        """
        url = self.database.url
        if isinstance(url, str):
            return url
        try:
            return absolute_sqlite_url(self.secret(url, "database", "url"), self.folder)
        except ValueError as error:
            raise self.error(str(error), "database", "url") from error

    def database_password(self) -> str | None:
        """The database's password, where one is configured.

        Raises:
            ConfigError: it cannot be read.
        """
        reference = self.database.password
        return None if reference is None else self.secret(reference, "database", "password")

    def webhook_url(self) -> str | None:
        """Where findings are POSTed to, where that is configured; a secret.

        Raises:
            ConfigError: the URL cannot be read from where it is kept, or is none.
        """
        reference = None if self.notify is None else self.notify.webhook
        if not isinstance(reference, SecretRef):
            return reference
        url = self.secret(reference, "notify", "webhook")
        if not url.startswith(("http://", "https://")):
            raise self.error(
                "what is kept there is not a URL that starts with http:// or https://", "notify", "webhook"
            )
        return url

    def prompt(self, task: str) -> str:
        """The template of a task's prompt, from the config or from its ``prompt_file``.

        Raises:
            ConfigError: the file cannot be read.
        """
        configured = self.tasks[task]
        if configured.prompt_file is None:
            return configured.prompt or ""
        return read_text(configured.prompt_file, self.where("tasks", task, "prompt_file"))

    def answer_schema(self, task: str) -> dict[str, Any] | None:
        """The JSON Schema in a task's ``schema_file``; None where the task has no such file.

        Raises:
            ConfigError: the file cannot be read, or is not a JSON object.
        """
        file = self.tasks[task].schema_file
        if file is None:
            return None
        text = read_text(file, self.where("tasks", task, "schema_file"))
        try:
            schema = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"not valid JSON: {error.msg}", where=f"{file}:{error.lineno}:{error.colno}") from error
        if not isinstance(schema, dict):
            raise ConfigError("a JSON Schema is an object in {braces}", where=f"{file}:1")
        return schema
