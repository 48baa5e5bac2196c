"""Secrets are never written in the config: it says where each is kept."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from batchd.errors import ConfigError
from batchd.redaction import keep_secret

_WAYS = '{ env = "NAME" }, { file = "path" } or { credential = "name" }'


class SecretRef(BaseModel):
    """Where a secret is kept: an environment variable, a file, or a systemd credential."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    env: str | None = Field(default=None, min_length=1, description="Environment variable that holds the secret.")
    file: str | None = Field(
        default=None, min_length=1, description="File that holds the secret, relative to the config's folder."
    )
    credential: str | None = Field(
        default=None, pattern=r"^[^/]+$", description="Name of a systemd credential (LoadCredential=)."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_reference(cls, value: object) -> object:
        if isinstance(value, dict | SecretRef):
            return value
        raise ValueError(f"a secret is not written in the config; say where it is kept: {_WAYS}")

    @model_validator(mode="after")
    def _names_one_place(self) -> Self:
        places = [place for place in (self.env, self.file, self.credential) if place is not None]
        if len(places) != 1:
            raise ValueError(f"a secret is kept in one place: {_WAYS}")
        return self

    def resolve(self, folder: Path, *, where: str = "") -> str:
        """Reads the secret, without the line break at its end. From then on it is hidden in logs.

        Args:
            folder: the config's folder, which a relative ``file`` starts from.
            where: ``file:line`` of the reference, for the error.

        Raises:
            ConfigError: the secret isn't there, cannot be read or is empty.
        """
        secret = self._read(folder, where)
        keep_secret(secret)
        return secret

    def _read(self, folder: Path, where: str) -> str:
        if self.env is not None:
            return self._from_environment(self.env, where)
        if self.file is not None:
            return _from_file(folder / self.file, where)
        return self._from_credential(self.credential or "", where)

    def _from_environment(self, name: str, where: str) -> str:
        secret = os.environ.get(name, "")
        if not secret:
            raise ConfigError(
                f"the environment variable {name} is not set, or is empty",
                where=where,
                next_command=f"export {name}=…",
            )
        return secret

    def _from_credential(self, name: str, where: str) -> str:
        folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            raise ConfigError(
                f"the credential {name} needs systemd, and CREDENTIALS_DIRECTORY is not set",
                where=where,
                next_command=f"add LoadCredential={name}:… to the service, or use env or file",
            )
        return _from_file(Path(folder) / name, where)


def _from_file(path: Path, where: str) -> str:
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"the secret file {path} cannot be read: {reason}",
            where=where,
            next_command=f"write the secret to {path}, readable by the user who runs batchd",
        ) from error
    if not secret:
        raise ConfigError(f"the secret file {path} is empty", where=where, next_command=f"write the secret to {path}")
    return secret
