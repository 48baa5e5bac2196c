"""The numbered DDL as files, for whoever runs it, and for whoever only asks which is the last."""

import re
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = re.compile(r"^(\d{3})_[a-z_]+\.sql$")
INSTALLATION = "installation.sql"


@dataclass(frozen=True, slots=True)
class Script:
    """One numbered file of DDL."""

    number: int
    name: str
    text: str


def sql_root() -> Path:
    """Where the DDL is: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "_sql"
    return packaged if packaged.is_dir() else package.parent / "sql"


def scripts_for(database: str) -> list[Script]:
    """The scripts for a database, such as ``sqlite``, in order."""
    return [
        Script(_number(path), path.name, path.read_text(encoding="utf-8"))
        for path in sorted((sql_root() / database).iterdir(), key=lambda path: path.name)
        if _SCRIPT.match(path.name)
    ]


def installation_text(database: str) -> str:
    """What writes the ledger's one row, with ``:bound_to`` and ``:ledger_version`` for its values."""
    return (sql_root() / database / INSTALLATION).read_text(encoding="utf-8")


def newest_version() -> int:
    """The ledger version that this program writes: the number of the last script, the same for each database."""
    return max(_number(path) for path in (sql_root() / "sqlite").iterdir() if _SCRIPT.match(path.name))


def _number(path: Path) -> int:
    return int(path.name[:3])
