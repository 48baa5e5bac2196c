"""Vendors by the name of their kind: a vendor is one module and one line here."""

import hashlib
import json
from collections.abc import Callable
from urllib.parse import urlsplit

from batchd.errors import ConfigError
from batchd.ports import Vendor
from batchd.vendors.connection import AzureConnection, Connection


def connect(kind: str, connection: Connection) -> Vendor:
    """Makes the client of a vendor account; speaks to nobody yet. Raises ConfigError for an unknown kind."""
    constructor = _CONSTRUCTORS.get(kind)
    if constructor is None:
        raise ConfigError(f"unknown kind of vendor; known are {', '.join(sorted(_CONSTRUCTORS))}")
    return constructor(connection)


def account_fingerprint(kind: str, url: str, project: str | None) -> str:
    """SHA-256 in hex over what must not move while batches are open.

    Args:
        kind: as configured.
        url: the base URL, for Azure the resource's endpoint, whose dated APIs and v1 show the same batches; for a
            sandbox, whose port changes, what names it for good (its state file).
        project: as configured.
    """
    parts = [kind, _canonical(url), project or ""]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _canonical(url: str) -> str:
    """One spelling for URLs that mean the same place; credentials don't make another place."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    host = parts.netloc.rpartition("@")[2].lower()
    default_port = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    path = parts.path.rstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host.removesuffix(default_port)}{path}{query}"


def _openai(connection: Connection) -> Vendor:
    # The SDK takes most of a second to load: only commands that speak to a vendor pay for it.
    from batchd.vendors.openai import OpenAIVendor  # noqa: PLC0415

    return OpenAIVendor(connection)


def _azure(connection: Connection) -> Vendor:
    from batchd.vendors.azure import AzureVendor  # noqa: PLC0415 - as above

    if not isinstance(connection, AzureConnection):
        raise TypeError("an Azure resource is reached by an AzureConnection")
    return AzureVendor(connection)


def _sandbox(connection: Connection) -> Vendor:
    return _azure(connection) if isinstance(connection, AzureConnection) else _openai(connection)


_CONSTRUCTORS: dict[str, Callable[[Connection], Vendor]] = {
    "azure": _azure,
    "openai": _openai,
    "sandbox": _sandbox,
}
