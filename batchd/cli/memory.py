"""How this process keeps its memory: for many small objects that live for a moment, in a few threads.

Python's collector of reference cycles, as it is by itself, walks over all objects of a chunk again and again while the
chunk is read and written: nearly half of the processor time of an apply (docs/explanation/where-the-time-goes.md). What
batchd makes by the thousand has no cycles, and is given back by counting as ever. And glibc gives each thread a heap of
its own, of which little comes back: twenty megabytes of the peak. What it takes for a large piece by itself grows with
each that is freed, so a statement's megabytes end up among small objects, and stay: four more.
"""

import contextlib
import ctypes
import gc

# New objects before it looks for cycles among them; and how many such looks before it looks at older ones.
_NEW_OBJECTS = 50_000
_YOUNG_LOOKS = 20
_OLD_LOOKS = 100
# glibc's settings (malloc.h): the number of heaps; from how many bytes on a piece is a mapping of its own, which goes
# back as soon as it is free; how many free bytes at a heap's end are kept.
_HEAPS = {-8: 1, -3: 1 << 20, -1: 1 << 18}


def settle_memory() -> None:
    """Once all modules are there: what they are made of stays for good, and is looked at no more."""
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _YOUNG_LOOKS, _OLD_LOOKS)
    # Only glibc has it; elsewhere there is nothing to do.
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for setting, value in _HEAPS.items():
            mallopt(setting, value)
