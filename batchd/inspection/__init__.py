"""Read-only judges: what is there is held against what was promised. Nothing is changed, anywhere."""

from batchd.inspection.record import Note, Verdict, Violation
from batchd.inspection.verify import verify

__all__ = ["Note", "Verdict", "Violation", "verify"]
