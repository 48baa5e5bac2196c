"""What is planted in a drill's rows and in its environment, and came out: in output and logs, or in the ledger."""

from batchd.store.grants import LEDGER_RIGHTS
from tests.drills.slot import Slot
from tests.leaks import Leaks

_MAY_HOLD_IT = {"batchd_content"}


def let_out(slot: Slot) -> list[str]:
    """A sentence for each place outside rows, spool, content and vendor that holds some of it."""
    leaks = Leaks()
    leaks.hear_file(slot.log)
    # Tables and views, of servers too: their words may quote a value, and a finding might quote theirs.
    for name in LEDGER_RIGHTS.keys() - _MAY_HOLD_IT:
        leaks.hear(repr(slot.execute(f"SELECT * FROM {name}")), name)
    return leaks.finds()
