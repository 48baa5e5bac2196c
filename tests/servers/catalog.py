"""The servers that can be started here."""

from tests.servers.base import Server
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL

SERVERS: tuple[Server, ...] = (PostgreSQL(), MariaDB())


def wanted() -> list[Server]:
    """Those that nobody has given by their variable."""
    return [server for server in SERVERS if server.given.url is None]
