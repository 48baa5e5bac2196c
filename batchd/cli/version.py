"""``batchd --version``: what this program is, without a look at any config or database."""

import platform

from batchd import __version__
from batchd.cli.lines import say
from batchd.store.sql_folder import newest_version


def say_version(*, as_json: bool) -> None:
    """Tells the package's version, and the version of the ledger that it works with."""
    ledger = newest_version()
    if as_json:
        from batchd.cli.out import print_json

        print_json({"version": __version__, "ledger_version": ledger, "python": platform.python_version()})
    else:
        say(f"batchd {__version__} (ledger version {ledger})")
