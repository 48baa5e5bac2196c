"""One part of the doctor's round: it has a limit of time, and its failure is a remark like any other."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from batchd.app.remarks import Remark, problem
from batchd.errors import BatchdError

_CHECK_FAILED, _INTERNAL = 1, 70


@dataclass(frozen=True, slots=True)
class Part:
    """What is looked at under one name.

    Attributes:
        subject: the name.
        look: tells what it sees; may raise BatchdError.
        seconds: how long it may take.
        late_code: exit code where it took longer.
        late_command: what to run next then.
    """

    subject: str
    look: Callable[[], Iterable[Remark]]
    seconds: float = 30.0
    late_code: int = _CHECK_FAILED
    late_command: str = "run the same command again"

    def remarks(self) -> list[Remark]:
        """Everything that was seen, up to an error or to the end of the time."""
        seen: list[Remark] = []
        # A thread that hangs on somebody else's answer does not keep the process from ending.
        thread = threading.Thread(target=self._run, args=(seen,), name=f"doctor {self.subject}", daemon=True)
        thread.start()
        thread.join(self.seconds)
        if not thread.is_alive():
            return seen
        late = f"no answer within {self.seconds:g} seconds"
        return [*seen, Remark("problem", self.subject, late, self.late_command, self.late_code)]

    def _run(self, seen: list[Remark]) -> None:
        try:
            for remark in self.look():
                seen.append(remark)  # noqa: PERF402 - what came before an error is told too
        except BatchdError as error:
            seen.append(problem(self.subject, error))
        except Exception as error:  # noqa: BLE001 - the parts after this one are looked at all the same
            # Its own words may quote row content or a secret.
            told = f"internal error: {type(error).__name__}"
            seen.append(Remark("problem", self.subject, told, "please report it", _INTERNAL))
