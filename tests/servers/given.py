"""The databases that tests are given from outside, each by its URL in an environment variable."""

import os
from collections.abc import Callable
from dataclasses import dataclass

# Each test hides batchd's settings of the outside; so they are looked at once, before any test.
_ENVIRONMENT = dict(os.environ)


# Reasons for skipped tests that begin so are counted in the last lines of a run.
NOT_RUN = "NOT RUN: "


@dataclass(frozen=True, slots=True)
class Given:
    """A server's name for people, and the variables with the URL of an administrator of it."""

    name: str
    variable: str
    is_meant: Callable[[str], bool] = bool
    other_variable: str = ""

    @property
    def url(self) -> str | None:
        """The URL, with a password; None where no such server is given."""
        urls = (_ENVIRONMENT.get(name, "") for name in (self.variable, self.other_variable))
        return next((url for url in urls if self.is_meant(url)), None)

    @property
    def why_not(self) -> str:
        """The reason for a skipped test."""
        return f"{NOT_RUN}{self.name} (set {self.variable})"


def _is_freetds(url: str) -> bool:
    return "freetds" in url.lower() or "tdsodbc" in url.lower()


def _is_microsofts(url: str) -> bool:
    return bool(url) and not _is_freetds(url)


POSTGRESQL = Given("PostgreSQL", "BATCHD_TEST_POSTGRESQL_URL")
MARIADB = Given("MariaDB", "BATCHD_TEST_MARIADB_URL")
MSSQL = Given("SQL Server by Microsoft's driver", "BATCHD_TEST_MSSQL_URL", _is_microsofts)
MSSQL_FREETDS = Given("SQL Server by FreeTDS", "BATCHD_TEST_MSSQL_FREETDS_URL", _is_freetds, "BATCHD_TEST_MSSQL_URL")


def is_ci() -> bool:
    """On CI a server that Debian has must be there."""
    return _ENVIRONMENT.get("CI") == "true"
