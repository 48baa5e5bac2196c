"""``batchd doctor``: looks at everything that batchd stands on, one part after another, and changes nothing."""

from batchd.app.doctor.examination import examine, examine_without

__all__ = ["examine", "examine_without"]
