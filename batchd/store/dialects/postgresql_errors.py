"""PostgreSQL's errors, by SQLSTATE.

A server that refuses a connection says why only in words (libpq keeps no SQLSTATE then), so a few of its English
sentences are known here. Where none fits, the connection is tried again, and the person reads a general sentence.
"""

from batchd.store.dialects.base import Fault, Refusal
from batchd.store.dialects.native_errors import UNSENDABLE, Meaning, class_names, driver_error, is_unsendable

_LOGIN = Refusal("the server refused the login", "check user and password of [database]")
_HBA = Refusal(
    "the server takes no connections like this one: its pg_hba.conf has no line for this user, database and machine",
    "ask the DBA for a line in pg_hba.conf; if it says 'no encryption', add ?sslmode=require to database.url",
)
_DATABASE_MISSING = Refusal("there is no such database on the server", "check the name at the end of database.url")
_NO_RIGHT = Refusal(
    "the login lacks a right on a table, column or schema, or a row-level security policy keeps the row from it",
    "run: batchd db grants TASK, and have a DBA run what it prints",
    lacks_right=True,
)
_TABLE_GONE = Refusal("a table or view that this needs is not there", "run: batchd check-config")
_COLUMN_GONE = Refusal("a column that this needs is not there", "run: batchd check-config")
_SCHEMA_GONE = Refusal("a schema that this needs is not there", "run: batchd check-config")
_SYNTAX = Refusal(
    "the server does not understand a statement; most often `pending` of a task is not SQL of this server",
    "run: batchd check-config",
)
_TYPES = Refusal(
    "a column has another type than what a task compares it with or writes into it", "run: batchd check-config"
)
_NOT_WRITABLE = Refusal(
    "a column or view that a task writes cannot be written: it is generated, or a view over several tables",
    "write to a plain column, or give the task the table behind the view",
)
_POOLER = Refusal(
    "a connection pooler between batchd and the server loses prepared statements",
    "let database.url lead to the server itself, or to a pooler in session mode",
)
_SETTING = Refusal(
    "the driver does not take a setting of database.url", "check what stands behind the ? of database.url"
)
_DOWN = Refusal(
    "no server answers at the host and port of database.url", "start the server, or check host and port of database.url"
)
_NAME = Refusal("the host name in database.url is not known here", "check the host in database.url, and DNS")
_REFUSED = Refusal(
    "the server did not take the connection", "look into the server's log, and check host, port and user of [database]"
)
_CERTIFICATE = Refusal(
    "the server's certificate is not trusted here, or is for another name",
    "name the authority that signed it in database.url: ?sslrootcert=/path/ca.pem, and use the name in the certificate",
)
_TLS_MISSING = Refusal(
    "database.url asks for an encrypted connection, which the server does not offer",
    "ask the DBA to turn ssl on, or take sslmode out of database.url",
)
READ_ONLY = Refusal(
    "the server takes no writes: it is a standby, or the login or database is set read-only",
    "check that database.url leads to the primary, or ask the DBA when writing is back",
)
_TOO_MANY = Refusal(
    "the server has no connection left for this login",
    "ask the DBA to raise max_connections or the login's limit, or run fewer daemons",
)
_FULL = Refusal("the server's disk is full", "ask the DBA to make room, then run the same command again")
_SYSTEM = Refusal("the server cannot read or write its files", "ask the DBA to look at the server's log")
_DAMAGED = Refusal("the server reports damaged data", "ask the DBA to look at the server's log before anything else")

