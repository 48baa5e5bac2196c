"""The machine that figures are of: they mean nothing without it."""

import os
import platform
import sqlite3
import tempfile
import time
from importlib import metadata
from pathlib import Path

from tests.bench.storage import disk, file_system

_PACKAGES = ("openai", "sqlalchemy", "psycopg", "pymysql", "orjson", "pydantic")
_SYNCS = 50


def load() -> float:
    """How many processes have wanted a processor in the last minute."""
    return os.getloadavg()[0]


def machine(databases: list[str], load_before: float) -> dict[str, str]:
    """Names and values for people: cores, processor, memory, disk, versions, and what else it had to do."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "disk": f"{file_system(disk() or Path.cwd())}, {_fsync_milliseconds():.1f} ms for writing and fsyncing 4 KB",
        "other load": f"{load_before:.1f} processes wanted a processor in the minute before",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "databases": ", ".join(dict.fromkeys([*databases, f"SQLite {sqlite3.sqlite_version}"])),
        "packages": ", ".join(f"{name} {_version(name)}" for name in _PACKAGES),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _fsync_milliseconds() -> float:
    """What durability costs here; its median."""
    times = []
    with tempfile.TemporaryFile(dir=disk()) as file:
        for _ in range(_SYNCS):
            begun = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begun)
    return sorted(times)[_SYNCS // 2] * 1000


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
