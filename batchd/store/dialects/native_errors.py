"""What the error tables of all databases are made of."""

from dataclasses import dataclass

from batchd.store.dialects.base import Fault, Refusal
from batchd.store.dialects.servers import DRIVER_REFUSALS


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one error of a database means.

    Attributes:
        name: two to five words of ours for it, such as "deadlock".
        fault: what batchd does about it.
        refusal: what a person is told, where waiting alone does not end it. An error that is tried LATER may have
            one too: for the time when waiting was in vain, and for the first connection.
    """

    name: str
    fault: Fault
    refusal: Refusal | None = None

    def labelled(self, number: int | str) -> str:
        """The database's number with our name, such as "1205 deadlock"."""
        return f"{number} {self.name}"


UNSENDABLE = Meaning("value the driver cannot send", Fault.DATA)


def driver_error(error: Exception) -> BaseException:
    """The driver's own error, with or without SQLAlchemy's around it."""
    orig = getattr(error, "orig", None)
    return orig if isinstance(orig, BaseException) else error


def is_unsendable(error: BaseException) -> bool:
    """Whether the driver refused a value before the server saw it."""
    return isinstance(error, DRIVER_REFUSALS)


def class_names(error: BaseException) -> frozenset[str]:
    """Names of the error's classes: a driver is not imported only to look at its errors."""
    return frozenset(one.__name__ for one in type(error).__mro__)
