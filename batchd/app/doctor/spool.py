"""The spool folder: private, ours, with room, on a disk that keeps what is written."""

from collections.abc import Iterator

from batchd.app.remarks import Remark
from batchd.config import Config
from batchd.config.places import shown_path
from batchd.errors import SpoolError
from batchd.spool.checkup import SpoolState, state_of, try_out
from batchd.store.engine import SqlStore

_SUBJECT = "spool"


def look_at_spool(config: Config, store: SqlStore | None) -> Iterator[Remark]:
    """As it stands; one small file is written there and removed again. Without a ledger its needs are not known."""
    folder = config.daemon.spool
    shown = shown_path(folder)
    found = state_of(folder)
    if found is None:
        yield Remark("ok", _SUBJECT, f"{shown} is not there yet; the first batch makes it, closed to other users")
        return
    yield from _whose(found, str(shown))
    needed = 0 if store is None else store.ask(lambda ledger: ledger.batches.bytes_on_the_way())
    yield _room(config, found, needed)
    try_out(folder)
    yield Remark("ok", _SUBJECT, "a trial file was written, flushed, renamed and removed again")


def _whose(found: SpoolState, shown: str) -> Iterator[Remark]:
    trouble = []
    if not found.is_ours:
        sentence = f"{shown} belongs to another user (number {found.owner}); only that one can work with it"
        trouble.append(Remark("warning", _SUBJECT, sentence, "run this as the user that batchd runs as"))
    if not found.is_private:
        sentence = f"{shown} has mode {found.mode:04o}, and holds content of rows"
        trouble.append(Remark("warning", _SUBJECT, sentence, f"chmod 700 {shown}"))
    if found.open_files:
        number = "1 file" if found.open_files == 1 else f"{found.open_files:,} files"
        sentence = f"{number} in {shown} can be read or changed by more than the owner"
        trouble.append(Remark("warning", _SUBJECT, sentence, f"chmod 600 {shown}/*"))
    yield from trouble
    if not trouble:
        yield Remark("ok", _SUBJECT, f"{shown} is this user's, and closed to others (folder 0700, files 0600)")


def _room(config: Config, found: SpoolState, needed: int) -> Remark:
    reserve = config.daemon.spool_reserve
    left = found.free - reserve - needed
    told = f"{found.free:,} bytes are free; kept free {reserve:,}, for results of open batches {needed:,}"
    if left > 0:
        return Remark("ok", _SUBJECT, told)
    remedy = "free some space there, or lower [daemon] keep_files"
    return Remark("problem", _SUBJECT, f"no room for another batch: {told}", remedy, SpoolError.exit_code)
