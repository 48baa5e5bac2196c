"""A screen that is drawn again and again in its place, until a signal or its reader ends it."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

from batchd.cli.call import Call, error_document
from batchd.cli.lines import as_called, complain, say
from batchd.cli.out import print_json
from batchd.cli.screen import cut, screen_size
from batchd.cli.status_facts import Facts
from batchd.cli.status_screen import status_lines
from batchd.errors import DatabaseError
from batchd.stop import Stop

# How soon a new size of the terminal is followed, in seconds.
_LOOK = 0.25
# The other screen of a terminal, so that what stood there before comes back; the cursor is hidden meanwhile.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J", "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


def watch(call: Call, stop: Stop, every: float, document: Callable[[], Facts]) -> None:
    """Shows the document until it is stopped; a database that is away is said to be, and asked again.

    With ``--json`` one document a line, and one with ``error`` while the database is away.
    """
    if call.as_json:
        _repeat(stop, every, lambda: print_json(_told_as_document(document)))
        return
    if not sys.stdout.isatty():
        _repeat(stop, every, lambda: _print(document))
        return
    with _other_screen():
        _draw_again_and_again(stop, every, document)


def _repeat(stop: Stop, every: float, show: Callable[[], None]) -> None:
    show()
    while not stop.wait(every):
        show()


def _told_as_document(document: Callable[[], Facts]) -> Facts:
    try:
        return document()
    except DatabaseError as error:
        return {"error": error_document(error)}


def _print(document: Callable[[], Facts]) -> None:
    try:
        told = document()
    except DatabaseError as error:
        complain(f"error: {error}; asked again")
        return
    for line in (*status_lines(told, *screen_size()), ""):
        say(line)


def _draw_again_and_again(stop: Stop, every: float, document: Callable[[], Facts]) -> None:
    told: Facts | None = None
    while not stop.asked():
        trouble = ""
        try:
            told = document()
        except DatabaseError as error:
            trouble = f"{error}; asked again every {every:g} s"
        # Before it is drawn: a size that changes meanwhile is another one then.
        size = screen_size()
        _draw(told, trouble)
        _wait(stop, every, size, lambda told=told, trouble=trouble: _draw(told, trouble))  # type: ignore[misc]


def _wait(stop: Stop, every: float, size: tuple[int, int | None], draw: Callable[[], None]) -> None:
    """Until the next look at the ledger; meanwhile a terminal of a new size is filled anew."""
    waited = 0.0
    while waited < every and not stop.wait(min(_LOOK, every - waited)):
        waited += _LOOK
        if screen_size() != size:
            size = screen_size()
            draw()


def _draw(told: Facts | None, trouble: str) -> None:
    width, height = screen_size()
    lines = [] if told is None else status_lines(told, width, None if height is None else height - 1)
    if trouble:
        seen = [f"As of {told['at']:%H:%M:%S} UTC:"] if told else []
        lines = [f"The database is away: {trouble}", *seen, *lines]
    _write(lines[: height or None], width)


def _write(lines: Sequence[str], width: int) -> None:
    """The whole picture in one go, over the one before: nothing is blank in between."""
    shown = [cut(as_called(line), width) + _REST_OF_LINE for line in lines]
    encoding = sys.stdout.encoding or "utf-8"
    picture = _HOME + "\r\n".join(shown) + _REST_OF_SCREEN
    sys.stdout.write(picture.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


@contextlib.contextmanager
def _other_screen() -> Iterator[None]:
    sys.stdout.write(_ENTER)
    try:
        yield
    finally:
        # A terminal that was closed has nothing to be put back.
        with contextlib.suppress(OSError):
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()
