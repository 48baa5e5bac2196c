"""Holds ``[webhooks]`` against this machine: whether its secrets can be read, and something can listen at its port."""

import socket
from collections.abc import Iterator

from batchd.app.remarks import Remark
from batchd.app.webhooks import webhook_keys
from batchd.config import Config
from batchd.config.webhooks import WebhooksConfig
from batchd.errors import ConfigError


def webhook_remarks(config: Config) -> Iterator[Remark]:
    """What is to be said of the receiver; nothing where there is none."""
    if config.webhooks is None:
        return
    try:
        vendors = webhook_keys(config)
    except ConfigError as error:
        yield Remark("problem", "webhooks", str(error), error.next_command, error.exit_code)
        return
    yield _listening(config.webhooks, ", ".join(sorted(vendors)))


def _listening(webhooks: WebhooksConfig, vendors: str) -> Remark:
    host = f"[{webhooks.host}]" if ":" in webhooks.host else webhooks.host
    where = f"http://{host}:{webhooks.port}{webhooks.path}"
    try:
        family = socket.AF_INET6 if ":" in webhooks.host else socket.AF_INET
        socket.create_server((webhooks.host, webhooks.port), family=family).close()
    except OSError as error:
        sentence = f"nothing more can listen at {where} now: {error.strerror or type(error).__name__}"
        return Remark("warning", "webhooks", sentence, "fine where it is `batchd run` that listens; else choose a port")
    return Remark("ok", "webhooks", f"`batchd run` will listen at {where} for {vendors}")
