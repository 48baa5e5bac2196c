"""What SQL Server's and Azure SQL's error numbers mean, and what ODBC's SQLSTATEs do where there is no number."""

from batchd.store.dialects import mssql_refusals as tell
from batchd.store.dialects.base import Fault, Refusal
from batchd.store.dialects.native_errors import Meaning

_AGAIN = {
    596: "session killed",
    601: "rows moved while reading",
    1205: "deadlock",
    1222: "lock wait timeout",
    3902: "transaction ended behind our back",
    3903: "transaction ended behind our back",
    3960: "snapshot conflict",
    3961: "table was altered meanwhile",
    13535: "others' later change of a temporal row",
    41301: "conflict in memory-optimized tables",
    41302: "conflict in memory-optimized tables",
    41305: "conflict in memory-optimized tables",
    41325: "conflict in memory-optimized tables",
    41839: "conflict in memory-optimized tables",
}
_LATER: dict[int, tuple[str, Refusal | None]] = {
    # The server is short of something, or on its way up or down.
    615: ("database not to be found now", tell.OFFLINE),
    701: ("server out of memory", None),
    802: ("server out of memory", None),
    904: ("database starting or shutting down", None),
    921: ("database not recovered yet", None),
    922: ("database in recovery", None),
    923: ("database restricted", tell.OFFLINE),
    924: ("database in single-user mode", tell.OFFLINE),
    926: ("database suspect", tell.OFFLINE),
    927: ("database being restored", tell.OFFLINE),
    942: ("database offline", tell.OFFLINE),
    945: ("database files not accessible", tell.OFFLINE),
    952: ("database in transition", None),
    954: ("database is a mirror", tell.READ_ONLY),
    955: ("database mirroring without quorum", tell.OFFLINE),
    956: ("database mirroring not in step", None),
    976: ("replica not accessible", tell.READ_ONLY),
    978: ("replica is read-only", tell.READ_ONLY),
    979: ("replica is read-only", tell.READ_ONLY),
    983: ("replica in transition", None),
    1101: ("filegroup full", tell.FULL),
    1105: ("filegroup full", tell.FULL),
    1204: ("no lock memory", None),
    3906: ("database is read-only", tell.READ_ONLY),
    3967: ("tempdb full", tell.FULL),
    4060: ("database missing or not to be opened", tell.DATABASE_MISSING),
    4221: ("replica not ready for the login", None),
    6005: ("server shutting down", None),
    8628: ("time-out planning the statement", None),
    8645: ("time-out waiting for memory", None),
    8651: ("server out of memory", None),
    9002: ("transaction log full", tell.FULL),
    17142: ("server paused", tell.PAUSED),
    17187: ("server starting", None),
    17188: ("server shutting down", None),
    17189: ("server cannot start a thread", None),
    17197: ("login timed out", None),
    17809: ("too many connections", tell.TOO_MANY),
    18401: ("server being upgraded", tell.ADMINISTRATORS),
    18451: ("only administrators", tell.ADMINISTRATORS),
    18461: ("server in single-user mode", tell.ADMINISTRATORS),
    # Azure SQL.
    10928: ("limit of the database reached", tell.TOO_MANY),
    10929: ("server busy", None),
    10936: ("limit of the elastic pool reached", tell.TOO_MANY),
    40143: ("service error", None),
    40197: ("service error", None),
    40501: ("service busy", None),
    40540: ("service error", None),
    40544: ("quota reached", tell.FULL),
    40549: ("transaction too long", tell.HEAVY),
    40550: ("too many locks", tell.HEAVY),
    40551: ("too much tempdb", tell.HEAVY),
    40552: ("too much log", tell.HEAVY),
    40553: ("too much memory", tell.HEAVY),
    40613: ("database not available", None),
    40642: ("server busy", None),
    40675: ("service busy", None),
    49918: ("not enough resources", None),
    49919: ("too many operations", None),
    49920: ("too many operations", None),
}
_DUPLICATE = {2601: "unique key taken", 2627: "unique key taken"}
_DATA = {
    220: "number out of range",
    232: "number out of range",
    234: "not money",
    235: "not money",
    241: "not a time",
    242: "time out of range",
    244: "number out of range",
    245: "value does not fit the type",
    248: "number out of range",
    293: "not money",
    294: "not money",
    295: "not a time",
    296: "time out of range",
    511: "row too large",
    515: "NULL not allowed",
    517: "time out of range",
    547: "check constraint or foreign key",
    550: "check option of the view",
    1946: "index key too long",
    2628: "value too long",
    3609: "refused by a trigger",
    3616: "refused by a trigger",
    3623: "number out of range",
    6522: "refused by a CLR type",
    7119: "value too long",
    7139: "value too long for replication",
    8016: "value does not fit the type",
    8023: "value does not fit the type",
    8114: "value does not fit the type",
    8115: "number out of range",
    8134: "division by zero",
    8152: "value too long",
    8169: "not a uniqueidentifier",
    9803: "value does not fit the type",
    13609: "not JSON",
    33504: "refused by row-level security",
}
_FATAL: dict[int, tuple[str, Refusal]] = {
    102: ("syntax", tell.SYNTAX),
    105: ("syntax", tell.SYNTAX),
    156: ("syntax", tell.SYNTAX),
    195: ("function missing", tell.SYNTAX),
    206: ("types differ", tell.TYPES),
    207: ("column missing", tell.COLUMN_GONE),
    208: ("table missing", tell.TABLE_GONE),
    209: ("column ambiguous", tell.SYNTAX),
    229: ("no right on an object", tell.NO_RIGHT_ON_TABLE),
    230: ("no right on a column", tell.NO_RIGHT_ON_COLUMN),
    257: ("types differ", tell.TYPES),
    262: ("right missing", tell.NO_RIGHT_FOR_THIS),
    271: ("column cannot be written", tell.NOT_WRITABLE),
    272: ("column cannot be written", tell.NOT_WRITABLE),
    273: ("column cannot be written", tell.NOT_WRITABLE),
    297: ("right missing", tell.NO_RIGHT_FOR_THIS),
    300: ("right missing", tell.NO_RIGHT_FOR_THIS),
    402: ("types differ", tell.TYPES),
    414: ("view cannot be written", tell.NOT_WRITABLE),
    468: ("collations differ", tell.COLLATIONS),
    529: ("types differ", tell.TYPES),
    544: ("column cannot be written", tell.NOT_WRITABLE),
    911: ("database missing", tell.DATABASE_MISSING),
    916: ("login not in the database", tell.DATABASE_MISSING),
    1088: ("table missing", tell.TABLE_GONE),
    1934: ("session settings", tell.SESSION_SETTINGS),
    2760: ("schema missing", tell.SCHEMA_GONE),
    4064: ("default database missing", tell.DEFAULT_DATABASE),
    4104: ("column missing", tell.COLUMN_GONE),
    4145: ("syntax", tell.SYNTAX),
    4405: ("view cannot be written", tell.NOT_WRITABLE),
    4406: ("view cannot be written", tell.NOT_WRITABLE),
    8102: ("column cannot be written", tell.NOT_WRITABLE),
    8623: ("statement too complex", tell.TOO_COMPLEX),
    13537: ("column cannot be written", tell.NOT_WRITABLE),
    15151: ("object missing or right missing", tell.NO_RIGHT_FOR_THIS),
    15247: ("right missing", tell.NO_RIGHT_FOR_THIS),
    18452: ("login from an untrusted domain", tell.TRUSTED),
    18456: ("login refused", tell.LOGIN),
    18470: ("login disabled", tell.ACCOUNT),
    18486: ("login locked out", tell.ACCOUNT),
    18487: ("password expired", tell.ACCOUNT),
    18488: ("password must be changed", tell.ACCOUNT),
    33299: ("column encrypted", tell.ENCRYPTED_COLUMN),
    40531: ("server name", tell.SERVER_NAME),
    40532: ("server name", tell.SERVER_NAME),
    40615: ("kept out by the firewall", tell.FIREWALL),
    40914: ("kept out by the firewall", tell.FIREWALL),
    47073: ("kept out by the firewall", tell.FIREWALL),
}

