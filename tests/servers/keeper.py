"""The process that owns the servers: it ends them and removes their data when whoever wanted them is gone.

It lives by its stdin: that ends with the process at the other end, whatever has ended it.
"""

import contextlib
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.servers.base import Server, ServerFailedError
from tests.servers.catalog import wanted

_MEMORY = Path("/dev/shm")  # noqa: S108 - only where a folder of an unguessable name is made
_ROOM = 2 * 1024**3


def main() -> None:
    """Starts what is installed and not given, tells the variables as a line of JSON, and waits."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    with _folder() as folder, contextlib.ExitStack() as ending:
        sys.stdout.write(json.dumps(_start(folder, ending)) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


def _start(folder: Path, ending: contextlib.ExitStack) -> dict[str, str]:
    def started(server: Server) -> dict[str, str]:
        try:
            running = server.start(folder)
        except ServerFailedError as error:
            sys.stderr.write(f"servers: {server.given.name}: {error}\n")
            return {}
        ending.callback(running.process.stop)
        return {server.given.variable: running.url}

    with ThreadPoolExecutor() as side_by_side:
        urls = side_by_side.map(started, [server for server in wanted() if server.is_installed()])
        return {variable: url for one in urls for variable, url in one.items()}


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # In memory, where there is room: databases are made and dropped all the time.
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    folder = Path(tempfile.mkdtemp(prefix="batchd-servers-", dir=_MEMORY if in_memory else None))
    try:
        folder.chmod(0o711)  # the servers' own users pass through it
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
