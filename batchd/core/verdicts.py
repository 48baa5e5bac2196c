"""What a vendor's line says about its request, before the row is looked at."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from batchd.core.outcomes import Outcome


class Usage(NamedTuple):
    """Tokens the vendor counted for one line. ``cached`` is a part of ``input``, ``reasoning`` of ``output``."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


class Verdict(NamedTuple):
    """One line, classified.

    Attributes:
        outcome: ``APPLIED`` means fit to be written; the row decides whether it is.
        values: column name → value to write, for ``APPLIED`` only.
        usage: tokens of this line; zeros where the vendor gave none.
        finish_reason: the vendor's word for how the answer ended, "" where it gave none.
        code: machine-readable reason for an outcome other than ``APPLIED``.
        sentence: our own words for it; never row content, never the vendor's text.
        model: the model that answered, as the vendor names it, "" where it gave none.
    """

    outcome: Outcome
    values: Mapping[str, Any] = MappingProxyType({})
    usage: Usage = Usage()
    finish_reason: str = ""
    code: str = ""
    sentence: str = ""
    model: str = ""
