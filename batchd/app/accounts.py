"""Vendor accounts of a config, connected. A sandbox is started, or joined, by the command that needs it."""

import contextlib
from collections.abc import Callable, Collection

from batchd.app.webhooks import webhook_secrets
from batchd.config import Config
from batchd.config.entra import EntraConfig
from batchd.config.vendors import AzureVendorConfig, OpenAIVendorConfig, SandboxVendorConfig, VendorConfig
from batchd.entra import AZURE_SCOPE, EntraIdentity
from batchd.errors import ConfigError
from batchd.ports import Account, Link
from batchd.sandbox_process import Flavour, SandboxHandle, SandboxStartError, Upstream, Webhooks, start_or_join
from batchd.vendors.catalog import account_fingerprint, connect
from batchd.vendors.connection import OPENAI_URL, AzureConnection, Connection
from batchd.vendors.entra import token_provider

SANDBOX_KEY = "sandbox-key"


def connect_named(config: Config, stack: contextlib.ExitStack, names: Collection[str]) -> dict[str, Account]:
    """The accounts of these names; one that is not configured is left out. ``stack`` lets go of them."""
    return {name: _account(config, name, vendor, stack) for name, vendor in config.vendors.items() if name in names}


def connect_each(
    config: Config, stack: contextlib.ExitStack, names: Collection[str]
) -> tuple[dict[str, Account], dict[str, ConfigError]]:
    """The same; and why some can't be connected, which keeps no other from being."""
    accounts: dict[str, Account] = {}
    failed: dict[str, ConfigError] = {}
    for name in names:
        try:
            accounts |= connect_named(config, stack, {name})
        except ConfigError as error:
            failed[name] = error
    return accounts, failed


def _account(config: Config, name: str, vendor: VendorConfig, stack: contextlib.ExitStack) -> Account:
    connection = (
        _sandbox(config, name, vendor, stack)
        if isinstance(vendor, SandboxVendorConfig)
        else connection_of(config, name, vendor)
    )
    client = connect(vendor.kind, connection)
    stack.callback(client.close)
    processing = connection.file_timeout if isinstance(connection, AzureConnection) else 0.0
    return Account(
        name=name,
        vendor=client,
        fingerprint=fingerprint_of(vendor),
        max_requests=vendor.max_requests,
        max_bytes=vendor.max_bytes,
        upload_seconds=vendor.timeout + processing,
        create_seconds=vendor.create_timeout,
        resubmit=vendor.resubmit,
        submit_grace=vendor.submit_grace,
        lists=vendor.listing,
        enqueued_tokens=vendor.enqueued_tokens,
        max_batches_per_hour=vendor.max_batches_per_hour,
        link=Link(config.daemon.transfers),
    )


def fingerprint_of(vendor: VendorConfig) -> str:
    """What must not move while batches are open there."""
    if isinstance(vendor, SandboxVendorConfig):
        # A sandbox's port changes with each start; what names it for good is its state file.
        return account_fingerprint(vendor.kind, str(vendor.state), None)
    if isinstance(vendor, AzureVendorConfig):
        return account_fingerprint(vendor.kind, vendor.endpoint, None)
    return account_fingerprint(vendor.kind, vendor.base_url or OPENAI_URL, vendor.project)


def connection_of(config: Config, name: str, vendor: OpenAIVendorConfig | AzureVendorConfig) -> Connection:
    """The way to a vendor account, its secrets read; asks nobody yet.

    Raises:
        ConfigError: a secret cannot be read, or a package that the account needs is not installed.
    """
    if isinstance(vendor, AzureVendorConfig):
        return AzureConnection(
            _azure_key(config, name, vendor),
            vendor.endpoint,
            timeout=vendor.timeout,
            create_timeout=vendor.create_timeout,
            api_version=vendor.api_version,
            by_token=vendor.entra is not None,
            file_timeout=vendor.file_timeout,
        )
    return Connection(
        config.secret(vendor.api_key, "vendors", name, "api_key"),
        vendor.base_url or OPENAI_URL,
        vendor.organization,
        vendor.project,
        vendor.timeout,
        vendor.create_timeout,
    )


def _azure_key(config: Config, name: str, vendor: AzureVendorConfig) -> str | Callable[[], str]:
    """The resource's key, or what gives tokens in place of it; the config has been checked to say one of them."""
    if vendor.entra is not None:
        return _entra_tokens(config, name, vendor.entra)
    if vendor.api_key is None:
        raise config.error("says neither api_key nor entra", "vendors", name)
    return config.secret(vendor.api_key, "vendors", name, "api_key")


def _entra_tokens(config: Config, name: str, entra: EntraConfig) -> Callable[[], str]:
    path = ("vendors", name, "entra")
    try:
        return token_provider(entra_identity(config, entra, AZURE_SCOPE, *path))
    except ConfigError as error:
        if error.where:
            raise
        raise config.error(error.message, *path, next_command=error.next_command) from None


def entra_identity(config: Config, entra: EntraConfig, scope: str, *path: str) -> EntraIdentity:
    """Who asks Entra ID for tokens, the secret read; ``scope`` is what they are good for, if the config says nothing.

    Raises:
        ConfigError: the secret cannot be read.
    """
    secret = entra.client_secret
    return EntraIdentity(
        entra.credential,
        entra.client_id,
        entra.tenant_id,
        None if secret is None else config.secret(secret, *path, "client_secret"),
        entra.scope or scope,
    )


def _sandbox(config: Config, name: str, vendor: SandboxVendorConfig, stack: contextlib.ExitStack) -> Connection:
    webhooks = Webhooks(vendor.webhook_url, webhook_secrets(config, name)) if vendor.webhook_url else None
    handle = stack.enter_context(_sandbox_handle(vendor, webhooks))
    if vendor.flavour == "azure":
        return AzureConnection(
            SANDBOX_KEY,
            handle.url,
            timeout=vendor.timeout,
            create_timeout=vendor.create_timeout,
            file_timeout=vendor.timeout,
        )
    return Connection(SANDBOX_KEY, handle.url, timeout=vendor.timeout, create_timeout=vendor.create_timeout)


def _sandbox_handle(vendor: SandboxVendorConfig, webhooks: Webhooks | None) -> SandboxHandle:
    upstream = Upstream(vendor.upstream) if vendor.upstream else None
    azure = Flavour("azure", vendor.deployments, vendor.file_processing)
    vendor.state.parent.mkdir(parents=True, exist_ok=True)
    try:
        return start_or_join(
            vendor.state,
            batch_duration=vendor.batch_duration,
            api_key=SANDBOX_KEY,
            upstream=upstream,
            token_limit=vendor.token_limit,
            flavour=azure if vendor.flavour == "azure" else Flavour(),
            webhooks=webhooks,
        )
    except SandboxStartError as error:
        raise ConfigError(str(error), next_command="read its log beside its state file") from error
