"""The ODBC drivers that tests for SQL Server run on, found as files; neither has to be registered anywhere."""

import ctypes.util
import importlib.util
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.servers.given import NOT_RUN

# Each test hides batchd's settings of the outside; so this one is looked at before any test.
_GIVEN = os.environ.get("BATCHD_TEST_ODBC_DRIVER", "")
HAS_ODBC = ctypes.util.find_library("odbc") is not None
NO_ODBC = f"{NOT_RUN}ODBC (install unixodbc)"
_FREETDS = sorted(Path("/usr").glob("lib*/*/odbc/libtdsodbc.so"))  # where Debian and Ubuntu have it


@dataclass(frozen=True, slots=True)
class OdbcDriver:
    """A driver and how it is told where to go.

    Attributes:
        name: for people.
        file: its library; None where it is not here.
        missing: what to do about that.
    """

    name: str
    file: Path | None
    missing: str

    @property
    def why_not(self) -> str:
        """Why its tests cannot run; empty where they can."""
        if not HAS_ODBC:
            return NO_ODBC
        return "" if self.file else f"{NOT_RUN}{self.name} ({self.missing})"

    def connect(self, port: int, seconds: int = 10, settings: Mapping[str, str] = MappingProxyType({})) -> Any:
        """A connection of pyodbc, which needs a library of the system and so is imported only here."""
        pyodbc: Any = importlib.import_module("pyodbc")
        pyodbc.pooling = False
        connection = pyodbc.connect(self._connection_string(port, settings), timeout=seconds)
        connection.timeout = seconds
        return connection

    def _connection_string(self, port: int, settings: Mapping[str, str]) -> str:
        """One that leads to a port of this machine, without encryption unless a setting asks for it."""
        place = (
            {"SERVER": "127.0.0.1", "PORT": str(port), "TDS_Version": "7.4"}
            if self == FREETDS
            else {"SERVER": f"tcp:127.0.0.1,{port}", "Encrypt": "no"}
        )
        login = {} if "Trusted_Connection" in settings else {"UID": "somebody", "PWD": "something", "DATABASE": "app"}
        return ";".join(
            f"{key}={value}" for key, value in ({"DRIVER": str(self.file)} | place | login | dict(settings)).items()
        )


def _of_microsoft() -> Path | None:
    """Given by its path, or out of the package that carries it (its licence allows to develop and test with it)."""
    if _GIVEN:
        return Path(_GIVEN)
    package = importlib.util.find_spec("mssql_python_odbc")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / "libs" / "linux"
    found = sorted(folder.glob(f"debian_ubuntu/{platform.machine()}/lib/libmsodbcsql-*.so*"))
    return found[-1] if found else None


MICROSOFT = OdbcDriver("Microsoft's ODBC driver", _of_microsoft(), "pip install mssql-python-odbc")
FREETDS = OdbcDriver("FreeTDS", _FREETDS[0] if _FREETDS else None, "install tdsodbc")
_BY_ID = {"odbc18": MICROSOFT, "freetds": FREETDS}

each_driver = pytest.mark.parametrize(
    "driver",
    [
        pytest.param(driver, id=name, marks=pytest.mark.skipif(bool(driver.why_not), reason=driver.why_not))
        for name, driver in _BY_ID.items()
    ],
)
with_microsofts = pytest.mark.skipif(bool(MICROSOFT.why_not), reason=MICROSOFT.why_not)