MEANINGS: dict[str, Meaning] = {
    # The connection, and what ends it.
    "08000": Meaning("connection lost", Fault.AGAIN),
    "08001": Meaning("connection not made", Fault.AGAIN),
    "08003": Meaning("connection lost", Fault.AGAIN),
    "08004": Meaning("connection refused", Fault.LATER, _REFUSED),
    "08006": Meaning("connection lost", Fault.AGAIN),
    "08007": Meaning("connection lost at the commit", Fault.AGAIN),
    "25P03": Meaning("transaction was idle too long", Fault.AGAIN),
    "25P04": Meaning("transaction time limit", Fault.AGAIN),
    "57P01": Meaning("connection ended by the server", Fault.AGAIN),
    "57P02": Meaning("server crashed", Fault.AGAIN),
    "57P03": Meaning("server starting or shutting down", Fault.LATER),
    "57P04": Meaning("database dropped", Fault.FATAL, _DATABASE_MISSING),
    "57P05": Meaning("connection was idle too long", Fault.AGAIN),
    # Others' work.
    "40000": Meaning("transaction rolled back", Fault.AGAIN),
    "40001": Meaning("serialization conflict", Fault.AGAIN),
    "40003": Meaning("outcome of a statement unknown", Fault.AGAIN),
    "40P01": Meaning("deadlock", Fault.AGAIN),
    "55006": Meaning("object in use", Fault.AGAIN),
    "55P03": Meaning("lock wait timeout", Fault.AGAIN),
    "57014": Meaning("statement cancelled or over its time limit", Fault.AGAIN),
    "72000": Meaning("snapshot too old", Fault.AGAIN),
    # The server's means.
    "25006": Meaning("server is read-only", Fault.LATER, READ_ONLY),
    "53000": Meaning("server short of resources", Fault.LATER),
    "53100": Meaning("disk full", Fault.LATER, _FULL),
    "53200": Meaning("server out of memory", Fault.LATER),
    "53300": Meaning("too many connections", Fault.LATER, _TOO_MANY),
    "53400": Meaning("limit of the server reached", Fault.LATER),
    "58000": Meaning("system error at the server", Fault.LATER, _SYSTEM),
    "58030": Meaning("input or output error at the server", Fault.LATER, _SYSTEM),
    # The row's own values.
    "09000": Meaning("refused by a trigger", Fault.DATA),
    "22001": Meaning("value too long", Fault.DATA),
    "22003": Meaning("number out of range", Fault.DATA),
    "22007": Meaning("not a time", Fault.DATA),
    "22008": Meaning("time out of range", Fault.DATA),
    "22012": Meaning("division by zero", Fault.DATA),
    "22021": Meaning("characters not allowed", Fault.DATA),
    "22032": Meaning("not JSON", Fault.DATA),
    "22P02": Meaning("value does not fit the type", Fault.DATA),
    "22P05": Meaning("characters not allowed", Fault.DATA),
    "23001": Meaning("foreign key: row is referred to", Fault.DATA),
    "23502": Meaning("NULL not allowed", Fault.DATA),
    "23503": Meaning("foreign key", Fault.DATA),
    "23505": Meaning("unique key taken", Fault.DUPLICATE),
    "23514": Meaning("check constraint", Fault.DATA),
    "23P01": Meaning("exclusion constraint", Fault.DATA),
    "27000": Meaning("refused by a trigger", Fault.DATA),
    "44000": Meaning("check option of the view", Fault.DATA),
    "54000": Meaning("value too large for the table or an index", Fault.DATA),
    "P0001": Meaning("refused by a trigger", Fault.DATA),
    "P0004": Meaning("refused by a trigger", Fault.DATA),
    # A person.
    "26000": Meaning("prepared statement lost", Fault.FATAL, _POOLER),
    "28000": Meaning("login refused", Fault.FATAL, _LOGIN),
    "28P01": Meaning("login refused", Fault.FATAL, _LOGIN),
    "3D000": Meaning("database missing", Fault.FATAL, _DATABASE_MISSING),
    "3F000": Meaning("schema missing", Fault.FATAL, _SCHEMA_GONE),
    "42501": Meaning("right missing", Fault.FATAL, _NO_RIGHT),
    "42601": Meaning("syntax", Fault.FATAL, _SYNTAX),
    "42702": Meaning("column ambiguous", Fault.FATAL, _SYNTAX),
    "42703": Meaning("column missing", Fault.FATAL, _COLUMN_GONE),
    "42804": Meaning("types differ", Fault.FATAL, _TYPES),
    "42883": Meaning("function or operator missing", Fault.FATAL, _TYPES),
    "428C9": Meaning("column cannot be written", Fault.FATAL, _NOT_WRITABLE),
    "42P01": Meaning("table missing", Fault.FATAL, _TABLE_GONE),
    "42P05": Meaning("prepared statement not ours", Fault.FATAL, _POOLER),
    "55000": Meaning("object not in the needed state", Fault.FATAL, _NOT_WRITABLE),
    "XX001": Meaning("data damaged", Fault.FATAL, _DAMAGED),
    "XX002": Meaning("index damaged", Fault.FATAL, _DAMAGED),
}
# States that are in no line above, by their first two characters.
CLASSES: dict[str, Meaning] = {
    "08": Meaning("connection lost", Fault.AGAIN),
    "22": Meaning("value refused", Fault.DATA),
    "23": Meaning("constraint", Fault.DATA),
    "28": Meaning("login refused", Fault.FATAL, _LOGIN),
    "40": Meaning("transaction rolled back", Fault.AGAIN),
    "53": Meaning("server short of resources", Fault.LATER),
    "58": Meaning("system error at the server", Fault.LATER, _SYSTEM),
}
# The first two characters of all that the server itself says; a trigger may say what it likes.
_OWN_CLASSES = frozenset(
    (
        "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21",
        "22", "23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D",
        "3F", "40", "42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX",
    )
)  # fmt: skip
_UNUSABLE_SETTING = Meaning("setting of the driver", Fault.FATAL, _SETTING)
# A refused connection, by words that hold no row's values. The first that fits.
_CONNECTING: tuple[tuple[str, Meaning], ...] = (
    ("connection is bad: invalid", _UNUSABLE_SETTING),
    ("certificate verify failed", Meaning("certificate not trusted", Fault.FATAL, _CERTIFICATE)),
    ("does not match host name", Meaning("certificate not trusted", Fault.FATAL, _CERTIFICATE)),
    ("root certificate file", Meaning("certificate not trusted", Fault.FATAL, _CERTIFICATE)),
    ("does not support SSL", Meaning("encryption", Fault.FATAL, _TLS_MISSING)),
    ("authentication failed", MEANINGS["28P01"]),
    ("no password supplied", MEANINGS["28P01"]),
    ("no pg_hba.conf entry", Meaning("connection not allowed", Fault.FATAL, _HBA)),
    ("pg_hba.conf rejects", Meaning("connection not allowed", Fault.FATAL, _HBA)),
    ("is not permitted to log in", MEANINGS["28000"]),
    ("permission denied for database", MEANINGS["42501"]),
    ("too many connections", MEANINGS["53300"]),
    ("too many clients", MEANINGS["53300"]),
    ("connection slots", MEANINGS["53300"]),
    ("database system is", MEANINGS["57P03"]),
    ("resolve host", Meaning("host name unknown", Fault.LATER, _NAME)),
    ("translate host name", Meaning("host name unknown", Fault.LATER, _NAME)),
    ("Connection refused", Meaning("server not reachable", Fault.LATER, _DOWN)),
    ("timeout expired", Meaning("server not reachable", Fault.LATER, _DOWN)),
    ("No such file or directory", Meaning("server not reachable", Fault.LATER, _DOWN)),
    ("No route to host", Meaning("server not reachable", Fault.LATER, _DOWN)),
    ("Network is unreachable", Meaning("server not reachable", Fault.LATER, _DOWN)),
)
_NOT_TAKEN = Meaning("connection not made", Fault.LATER, _REFUSED)
_LOST = Meaning("connection lost", Fault.AGAIN)


