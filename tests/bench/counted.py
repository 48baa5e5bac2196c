"""Runs a module as ``python -m`` does, and counts what SQLite is told: ``python -m tests.bench.counted FILE MODULE …``.

For runs of their own: counting takes time.
"""

import atexit
import runpy
import sqlite3
import sys
from pathlib import Path
from typing import Any


class _Count:
    statements = 0

    def add(self, statement: str) -> None:
        # What triggers do comes as a comment, and was not sent.
        self.statements += not statement.startswith("--")


def main() -> None:
    """The count is in FILE when the module has ended."""
    _, told, module, *arguments = sys.argv
    count, connect = _Count(), sqlite3.connect

    def connected(*arguments: Any, **settings: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **settings)
        connection.set_trace_callback(count.add)
        return connection

    sqlite3.connect = sqlite3.dbapi2.connect = connected  # type: ignore[assignment]
    atexit.register(lambda: Path(told).write_text(str(count.statements), encoding="ascii"))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
