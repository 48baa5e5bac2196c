"""The database: which one it is, whether its commits are durable, its clock, the ledger's version."""

import stat
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from batchd.app.remarks import Remark
from batchd.config import Config, mask_url
from batchd.errors import DatabaseError
from batchd.store import installation, migrate
from batchd.store.opening import Database
from batchd.store.reading import ask
from batchd.store.server_settings import clock_of, server_of, settings_of

_LOOKS = 3
# A schedule that comes a few seconds late harms nobody. Five minutes are what signed calls and tokens are given.
_ODD_SECONDS, _WRONG_SECONDS = 2.0, 300.0
# A vendor's clock and the ledger's are compared where it is looked for what became of a create: an hour is allowed.
_VENDOR_ODD_SECONDS, _VENDOR_WRONG_SECONDS = 60.0, 1800.0
_SET_THE_CLOCK = "timedatectl status (and see that a time service runs on both machines)"


def look_at_server(config: Config, database: Database) -> Iterator[Remark]:
    """What it is, and the settings that promises hang on."""
    subject = "database"
    server = ask(database, partial(server_of, dialect=database.dialect))
    where = mask_url(config.database_url())
    if server.is_supported:
        yield Remark("ok", subject, f"{where} can be opened; it is {server.product} {server.version}")
    else:
        sentence = f"{where} is {server.product} {server.version}; batchd needs {server.oldest} or newer"
        yield Remark("problem", subject, sentence, "have it upgraded", DatabaseError.exit_code)
    settings = ask(database, partial(settings_of, dialect=database.dialect))
    for one in settings:
        if not one.is_right:
            yield Remark("warning", subject, f"{one.name} is {one.value}: {one.trouble}", one.remedy)
    right = [f"{one.name} {one.value}" for one in settings if one.is_right]
    if right:
        yield Remark("ok", subject, f"set as it should be: {', '.join(right)}")
    if database.dialect.name == "sqlite":
        yield from _file_mode(Path(str(database.url.database)))


def _file_mode(path: Path) -> Iterator[Remark]:
    mode = path.stat().st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        verb = "change" if mode & stat.S_IWOTH else "read"
        sentence = f"every user of this machine may {verb} {path} ({stat.filemode(mode)})"
        yield Remark("warning", "database", sentence, f"chmod 600 {path}")


def look_at_ledger(database: Database) -> Iterator[Remark]:
    """That it is there, of the version that this program writes, and belongs to where it is."""
    version = ask(database, migrate.installed_version)
    migrate.check_version(database.engine, database.dialect, database.url)
    installation.check_binding(database.engine, database.dialect, database.url)
    yield Remark("ok", "ledger", f"version {version}, as this batchd needs it, and made for this place")


def look_at_clock(database: Database) -> Iterator[Remark]:
    """This machine's clock beside the database's."""
    if database.dialect.name == "sqlite":
        yield Remark("ok", "clock", "does not apply: SQLite goes by this machine's clock")
        return
    ahead, unsure = ahead_of_database(database)
    if abs(ahead) - unsure <= _ODD_SECONDS:
        shown = f"{abs(ahead):.1f} s" if abs(ahead) >= 0.1 else "less than 0.1 s"  # noqa: PLR2004 - a tenth
        yield Remark("ok", "clock", f"this machine and the database differ by {shown} (give or take {unsure:.2f} s)")
        return
    side = "ahead of" if ahead > 0 else "behind"
    sentence = (
        f"this machine is {abs(ahead):,.1f} s {side} the database: cron lines and quiet hours go by this machine, "
        "everything in the ledger by the database"
    )
    yield _skew("clock", sentence, is_wrong=abs(ahead) > _WRONG_SECONDS)


def compare_with_vendor(name: str, vendor_now: float, database: Database | None) -> Remark:
    """The vendor's clock beside the ledger's, or beside this machine's where there is no ledger to ask."""
    ahead_here = time.time() - vendor_now
    ahead = ahead_here if database is None else ahead_here - ahead_of_database(database)[0]
    whose = "this machine" if database is None or database.dialect.name == "sqlite" else "the database"
    subject = f"vendor {name}"
    # The vendor tells whole seconds.
    if abs(ahead) <= _VENDOR_ODD_SECONDS:
        return Remark("ok", subject, f"its clock and that of {whose} differ by {abs(ahead):.0f} s")
    side = "ahead of" if ahead > 0 else "behind"
    sentence = (
        f"{whose} is {abs(ahead):,.0f} s {side} the vendor: a batch that was created without an answer is looked for "
        "by its time, and an hour off it is not found"
    )
    return _skew(subject, sentence, is_wrong=abs(ahead) > _VENDOR_WRONG_SECONDS)


def ahead_of_database(database: Database) -> tuple[float, float]:
    """Seconds that this machine is ahead, and how unsure that is: half of the shortest of a few round trips."""
    found = [_one_look(database) for _ in range(_LOOKS)]
    return min(found, key=lambda one: one[1])


def _one_look(database: Database) -> tuple[float, float]:
    begun = time.time()
    there = ask(database, partial(clock_of, dialect=database.dialect)).timestamp()
    ended = time.time()
    return (begun + ended) / 2 - there, (ended - begun) / 2


def _skew(subject: str, sentence: str, *, is_wrong: bool) -> Remark:
    return Remark("problem" if is_wrong else "warning", subject, sentence, _SET_THE_CLOCK, 1 if is_wrong else 0)
