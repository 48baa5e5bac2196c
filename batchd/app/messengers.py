"""The ways to tell people of findings, made from the config."""

import shutil
import socket

from batchd.config import Config
from batchd.messengers import Command, Webhook
from batchd.ports import Messenger


def messengers_of(config: Config) -> dict[str, Messenger]:
    """By name; none where the config has no ``[notify]``. Raises ConfigError where the URL can't be read."""
    notify, found = config.notify, dict[str, Messenger]()
    if notify is None:
        return found
    origin = {"host": socket.gethostname(), "config": str(config.path)}
    url = config.webhook_url()
    if url is not None:
        found["webhook"] = Webhook(url, notify.timeout, origin)
    if notify.command is not None:
        found["command"] = Command(notify.command, notify.timeout, origin)
    return found


def check_command(config: Config) -> None:
    """Raises ConfigError where the program to tell people by is not there, or can't be run."""
    command = config.notify.command if config.notify else None
    if command is not None and shutil.which(command[0]) is None:
        raise config.error(
            f"there is no program {command[0]} that can be run here",
            "notify",
            "command",
            next_command="give its whole path, and see that the user who runs batchd may execute it",
        )
