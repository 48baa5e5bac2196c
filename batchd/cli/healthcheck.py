"""``batchd healthcheck``: asks the daemon's port whether it is well.

It is started every half minute, so it imports little: of the config it reads the one table it needs. A config that is
wrong elsewhere is no news of the daemon, which goes on with the one it has read.
"""

import http.client
import os
import tomllib
from pathlib import Path
from typing import Any

from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.lines import say
from batchd.config_search import find_config
from batchd.errors import ConfigError

# More than a page takes that waits for a database that does not answer.
_SECONDS = 5.0
_HOST = "127.0.0.1"
# Who listens at all addresses is asked at this machine's own.
_EVERYWHERE = {"0.0.0.0": _HOST, "::": "::1"}  # noqa: S104 - nothing is bound here
_OK = 200
_LONGEST = 500


def healthcheck(call: Call, *, ready: bool) -> int:
    """0 where the daemon is alive, and with ``ready`` also ready; else 1, with one line why.

    Raises:
        ConfigError: no port is configured, or the config can't be read.
    """
    host, port = _address(find_config(call.config_file, os.environ, Path.cwd()))
    paths = ("/live", "/ready") if ready else ("/live",)
    reasons = [reason for path in paths if (reason := _asked(host, port, path)) is not None]
    is_well = not reasons
    # The first one: of a daemon that does not answer both pages say the same.
    line = ("ready" if ready else "alive") if is_well else reasons[0]
    if call.as_json:
        from batchd.cli.out import print_json

        print_json({"healthy": is_well, "reason": "" if is_well else line})
    else:
        say(line)
    return exit_codes.DONE if is_well else exit_codes.CHECK_FAILED


def _address(path: Path) -> tuple[str, int]:
    try:
        table: Any = tomllib.loads(path.read_text(encoding="utf-8")).get("metrics", {})
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as TOML", next_command="batchd check-config") from error
    port, host = (table.get("port"), table.get("host", _HOST)) if isinstance(table, dict) else (None, _HOST)
    if not isinstance(port, int):
        raise ConfigError(
            f"{path} has no port at which the daemon could be asked",
            next_command="write it there, then start the daemon again: [metrics] port = 9464",
        )
    return _EVERYWHERE.get(str(host), str(host)), port


def _asked(host: str, port: int, path: str) -> str | None:
    """None where the page says that all is well, else why not."""
    where = f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(_LONGEST).decode("utf-8", "replace")
    except TimeoutError:
        return f"no answer from {where} in {_SECONDS:g} s"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from {where}: {getattr(error, 'strerror', None) or type(error).__name__}"
    finally:
        connection.close()
    if answer.status == _OK:
        return None
    return f"{path.removeprefix('/')}: {'; '.join(text.split(chr(10))).strip('; ') or f'HTTP {answer.status}'}"
