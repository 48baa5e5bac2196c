"""stdin, stdout and stderr are there, whatever a caller has closed."""

import os
import sys

# By their numbers.
_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed_streams() -> None:
    """What a caller has closed, as with ``2>&-``, leads nowhere from now on.

    Else the next file that is opened would get its number, such as a database, and with it what is printed there.
    """
    number = os.open(os.devnull, os.O_RDWR)
    while number < len(_STREAMS):
        os.set_inheritable(number, True)
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)
    for number, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
