"""On which databases the suites of this folder run."""

import pytest

from tests.servers.given import MARIADB, POSTGRESQL, Given, is_ci


@pytest.mark.parametrize("server", [POSTGRESQL, MARIADB], ids=lambda server: server.name)
def test_on_ci_every_database_is_there_that_debian_has(server: Given) -> None:
    """Elsewhere the last lines of a run tell what was missing; there it must not be."""
    assert server.url or not is_ci(), f"{server.variable} is not set: scripts/test starts the servers, as root"
