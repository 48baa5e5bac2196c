"""Servers that go down, are full, or that nobody trusts: each test has one of its own to spoil."""

import contextlib
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from batchd.store.dialects import dialect_for
from batchd.store.dialects.base import Fault
from tests.conformance.failing_servers import FailingServer
from tests.conformance.raising import raised
from tests.servers.base import Owner, Running, Server
from tests.servers.given import NOT_RUN
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the servers' own users may pass through."""
    made = Path(tempfile.mkdtemp(prefix="batchd-going-down-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def started(kind: Server, folder: Path) -> Iterator[Running]:
    """A server that a test may stop."""
    if not kind.is_installed():
        pytest.skip(f"{NOT_RUN}{kind.given.name} (install {kind.package})")
    running = kind.start(folder)
    try:
        yield running
    finally:
        running.process.stop()


@pytest.mark.parametrize("kind", [PostgreSQL(), MariaDB()], ids=["postgresql", "mariadb"])
def test_a_server_that_stops_is_waited_for(kind: Server, folder: Path) -> None:
    """The transaction under way runs again; who then finds nobody waits, and is told where nobody answered."""
    with started(kind, folder) as running:
        server = FailingServer(running.url)
        server.prepare()

        def stopped_in_the_middle() -> None:
            with server.transaction() as connection:
                connection.exec_driver_sql("UPDATE item SET small = 1")
                running.process.stop()
                connection.exec_driver_sql("UPDATE item SET small = 2")

        cut = raised(stopped_in_the_middle)
        down = raised(server.connect, server.url)
        server.leave()
    refusal = server.dialect.refusal(down)

    assert Fault.AGAIN is server.dialect.fault(cut), cut
    assert Fault.LATER is server.dialect.fault(down), down
    assert refusal is not None
    assert "no server answers" in refusal.reason


def test_mariadb_without_room_for_another_connection_is_waited_for(folder: Path) -> None:
    """All connections are taken, for everybody or for this login; and a server that was set read-only."""
    with started(MariaDB(), folder) as running, contextlib.closing(FailingServer(running.url)) as server:
        server.prepare()
        with server.login("SELECT, UPDATE ON item") as url:
            server.administer(f"ALTER USER {url.username}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1")
            with server.connection(url):
                of_this_login = raised(server.connect, url)
            server.administer(f"ALTER USER {url.username}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 0")
            server.administer("SET GLOBAL max_connections = 10")
            with contextlib.ExitStack() as crowd:
                for_everybody = raised(lambda: [crowd.enter_context(server.connection(url)) for _ in range(15)])
            server.administer("SET GLOBAL read_only = ON")
            read_only = raised(written, server, url)
            server.administer("SET GLOBAL read_only = OFF")
    codes = [server.told(error) for error in (of_this_login, for_everybody, read_only)]

    assert [
        ("1226 limit of the account reached", Fault.LATER),
        ("1040 too many connections", Fault.LATER),
        ("1290 server is read-only", Fault.LATER),
    ] == codes


def written(server: FailingServer, url: sa.URL) -> None:
    """A write."""
    with server.connection(url) as connection, connection.begin():
        connection.exec_driver_sql("UPDATE item SET small = 1")


def test_postgresql_with_a_certificate_that_nobody_trusts_is_explained(folder: Path) -> None:
    """Who asks for a checked certificate is told how to name the authority."""
    with started(PostgreSQL(), folder) as running, contextlib.closing(FailingServer(running.url)) as server:
        data = folder / "postgresql" / "data"
        for name in ("server", "other"):
            self_signed(data / f"{name}.key", data / f"{name}.crt")
        owner = Owner("postgres")
        if owner.is_other:
            shutil.chown(data / "server.key", owner.name, owner.name)
        server.administer("ALTER SYSTEM SET ssl = on")
        server.administer("SELECT pg_reload_conf()")
        other = folder / "other.crt"
        shutil.copy(data / "other.crt", other)
        asked = server.url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(other)})
        untrusted = raised(server.connect, asked)
        missing = raised(server.connect, asked.update_query_dict({"sslrootcert": "/nonexistent/ca.pem"}))
    told = [server.dialect.refusal(error) for error in (untrusted, missing)]

    assert [Fault.FATAL, Fault.FATAL] == [server.dialect.fault(error) for error in (untrusted, missing)], untrusted
    assert [True, True] == [one is not None and "certificate is not trusted" in one.reason for one in told]


def test_mariadb_with_a_certificate_that_nobody_trusts_is_explained(folder: Path) -> None:
    """The same for PyMySQL; no server is needed to come as far as its certificate."""
    key, certificate = folder / "server.key", folder / "server.crt"
    self_signed(key, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    url = sa.make_url("mysql+pymysql://somebody:something@127.0.0.1/app?ssl_ca=/etc/ssl/certs/ca-certificates.crt")
    dialect = dialect_for(url)

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as beside:
        greeting = beside.submit(greeted, listening, context)
        engine = dialect.create_engine(url.set(port=listening.getsockname()[1]))
        error = raised(engine.connect)
        greeting.result()
        engine.dispose()
    refusal = dialect.refusal(error)

    assert Fault.FATAL is dialect.fault(error), error
    assert refusal is not None
    assert "certificate is not trusted" in refusal.reason


def greeted(listening: socket.socket, context: ssl.SSLContext) -> None:
    """A server of MySQL's protocol as far as its certificate: handshake version 10 that offers TLS."""
    salt, capabilities = b"12345678", 0x0008_8A00  # plugins, secure connection, TLS, protocol 4.1
    greeting = (
        b"\x0a8.0.0\0" + struct.pack("<I", 1) + salt + b"\0" + struct.pack("<H", capabilities & 0xFFFF)
        + b"\x2d" + struct.pack("<HH", 2, capabilities >> 16) + b"\x15" + bytes(10) + b"123456789012\0"
        + b"mysql_native_password\0"
    )  # fmt: skip
    client, _ = listening.accept()
    with client:
        client.sendall(struct.pack("<I", len(greeting))[:3] + b"\0" + greeting)
        client.recv(36)  # the request for TLS
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(client, server_side=True) as secured:
            secured.recv(1)


def self_signed(key: Path, certificate: Path) -> None:
    """A certificate for 127.0.0.1 with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip(f"{NOT_RUN}TLS (install openssl)")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1",
         "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
