"""Making the SDK's clients: keys, time limits, and none of the SDK's own sources of settings."""

import ipaddress
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx2
import openai

from batchd.errors import ConfigError, VendorAuthError
from batchd.vendors.connection import AzureConnection, Connection

_CONNECT_SECONDS = 5.0


def openai_client(connection: Connection, timeouts: httpx2.Timeout, retries: int) -> openai.OpenAI:
    """An SDK client that takes nothing from ``OPENAI_*`` variables."""
    client = openai.OpenAI(
        api_key=_checked(connection.api_key),
        base_url=connection.base_url,
        max_retries=retries,
        timeout=timeouts,
        http_client=_transport(connection, timeouts, retries),
    )
    _seal(client, connection)
    return client


def azure_client(connection: AzureConnection, timeouts: httpx2.Timeout, retries: int) -> openai.OpenAI:
    """An SDK client for an Azure OpenAI resource, that takes nothing from ``OPENAI_*`` and ``AZURE_OPENAI_*``.

    The v1 API goes by the same client: it alone sends the key as ``api-key``, and takes it off where it is redirected.
    """
    ask = _checked(connection.api_key)
    client = openai.AzureOpenAI(
        base_url=f"{connection.base_url.rstrip('/')}/openai{'' if connection.api_version else '/v1'}",
        api_version=connection.api_version or "",
        api_key=None if connection.by_token else ask,
        azure_ad_token_provider=ask if connection.by_token else None,
        max_retries=retries,
        timeout=timeouts,
        http_client=_transport(connection, timeouts, retries),
    )
    _seal(client, connection)
    if connection.api_version is None:
        client._custom_query = {}  # noqa: SLF001 - the v1 API has no version to name, and the SDK no way to say so
    return client


def _transport(connection: Connection, timeouts: httpx2.Timeout, retries: int) -> httpx2.Client:
    """What is sent once isn't redirected either: a redirected POST is repeated, or becomes a GET."""
    return httpx2.Client(
        timeout=timeouts, follow_redirects=retries > 0, trust_env=not is_this_machine(connection.base_url)
    )


def _seal(client: openai.OpenAI, connection: Connection) -> None:
    # Given None, the SDK asks the environment; set afterwards, None means none.
    client.organization, client.project = connection.organization, connection.project
    client._custom_headers = {}  # noqa: SLF001 - OPENAI_CUSTOM_HEADERS; the SDK has no public way to refuse it


def _checked(api_key: str | Callable[[], str]) -> Callable[[], str]:
    def ask() -> str:
        key = (api_key() if callable(api_key) else api_key).strip()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise VendorAuthError(
                "the vendor's API key is empty or has characters that no key has",
                code="unusable_key",
                next_command="put the key where the api_key of this [vendors] section points to",
            )
        return key

    return ask


def create_timeouts(seconds: float) -> httpx2.Timeout:
    """Parts that add up to ``seconds``: the SDK knows no limit for a whole call."""
    part = min(_CONNECT_SECONDS, seconds / 6)
    return httpx2.Timeout(connect=part, write=part, pool=part, read=seconds - 3 * part)


def read_timeouts(silence: float) -> httpx2.Timeout:
    """``silence`` seconds for every single wait, less for connecting."""
    return httpx2.Timeout(silence, connect=min(_CONNECT_SECONDS, silence))


def shown(base_url: str) -> str:
    """Scheme, host and port of a URL, without the credentials it may carry. Raises ConfigError for no URL."""
    try:
        parts = urlsplit(base_url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    except ValueError:
        # A host or a port that is none: said below.
        pass
    raise ConfigError(
        "the base_url of a vendor is no URL of the form https://host/v1",
        next_command="correct base_url (endpoint, for Azure) in its [vendors] section",
    )


def is_this_machine(base_url: str) -> bool:
    """True for loopback addresses, which no proxy can reach for us."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def silence_loggers() -> None:
    """Their loggers write URLs and, at debug level, whole requests: row content, and tokens."""
    for name in ("openai", "httpx2", "httpcore2", "azure", "msal", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
