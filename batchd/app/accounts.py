"""Vendor accounts of a config, connected. A sandbox is started, or joined, by the command that needs it."""

import contextlib
from collections.abc import Collection

from batchd.config import Config
from batchd.config.vendors import SandboxVendorConfig, VendorConfig
from batchd.errors import ConfigError
from batchd.ports import Account
from batchd.sandbox_process import SandboxStartError, Upstream, start_or_join
from batchd.vendors.catalog import account_fingerprint, connect
from batchd.vendors.connection import OPENAI_URL, Connection

SANDBOX_KEY = "sandbox-key"


def connect_named(config: Config, stack: contextlib.ExitStack, names: Collection[str]) -> dict[str, Account]:
    """The accounts of these names; one that is not configured is left out. ``stack`` lets go of them."""
    return {name: _account(config, name, vendor, stack) for name, vendor in config.vendors.items() if name in names}


def _account(config: Config, name: str, vendor: VendorConfig, stack: contextlib.ExitStack) -> Account:
    connection = _connection(config, name, vendor, stack)
    client = connect(vendor.kind, connection)
    stack.callback(client.close)
    return Account(
        name=name,
        vendor=client,
        fingerprint=fingerprint_of(vendor),
        max_requests=vendor.max_requests,
        max_bytes=vendor.max_bytes,
        upload_seconds=vendor.timeout,
        create_seconds=vendor.create_timeout,
        resubmit=vendor.resubmit,
        submit_grace=vendor.submit_grace,
        lists=vendor.listing,
    )


def fingerprint_of(vendor: VendorConfig) -> str:
    """What must not move while batches are open there."""
    if isinstance(vendor, SandboxVendorConfig):
        # A sandbox's port changes with each start; what names it for good is its state file.
        return account_fingerprint(vendor.kind, str(vendor.state), None)
    return account_fingerprint(vendor.kind, vendor.base_url or OPENAI_URL, vendor.project)


def _connection(config: Config, name: str, vendor: VendorConfig, stack: contextlib.ExitStack) -> Connection:
    if isinstance(vendor, SandboxVendorConfig):
        return Connection(
            SANDBOX_KEY,
            _sandbox_url(vendor, stack),
            timeout=vendor.timeout,
            create_timeout=vendor.create_timeout,
        )
    return Connection(
        config.secret(vendor.api_key, "vendors", name, "api_key"),
        vendor.base_url or OPENAI_URL,
        vendor.organization,
        vendor.project,
        vendor.timeout,
        vendor.create_timeout,
    )


def _sandbox_url(vendor: SandboxVendorConfig, stack: contextlib.ExitStack) -> str:
    upstream = Upstream(vendor.upstream) if vendor.upstream else None
    vendor.state.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = start_or_join(
            vendor.state, batch_duration=vendor.batch_duration, api_key=SANDBOX_KEY, upstream=upstream
        )
    except SandboxStartError as error:
        raise ConfigError(str(error), next_command="read its log beside its state file") from error
    return stack.enter_context(handle).url
