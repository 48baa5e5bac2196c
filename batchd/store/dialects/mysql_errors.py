"""MariaDB's and MySQL's errors, by number. PyMySQL has it in ``args[0]``; its own numbers begin at 2000."""

import socket
import ssl

from batchd.store.dialects.base import Fault, Refusal
from batchd.store.dialects.native_errors import UNSENDABLE, Meaning, class_names, driver_error, is_unsendable

_LOGIN = Refusal(
    "the server refused the login",
    "check user and password of [database] against the server's mysql.user; the host part of an account counts too",
)
_ACCOUNT = Refusal("the server keeps this account out: it is locked, or its password has expired", "ask the DBA")
_HOST = Refusal(
    "the server takes no connections from this machine",
    "ask the DBA for an account for this host, and after many failed connections for FLUSH HOSTS",
)
_LOGIN_METHOD = Refusal(
    "the server asks for a way to log in that the driver does not have",
    "install PyMySQL's extras: pip install 'pymysql[rsa,ed25519]', or ask the DBA for another plugin for the account",
)
_TLS_ASKED = Refusal(
    "the server and database.url do not agree on encryption",
    "name the server's certificate authority at the end of database.url: ?ssl_ca=/path/ca.pem",
)
_CERTIFICATE = Refusal(
    "the server's certificate is not trusted here, or is for another name",
    "put the authority that signed it into database.url: ?ssl_ca=/path/ca.pem, and use the name in the certificate",
)
_DATABASE_MISSING = Refusal("there is no such database on the server", "check the name at the end of database.url")
_NO_RIGHT_ON_DATABASE = Refusal(
    "the login has no rights in this database, or there is no such database",
    "check the name at the end of database.url; if it is right, run: batchd db grants TASK, and have a DBA run what it "
    "prints",
    lacks_right=True,
)
_NO_RIGHT_ON_TABLE = Refusal(
    "the login lacks a right on a table or view",
    "run: batchd db grants TASK, and have a DBA run what it prints",
    lacks_right=True,
)
# Of a column that is not there, the server says the same to a login that has rights on columns only.
_NO_RIGHT_ON_COLUMN = Refusal(
    "the login lacks a right on a column, or a table has no such column",
    "check the columns' names in the task's pending, and name them in its pending_columns too; then run: batchd db "
    "grants TASK, and have a DBA run what it prints",
    lacks_right=True,
)
_NO_RIGHT_FOR_THIS = Refusal(
    "the login lacks a right beyond those on tables and columns",
    "run: batchd db grants TASK, and have a DBA run what it prints",
    lacks_right=True,
)
_TABLE_GONE = Refusal("a table or view that this needs is not there", "run: batchd check-config")
_COLUMN_GONE = Refusal("a column that this needs is not there", "run: batchd check-config")
_SYNTAX = Refusal(
    "the server does not understand a statement; most often `pending` of a task is not SQL of this server",
    "run: batchd check-config",
)
_COLLATIONS = Refusal(
    "a statement compares columns of different collations",
    "give the compared columns one collation, or name it in the task's pending with COLLATE",
)
_NOT_WRITABLE = Refusal(
    "a column or view that a task writes cannot be written: it is computed, or a view over several tables",
    "write to a plain column, or give the task the table behind the view",
)
_BROKEN_VIEW = Refusal(
    "a view or trigger of the task's table is broken: what it uses is gone, or its definer lacks the right",
    "ask the DBA to mend the view or trigger",
)
BY_STATEMENT = Refusal(
    "the server's binary log is kept by statement, which does not go with READ COMMITTED",
    "ask the DBA for binlog_format = ROW (or MIXED)",
)
_CRASHED = Refusal("a table's file is damaged", "ask the DBA for CHECK TABLE, then REPAIR TABLE or a backup")
_SETTING = Refusal(
    "the driver does not take a setting of database.url, or a file named there is not to be found",
    "check what stands behind the ? of database.url",
)
_DOWN = Refusal(
    "no server answers at the host and port of database.url", "start the server, or check host and port of database.url"
)
_NAME = Refusal("the host name in database.url is not known here", "check the host in database.url, and DNS")
_READ_ONLY = Refusal(
    "the server takes no writes: it is a replica, or was set read-only",
    "check that database.url leads to the primary, or ask the DBA when writing is back",
)
_TOO_MANY = Refusal(
    "the server has no connection left for this login",
    "ask the DBA to raise max_connections or the account's limit, or run fewer daemons",
)
_ENGINE = Refusal(
    "the server's storage engine reports an error, such as a full disk", "ask the DBA to look at the server's error log"
)
_FULL = Refusal("the server's disk or tablespace is full", "ask the DBA to make room, then run the same command again")

