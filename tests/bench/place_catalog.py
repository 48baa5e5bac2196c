"""The places that a cycle can run at, by name."""

from tests.bench.places import Place
from tests.bench.storage import MEMORY, disk
from tests.servers.base import ServerFailedError


def opened(name: str) -> tuple[Place | None, str]:
    """A place; or None, and why it can't be had here."""
    if name != "sqlite-memory" and disk() is None:
        return None, "no folder for temporary files is on a disk (set TMPDIR to one that is)"
    if name.startswith("sqlite"):
        return _sqlite(in_memory=name == "sqlite-memory")
    try:
        return _server(name)
    except ServerFailedError as error:
        return None, str(error)


def _sqlite(*, in_memory: bool) -> tuple[Place | None, str]:
    from tests.bench.place_sqlite import Sqlite  # noqa: PLC0415 - each place's own driver, only where it is wanted

    if in_memory and not MEMORY.is_dir():
        return None, f"there is no {MEMORY}"
    return Sqlite(in_memory=in_memory), ""


def _server(name: str) -> tuple[Place | None, str]:
    if name == "postgresql":
        from tests.bench.place_postgresql import Postgresql  # noqa: PLC0415 - as above

        return (Postgresql(), "") if Postgresql.is_installed() else (None, _missing("PostgreSQL"))
    from tests.bench.place_mariadb import Mariadb  # noqa: PLC0415 - as above

    return (Mariadb(), "") if Mariadb.is_installed() else (None, _missing("MariaDB"))


def _missing(server: str) -> str:
    return f"{server} is not installed here (scripts/servers --with-servers installs it)"
