"""What real ODBC drivers say when no connection comes about, and what a person is told of it."""

import importlib
import secrets
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from batchd.store.dialects import mssql_errors
from batchd.store.dialects.base import Fault
from batchd.store.dialects.mssql_numbers import MEANINGS
from tests.conformance.odbc_drivers import (
    HAS_ODBC,
    MICROSOFT,
    NO_ODBC,
    OdbcDriver,
    each_driver,
    with_microsofts,
)
from tests.conformance.raising import raised
from tests.fakes.tds_server import FakeTdsServer, HangUp, told
from tests.servers.given import NOT_RUN

AT_THE_DOOR = (
    4060, 4064, 10928, 17142, 17187, 17809, 18401, 18451, 18452, 18456, 18461, 18470, 18486, 18487, 18488,
    40197, 40501, 40532, 40613, 40615, 40914, 47073, 49918,
)  # fmt: skip


@each_driver
@pytest.mark.parametrize("number", AT_THE_DOOR)
def test_a_refused_login_is_told_with_its_reason(driver: OdbcDriver, number: int) -> None:
    """At the door the same numbers count as within, with a sentence wherever a person must do something."""
    with FakeTdsServer(login=told(number, "Login failed for user 'somebody'.", 14)).serving() as server:
        error = raised(driver.connect, server.port)

    assert f"{number} {MEANINGS[number].name}" == mssql_errors.code(error)
    assert MEANINGS[number].fault is mssql_errors.fault(error)
    assert MEANINGS[number].refusal == mssql_errors.refusal(error)


@each_driver
def test_a_server_that_is_down_is_waited_for_and_told(driver: OdbcDriver) -> None:
    """It may be starting; a person who waits in vain is told where nobody answered."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    error = raised(driver.connect, port, 1)
    refusal = mssql_errors.refusal(error)

    assert Fault.LATER is mssql_errors.fault(error), error.args
    assert refusal is not None
    assert "no server answers" in refusal.reason


@each_driver
def test_a_server_that_says_nothing_at_all_counts_as_down(driver: OdbcDriver) -> None:
    """A port that takes connections and leaves it at that."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = raised(driver.connect, silent.getsockname()[1], 1)
    refusal = mssql_errors.refusal(error)

    assert Fault.LATER is mssql_errors.fault(error), error.args
    assert refusal is not None
    assert "no server answers" in refusal.reason


@each_driver
def test_a_login_that_is_cut_is_tried_later(driver: OdbcDriver) -> None:
    """A server that is going down while it is asked."""
    with FakeTdsServer(login=HangUp()).serving() as server:
        error = raised(driver.connect, server.port)

    assert Fault.LATER is mssql_errors.fault(error), error.args
    assert mssql_errors.refusal(error) is not None


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody trusts."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={secrets.token_hex(4)}"]
    try:
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip(f"{NOT_RUN}TLS (install openssl)")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Within TDS 7 the handshake of TLS 1.2 is all there is.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


@with_microsofts
def test_a_certificate_that_nobody_trusts_is_explained(self_signed: ssl.SSLContext) -> None:
    """Driver 18 checks by itself: say what to install, and what the two ways around it give up."""
    with FakeTdsServer(tls=self_signed).serving() as server:
        error = raised(MICROSOFT.connect, server.port, 10, {"Encrypt": "yes"})
    refusal = mssql_errors.refusal(error)

    assert Fault.FATAL is mssql_errors.fault(error), error.args
    assert refusal is not None
    assert "certificate is not trusted" in refusal.reason
    assert "update-ca-certificates" in refusal.next_command
    assert "TrustServerCertificate=yes" in refusal.next_command
    assert "Encrypt=no" in refusal.next_command


SETTINGS = {
    "no encryption at the server": ({"Encrypt": "yes"}, "no encrypted connection"),
    "strict encryption": ({"Encrypt": "strict"}, "no encrypted connection"),
    "no ticket": ({"Trusted_Connection": "yes"}, "no valid Kerberos ticket"),
    "no such way to log in": ({"Authentication": "ActiveDirectoryNonsense"}, "does not take a setting"),
    "no such encryption": ({"Encrypt": "perhaps"}, "does not take a setting"),
}


@with_microsofts
@pytest.mark.parametrize("case", SETTINGS)
def test_settings_that_do_not_work_out_are_explained(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """What no waiting mends is told at once, in our words."""
    settings, reason = SETTINGS[case]
    monkeypatch.setenv("KRB5CCNAME", "FILE:/nonexistent/ticket")
    with FakeTdsServer().serving() as server:
        error = raised(MICROSOFT.connect, server.port, 10, settings)
    refusal = mssql_errors.refusal(error)

    assert Fault.FATAL is mssql_errors.fault(error), error.args
    assert refusal is not None, error.args
    assert reason in refusal.reason


@pytest.mark.skipif(not HAS_ODBC, reason=NO_ODBC)
@pytest.mark.parametrize("setting", ["DRIVER=No Such Driver", "DRIVER=/etc/hostname", "DSN=nowhere"])
def test_a_driver_that_is_not_there_is_told_with_those_that_are(setting: str) -> None:
    """A mistyped name is the commonest mistake; the sentence lists what is installed."""
    pyodbc = importlib.import_module("pyodbc")
    error = raised(pyodbc.connect, setting)
    refusal = mssql_errors.refusal(error)

    assert Fault.FATAL is mssql_errors.fault(error), error.args
    assert refusal is not None
    assert "could not be loaded (installed:" in refusal.reason
    assert [] == [name for name in pyodbc.drivers() if name not in refusal.reason]