_AGAIN = {
    1020: "row changed under the snapshot",
    1152: "connection aborted",
    1158: "connection lost while reading",
    1159: "connection timed out while reading",
    1160: "connection lost while writing",
    1161: "connection timed out while writing",
    1184: "connection aborted",
    1205: "lock wait timeout",
    1213: "deadlock",
    1317: "query killed",
    1412: "table was altered meanwhile",
    1615: "statement must be prepared anew",
    1689: "lock wait aborted",
    1927: "connection killed",
    1969: "statement time limit",
    2006: "connection lost",
    2013: "connection lost during a statement",
    2014: "connection out of step",
    2055: "connection lost",
    3024: "statement time limit",
    3101: "rolled back by group replication",
    3572: "row locked by others",
    4031: "connection was idle too long",
}
_LATER: dict[int, tuple[str, Refusal | None]] = {
    1021: ("disk full", _FULL),
    1030: ("storage engine error", _ENGINE),
    1037: ("server out of memory", None),
    1038: ("server out of sort memory", None),
    1040: ("too many connections", _TOO_MANY),
    1041: ("server out of memory", None),
    1047: ("cluster node not ready", None),
    1053: ("server shutting down", None),
    1114: ("table or tablespace full", _FULL),
    1135: ("server cannot start a thread", None),
    1203: ("too many connections of this login", _TOO_MANY),
    1206: ("lock table full", None),
    1226: ("limit of the account reached", _TOO_MANY),
    1290: ("server is read-only", _READ_ONLY),
    1637: ("too many transactions", None),
    1792: ("transaction is read-only", _READ_ONLY),
    1836: ("server is read-only", _READ_ONLY),
    2002: ("server not reachable", _DOWN),
    2003: ("server not reachable", _DOWN),
    2005: ("host name unknown", _NAME),
    3032: ("server is offline", None),
}
_DUPLICATE = {
    1022: "unique key taken",
    1062: "unique key taken",
    1169: "unique key taken",
    1586: "unique key taken",
}
_DATA = {
    1048: "NULL not allowed",
    1118: "row too large",
    1138: "NULL not allowed",
    1153: "statement larger than max_allowed_packet",
    1216: "foreign key: no parent row",
    1217: "foreign key: row is referred to",
    1263: "NULL not allowed",
    1264: "number out of range",
    1265: "value does not fit the type",
    1292: "value does not fit the type",
    1300: "characters not allowed",
    1301: "value larger than max_allowed_packet",
    1364: "column needs a value",
    1365: "division by zero",
    1366: "value does not fit the type",
    1367: "value does not fit the type",
    1369: "check option of the view",
    1406: "value too long",
    1411: "value does not fit the function",
    1416: "not a geometry",
    1451: "foreign key: row is referred to",
    1452: "foreign key: no parent row",
    1526: "no partition for the value",
    1644: "refused by a trigger",
    1690: "number out of range",
    1748: "no partition for the value",
    1761: "unique key taken in a referring table",
    1762: "unique key taken in a referring table",
    3140: "not JSON",
    3141: "not JSON",
    3819: "check constraint",
    3988: "characters not allowed",
    4025: "check constraint",
}
_FATAL: dict[int, tuple[str, Refusal]] = {
    1044: ("no right on the database", _NO_RIGHT_ON_DATABASE),
    1045: ("login refused", _LOGIN),
    1049: ("database missing", _DATABASE_MISSING),
    1054: ("column missing", _COLUMN_GONE),
    1064: ("syntax", _SYNTAX),
    1109: ("table missing", _TABLE_GONE),
    1129: ("host blocked", _HOST),
    1130: ("host not allowed", _HOST),
    1142: ("no right on a table", _NO_RIGHT_ON_TABLE),
    1143: ("no right on a column", _NO_RIGHT_ON_COLUMN),
    1146: ("table missing", _TABLE_GONE),
    1149: ("syntax", _SYNTAX),
    1194: ("table damaged", _CRASHED),
    1195: ("table damaged", _CRASHED),
    1227: ("right missing", _NO_RIGHT_FOR_THIS),
    1251: ("login method unknown", _LOGIN_METHOD),
    1267: ("collations differ", _COLLATIONS),
    1271: ("collations differ", _COLLATIONS),
    1288: ("view cannot be written", _NOT_WRITABLE),
    1305: ("function missing", _SYNTAX),
    1348: ("column cannot be written", _NOT_WRITABLE),
    1356: ("view broken", _BROKEN_VIEW),
    1370: ("no right on a routine", _NO_RIGHT_FOR_THIS),
    1393: ("view cannot be written", _NOT_WRITABLE),
    1394: ("view cannot be written", _NOT_WRITABLE),
    1442: ("trigger writes its own table", _BROKEN_VIEW),
    1449: ("definer missing", _BROKEN_VIEW),
    1471: ("view cannot be written", _NOT_WRITABLE),
    1598: ("binary log by statement", BY_STATEMENT),
    1665: ("binary log by statement", BY_STATEMENT),
    1698: ("login refused", _LOGIN),
    1820: ("password expired", _ACCOUNT),
    1862: ("password expired", _ACCOUNT),
    1906: ("column cannot be written", _NOT_WRITABLE),
    2026: ("encryption", _TLS_ASKED),
    2059: ("login method unknown", _LOGIN_METHOD),
    2061: ("login method unknown", _LOGIN_METHOD),
    3105: ("column cannot be written", _NOT_WRITABLE),
    3118: ("account locked", _ACCOUNT),
    3159: ("encryption", _TLS_ASKED),
    4151: ("account locked", _ACCOUNT),
}

