"""Runs one command and writes down what it took: ``python -I -S launcher.py RESULT COMMAND …``.

A process of its own, and a small one: the peak memory that the kernel tells of a child begins with its parent's.
"""

import json
import os
import sys
import time

_result, *_command = sys.argv[1:]
_begun = time.perf_counter()
_child = os.posix_spawn(_command[0], _command, os.environ)
_, _status, _used = os.wait4(_child, 0)
_took = {
    "wall": time.perf_counter() - _begun,
    "cpu": _used.ru_utime + _used.ru_stime,
    "peak": _used.ru_maxrss * 1024,
    "code": os.waitstatus_to_exitcode(_status),
}
with open(_result, "w", encoding="ascii") as _file:  # noqa: PTH123 - pathlib would cost more than all of this
    json.dump(_took, _file)
