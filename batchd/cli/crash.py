"""What nobody caught, in any thread: its kind and place are told, not its words, for those may quote a row."""

import sys
import threading
import warnings
from types import TracebackType

from batchd.cli.lines import complain


def tell_crashes() -> None:
    """From now on Python itself prints no traceback of its own, and no warning of a library."""
    sys.excepthook = _tell
    threading.excepthook = lambda crash: _tell(crash.exc_type, crash.exc_value, crash.exc_traceback)
    # Of what goes wrong where nothing can be raised, as in a finalizer.
    sys.unraisablehook = lambda crash: _tell(crash.exc_type, crash.exc_value, crash.exc_traceback)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _tell(kind: type[BaseException], error: BaseException | None, _: TracebackType | None) -> None:
    from batchd.redaction import traceback_of

    if issubclass(kind, SystemExit):
        return
    complain(traceback_of(error) if error is not None else kind.__name__)