MEANINGS: dict[int, Meaning] = (
    {number: Meaning(name, Fault.AGAIN) for number, name in _AGAIN.items()}
    | {number: Meaning(name, Fault.LATER, refusal) for number, (name, refusal) in _LATER.items()}
    | {number: Meaning(name, Fault.DUPLICATE) for number, name in _DUPLICATE.items()}
    | {number: Meaning(name, Fault.DATA) for number, name in _DATA.items()}
    | {number: Meaning(name, Fault.FATAL, refusal) for number, (name, refusal) in _FATAL.items()}
)
_UNTRUSTED = Meaning("certificate not trusted", Fault.FATAL, _CERTIFICATE)
_METHOD_LIBRARY = Meaning("login method unknown", Fault.FATAL, _LOGIN_METHOD)
_UNUSABLE_SETTING = Meaning("setting of the driver", Fault.FATAL, _SETTING)
_CLOSED = Meaning("connection closed", Fault.AGAIN)
# PyMySQL keeps what went wrong below an error of connecting. The first that fits.
_CAUSES: tuple[tuple[type[BaseException], Meaning], ...] = (
    (ssl.SSLCertVerificationError, _UNTRUSTED),
    (ssl.SSLError, MEANINGS[2026]),
    (socket.gaierror, MEANINGS[2005]),
)


def fault(error: Exception) -> Fault:
    """What to do about an error; what is not in the table needs a person."""
    found = _meaning(driver_error(error))
    return found.fault if found else Fault.FATAL


def code(error: Exception) -> str:
    """Such as "1213 deadlock"; the bare number where we have no name for it."""
    orig = driver_error(error)
    number, found = _number(orig), _meaning(orig)
    if number:
        return found.labelled(number) if found else str(number)
    return found.name if found else type(orig).__name__


def refusal(error: Exception) -> Refusal | None:
    """What a person is told, where waiting alone does not end the error."""
    found = _meaning(driver_error(error))
    return found.refusal if found else None


def _meaning(orig: BaseException) -> Meaning | None:
    if is_unsendable(orig) or _is_no_number(orig):
        return UNSENDABLE
    if not _is_of_server(orig):
        return _before_connecting(orig)
    below = getattr(orig, "original_exception", None)
    by_cause = next((meaning for kind, meaning in _CAUSES if isinstance(below, kind)), None)
    if by_cause is not None:
        return by_cause
    number = _number(orig)
    if number == 0 and "InterfaceError" in class_names(orig):
        return _CLOSED
    return MEANINGS.get(number)


def _is_of_server(orig: BaseException) -> bool:
    return "MySQLError" in class_names(orig)


def _before_connecting(orig: BaseException) -> Meaning | None:
    # What PyMySQL lets through of others' errors.
    if isinstance(orig, RuntimeError) and "cryptography" in str(orig):
        return _METHOD_LIBRARY
    is_setting = isinstance(orig, FileNotFoundError) or "unexpected keyword argument" in str(orig)
    return _UNUSABLE_SETTING if is_setting else None


def _is_no_number(orig: BaseException) -> bool:
    # PyMySQL writes literals itself and has none for these.
    return "ProgrammingError" in class_names(orig) and orig.args in {
        (f"{value} can not be used with MySQL",) for value in ("nan", "inf", "-inf")
    }


def _number(orig: BaseException) -> int:
    first = orig.args[0] if orig.args and _is_of_server(orig) else 0
    return first if isinstance(first, int) else 0