def fault(error: Exception) -> Fault:
    """What to do about an error; what is in no table needs a person."""
    found = _meaning(driver_error(error))
    return found.fault if found else Fault.FATAL


def code(error: Exception) -> str:
    """Such as "40P01 deadlock"; the bare SQLSTATE where we have no name for it."""
    orig = driver_error(error)
    state, found = _state(orig), _meaning(orig)
    if state:
        return found.labelled(state) if found else state
    return found.name if found else type(orig).__name__


def refusal(error: Exception) -> Refusal | None:
    """What a person is told, where waiting alone does not end the error."""
    found = _meaning(driver_error(error))
    return found.refusal if found else None


def _meaning(orig: BaseException) -> Meaning | None:
    state = _state(orig)
    if state:
        known = MEANINGS.get(state) or CLASSES.get(state[:2])
        return known or (None if state[:2] in _OWN_CLASSES else MEANINGS["P0001"])
    kinds = class_names(orig)
    # psycopg's own refusals, such as of the character NUL, have no SQLSTATE.
    if is_unsendable(orig) or "DataError" in kinds:
        return UNSENDABLE
    if "OperationalError" in kinds:
        return _by_words(str(orig)) or (_NOT_TAKEN if _is_connecting(orig) else _LOST)
    if "ProgrammingError" in kinds and str(orig).startswith("invalid connection option"):
        return _UNUSABLE_SETTING
    return _LOST if "InterfaceError" in kinds else None


def _is_connecting(orig: BaseException) -> bool:
    # psycopg leaves the half-made connection on errors of connecting, and only there.
    return getattr(orig, "pgconn", None) is not None or "ConnectionTimeout" in class_names(orig)


def _by_words(text: str) -> Meaning | None:
    # Only libpq's and the server's first words come without SQLSTATE; no statement's values are among them.
    return next((meaning for words, meaning in _CONNECTING if words in text), _database_missing(text))


def _database_missing(text: str) -> Meaning | None:
    if "does not exist" not in text:
        return None
    return MEANINGS["3D000"] if 'FATAL:  database "' in text else MEANINGS["28000"]


def _state(orig: BaseException) -> str:
    return str(getattr(orig, "sqlstate", None) or "")