MEANINGS: dict[int, Meaning] = (
    {number: Meaning(name, Fault.AGAIN) for number, name in _AGAIN.items()}
    | {number: Meaning(name, Fault.LATER, refusal) for number, (name, refusal) in _LATER.items()}
    | {number: Meaning(name, Fault.DUPLICATE) for number, name in _DUPLICATE.items()}
    | {number: Meaning(name, Fault.DATA) for number, name in _DATA.items()}
    | {number: Meaning(name, Fault.FATAL, refusal) for number, (name, refusal) in _FATAL.items()}
)
# Numbers of XML's own errors: malformed text, and what a column's XML schema refuses.
XML_NUMBERS: dict[int, Meaning] = dict.fromkeys(
    [*range(6901, 6968), *range(9400, 9460)], Meaning("XML refused", Fault.DATA)
)
# From here on they are the users': raised by triggers of their tables.
USER_NUMBERS_FROM = 50000
TRIGGERED = Meaning("refused by a trigger", Fault.DATA)
LOST = Meaning("connection lost", Fault.AGAIN)
UNREACHABLE = Meaning("server not reachable", Fault.LATER, tell.DOWN)
_REACHED_NOTHING = Meaning("connection not made", Fault.LATER, tell.FREETDS)
# FreeTDS's own numbers, which stand where the server's would.
DRIVER_NUMBERS: dict[int, Meaning] = {
    20003: Meaning("time-out", Fault.AGAIN),
    20004: LOST,
    20006: LOST,
    20009: UNREACHABLE,
    20017: LOST,
    20047: LOST,
}
# Where there is no number.
STATES: dict[str, Meaning] = {
    "40001": Meaning("deadlock", Fault.AGAIN),
    "HY008": Meaning("statement cancelled", Fault.AGAIN),
    "HY104": Meaning("number out of range", Fault.DATA),
    "HYT00": Meaning("time-out", Fault.AGAIN),
    "HYT01": Meaning("connection timed out", Fault.AGAIN),
    "IMC01": LOST,
    "IMC02": LOST,
    "IMC03": LOST,
    "IMC04": LOST,
    "IMC05": LOST,
    "IMC06": LOST,
}
STATE_CLASSES: dict[str, Meaning] = {
    "08": LOST,
    "22": Meaning("value refused by the driver", Fault.DATA),
    "23": Meaning("constraint", Fault.DATA),
    "25": Meaning("state of the transaction unknown", Fault.AGAIN),
    "40": Meaning("transaction rolled back", Fault.AGAIN),
    "FA": Meaning("Entra ID", Fault.FATAL, tell.ENTRA),
}
# What the driver says of a connection that it did not make, by words of its own. The first that fits.
CONNECTING: dict[str, Meaning] = {
    "certificate verify failed": Meaning("certificate not trusted", Fault.FATAL, tell.CERTIFICATE),
    "SSL routines": Meaning("encryption", Fault.FATAL, tell.TLS),
    "Encryption not supported": Meaning("encryption", Fault.FATAL, tell.TLS),
    "SSPI": Meaning("Kerberos", Fault.FATAL, tell.KERBEROS),
    "Failed to authenticate the user": Meaning("Entra ID", Fault.FATAL, tell.ENTRA),
    "AADSTS": Meaning("Entra ID", Fault.FATAL, tell.ENTRA),
    "connection string attribute": Meaning("setting of the driver", Fault.FATAL, tell.SETTING),
    "[FreeTDS][SQL Server]Unable to connect to data source": _REACHED_NOTHING,
}
ENTRA = CONNECTING["AADSTS"]
