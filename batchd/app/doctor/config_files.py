"""The config and the files with secrets: who else may read or change them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from batchd.app.remarks import Remark
from batchd.config import AzureVendorConfig, Config
from batchd.config.places import shown_path
from batchd.config.secret_refs import SecretRef
from batchd.config.vendors import OpenAIVendorConfig

SUBJECT = "config"
_OTHERS_READ = stat.S_IROTH
_OTHERS_WRITE = stat.S_IWOTH
_GROUP_OR_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def look_at_config(config: Config) -> Iterator[Remark]:
    """A config that could be loaded, and the files that it leads to."""
    yield Remark("ok", SUBJECT, f"{shown_path(config.path)} is well formed")
    for one in config.warnings:
        yield Remark("warning", SUBJECT, f"{one.where}: {one.message}")
    yield from _config_mode(config.path)
    secrets = dict(secrets_of(config))
    files = [one for one in (_file_of(config, secret) for secret in secrets.values()) if one is not None]
    trouble = [remark for file in dict.fromkeys(files) for remark in _secret_mode(file)]
    yield from trouble
    if files and not trouble:
        what = "the file with a secret is" if len(files) == 1 else f"the {len(files)} files with secrets are"
        yield Remark("ok", SUBJECT, f"{what} closed to other users")


def secrets_of(config: Config) -> Iterator[tuple[tuple[str, ...], SecretRef]]:
    """Each secret that the config refers to, by its key."""
    database = config.database
    if isinstance(database.url, SecretRef):
        yield ("database", "url"), database.url
    if database.password is not None:
        yield ("database", "password"), database.password
    if database.entra is not None and database.entra.client_secret is not None:
        yield ("database", "entra", "client_secret"), database.entra.client_secret
    for name, vendor in config.vendors.items():
        if isinstance(vendor, OpenAIVendorConfig | AzureVendorConfig) and vendor.api_key is not None:
            yield ("vendors", name, "api_key"), vendor.api_key
        if isinstance(vendor, AzureVendorConfig) and vendor.entra is not None and vendor.entra.client_secret:
            yield ("vendors", name, "entra", "client_secret"), vendor.entra.client_secret


def _file_of(config: Config, secret: SecretRef) -> Path | None:
    if secret.file is not None:
        return config.folder / secret.file
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) / secret.credential if secret.credential and folder else None


def _config_mode(path: Path) -> Iterator[Remark]:
    mode = path.stat().st_mode
    if mode & _OTHERS_WRITE:
        # What stands there is run as SQL, and says where the rows' texts are sent.
        yield _open(path, mode, "every user of this machine may change it", "o-w")


def _secret_mode(path: Path) -> Iterator[Remark]:
    try:
        mode = path.stat().st_mode
    except OSError:
        # Who needs the secret tells that it is not there.
        return
    if mode & _OTHERS_READ:
        yield _open(path, mode, "it holds a secret, and every user of this machine may read it", "600")
    elif mode & _GROUP_OR_OTHERS_WRITE:
        yield _open(path, mode, "it holds a secret, and other users may change it", "600")


def _open(path: Path, mode: int, what: str, rights: str) -> Remark:
    where = shown_path(path)
    return Remark("warning", SUBJECT, f"{where}: {what} ({stat.filemode(mode)})", f"chmod {rights} {where}")
