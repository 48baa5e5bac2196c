"""The error tree. Foreign exceptions are mapped into it at the border, chained with ``from``.

BatchdError
├── ConfigError            10  the config, a template, a schema or a task does not fit
├── DatabaseError          11  the database cannot be reached or cannot do what is asked
│   ├── DatabaseBusyError      the database keeps others' work before ours; a later pass may do
│   ├── LedgerVersionError     the ledger is missing, older or newer than this program
│   └── DataRefusedError       the database refused this row's values, and would again
├── VendorError
│   ├── VendorAuthError     4  the vendor refused the key
│   ├── VendorUnclearError 12  nobody knows whether the call took effect
│   │   └── VendorUnreachableError  no connection: the call never left this machine
│   ├── VendorBusyError    12  refused for now; nothing was done; may be asked again
│   ├── VendorBillingError  3  refused for lack of money; nothing was done; asks for a person
│   ├── VendorNotFoundError    the vendor does not know this id
│   └── VendorRefusedError     refused for good; nothing was done
├── LeaseLostError         13  another process holds the lease
├── HoldBatchError         20  this batch needs a person; carries the finding to raise
├── SpoolError              3  the spool folder cannot be read or written; what needs it waits for a person
│   └── SpoolFullError         there is no room for another file; passes once there is
└── UsageError              2  the command line asks for something that makes no sense

A message says what, where and why; ``next_command`` says what to do about it.
"""


class BatchdError(Exception):
    """Something a person can act on.

    Args:
        message: what is wrong, where, and why; never row content and never a secret.
        next_command: what to run or change next.
    """

    exit_code = 70

    def __init__(self, message: str, *, next_command: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_command = next_command


class ConfigError(BatchdError):
    """The configuration does not fit; ``where`` is ``file:line`` where that is known."""

    exit_code = 10

    def __init__(self, message: str, *, where: str = "", next_command: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message, next_command=next_command)
        self.where = where


class DatabaseError(BatchdError):
    """The database cannot be reached, or cannot do what is asked of it."""

    exit_code = 11


class DatabaseBusyError(DatabaseError):
    """The database refused a transaction for passing reasons, again and again; nothing of it was kept."""


class LedgerVersionError(DatabaseError):
    """The ledger is missing, or of a version this program does not know."""


class DataRefusedError(DatabaseError):
    """The database refused the values of a row and would refuse them again (too long, a constraint)."""


class KeyTakenError(DataRefusedError):
    """A unique key of a row that was to be added is taken: by another column's value, or by the very row, by now."""


class VendorError(BatchdError):
    """A call to the vendor did not succeed.

    Args:
        message: our own sentence.
        code: the vendor's machine-readable code, or ``http_<status>``.
        request_id: the vendor's ``x-request-id``, for its support.

    ``retry_after`` is how many seconds the vendor asks to wait, None where it does not say.
    """

    exit_code = 12
    retry_after: float | None = None

    def __init__(self, message: str, *, code: str = "", request_id: str = "", next_command: str = "") -> None:
        super().__init__(message, next_command=next_command)
        self.code = code
        self.request_id = request_id


class VendorAuthError(VendorError):
    """The vendor refused the key (401, 403). Nothing was done."""

    exit_code = 4


class VendorUnclearError(VendorError):
    """A time-out, a dropped connection, 408, 409, 5xx or a reply that does not parse.

    The call may or may not have taken effect.
    """


class VendorUnreachableError(VendorUnclearError):
    """No connection could be made, so nothing was sent and nothing was done."""


class VendorBusyError(VendorError):
    """A rate limit (429 with the standard error body). Nothing was done.

    Args:
        retry_after: seconds the vendor asks to wait, where it said so.
        token_limit: the limit on enqueued tokens that the vendor named, where it refused for that.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
        token_limit: int | None = None,
    ) -> None:
        super().__init__(message, code=code, request_id=request_id)
        self.retry_after = retry_after
        self.token_limit = token_limit


class VendorBillingError(VendorError):
    """The account has no money or has reached its spending limit. Nothing was done."""

    exit_code = 3


class VendorNotFoundError(VendorError):
    """The vendor does not know this batch or file (404)."""

    exit_code = 20


class VendorRefusedError(VendorError):
    """The vendor refused the call for good (400, 404 of the route, 413, 422). Nothing was done."""

    exit_code = 20


class LeaseLostError(BatchdError):
    """Another process holds, or has taken over, the lease this work needs."""

    exit_code = 13


class HoldBatchError(BatchdError):
    """This batch must wait for a person; raised inside a transaction so that nothing of it is kept.

    Args:
        finding: the kind of finding to raise (``core.findings``).
    """

    exit_code = 20

    def __init__(self, message: str, *, finding: str) -> None:
        super().__init__(message)
        self.finding = finding


class SpoolError(BatchdError):
    """The spool folder cannot be read or written."""

    exit_code = 3


class SpoolFullError(SpoolError):
    """The disk of the spool, or the quota on it, has no room for this file; nothing of the file was kept."""


class UsageError(BatchdError):
    """The command line asks for something that makes no sense."""

    exit_code = 2
