"""Installs what is missing: Debian's packages, without clusters and services of theirs."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.servers.catalog import wanted

# The ODBC manager that pyodbc needs, and FreeTDS's driver.
_ODBC = {"unixodbc": "*-linux-gnu*/libodbc.so.2", "tdsodbc": "*-linux-gnu*/odbc/libtdsodbc.so"}
_CLUSTERS = Path("/etc/postgresql-common/createcluster.conf")
_POLICY = Path("/usr/sbin/policy-rc.d")
_NO_SERVICE_STARTS = "#!/bin/sh\nexit 101\n"


def missing() -> list[str]:
    """Names of packages that tests want and this machine doesn't have."""
    servers = [server.package for server in wanted() if not server.is_installed()]
    return servers + [name for name, library in _ODBC.items() if not any(Path("/usr/lib").glob(library))]


def install(packages: Sequence[str]) -> None:
    """Installs them, if root calls on a Debian; says what keeps it from that."""
    if not packages:
        return
    if os.geteuid() != 0:
        _say(f"not installed, since only root can: {' '.join(packages)}")
        return
    _say(f"installing {' '.join(packages)}")
    try:
        _apt("update")
        if "postgresql" in packages:
            _apt("install", "postgresql-common")
            _make_no_cluster()
        with _no_service_starts():
            _apt("install", *packages)
    except (OSError, subprocess.CalledProcessError) as error:
        words = (getattr(error, "stdout", None) or str(error)).strip()
        _say(f"could not be installed: {words[-1000:]}")


def _apt(verb: str, *packages: str) -> None:
    # Somebody else may be installing too.
    subprocess.run(
        [
            shutil.which("apt-get") or "apt-get",
            "-o",
            "DPkg::Lock::Timeout=300",
            verb,
            "-y",
            "--no-install-recommends",
            *packages,
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
    )


def _make_no_cluster() -> None:
    text = _CLUSTERS.read_text(encoding="utf-8")
    _CLUSTERS.write_text(
        re.sub(r"(?m)^#?\s*create_main_cluster\b.*$", "create_main_cluster = false", text), encoding="utf-8"
    )


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    if _POLICY.exists():
        yield  # Whoever wrote it has decided.
        return
    _POLICY.write_text(_NO_SERVICE_STARTS, encoding="ascii")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _say(text: str) -> None:
    sys.stderr.write(f"servers: {text}\n")
