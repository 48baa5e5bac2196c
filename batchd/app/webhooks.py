"""The receiver of webhooks, as a config asks for it."""

import contextlib
import time
from collections.abc import Callable, Iterator

import structlog

from batchd import events
from batchd.config import Config
from batchd.core.webhooks import signing_key
from batchd.ports import Store

log = structlog.get_logger("batchd")


@contextlib.contextmanager
def receiving(config: Config, store: Store, wake: Callable[[str], object]) -> Iterator[None]:
    """Hears from vendors until the end of the block; does nothing where the config has no ``[webhooks]``.

    Args:
        config: says where to listen, and by which secrets vendors are known.
        store: the ledger, where batches that are said to have ended become due.
        wake: told the name of a vendor account that is to be polled now; called from another thread.

    Raises:
        ConfigError: a secret cannot be read or is none, or nothing can listen at the address.
    """
    webhooks = config.webhooks
    if webhooks is None:
        yield
        return
    # A web server takes a while to import: only a process that serves waits for it.
    from batchd.serving import serving  # noqa: PLC0415
    from batchd.webhooks.bell import Bell  # noqa: PLC0415
    from batchd.webhooks.door import Door  # noqa: PLC0415
    from batchd.webhooks.front import front  # noqa: PLC0415
    from batchd.webhooks.refusals import Refusals  # noqa: PLC0415

    keys, refusals = webhook_keys(config), Refusals(time.monotonic)
    bell = Bell(store, wake, config.daemon.check_interval, refusals)
    app = front(webhooks.path, Door(keys, time.time), bell, refusals)
    key = f"{config.where('webhooks', 'port')}: webhooks.port"
    # Ended in the other order: nobody is answered any more once what was heard is not passed on.
    with bell.at_work(), serving(app, webhooks.host, webhooks.port, configured_as=key) as port:
        log.info(events.WEBHOOKS_LISTENING, host=webhooks.host, port=port, vendors=sorted(keys))
        yield


def webhook_keys(config: Config) -> dict[str, tuple[bytes, ...]]:
    """What each vendor account may sign with, by its name; those without a secret are left out.

    Raises:
        ConfigError: a secret cannot be read, or is none.
    """
    return {name: _keys_of(config, name) for name, vendor in config.vendors.items() if vendor.webhook_secret}


def _keys_of(config: Config, name: str) -> tuple[bytes, ...]:
    path = ("vendors", name, "webhook_secret")
    try:
        return tuple(signing_key(secret) for secret in webhook_secrets(config, name))
    except ValueError as error:
        raise config.error(str(error), *path, next_command="copy it anew from the vendor's page of webhooks") from None


def webhook_secrets(config: Config, name: str) -> tuple[str, ...]:
    """The secrets of a vendor account, as they are kept. Raises ConfigError."""
    path = ("vendors", name, "webhook_secret")
    return tuple(config.secret(one, *path, place) for place, one in enumerate(config.vendors[name].webhook_secret))
