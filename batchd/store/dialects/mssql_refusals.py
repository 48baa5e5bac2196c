"""What a person is told of SQL Server's errors, where waiting alone does not end them."""

import importlib

from batchd.store.dialects.base import Refusal

LOGIN = Refusal(
    "the server refused the login",
    "check user and password of [database]; the server's error log tells the DBA why, by the state in it; an identity "
    "of Entra ID needs CREATE USER [name] FROM EXTERNAL PROVIDER in the database",
)
TRUSTED = Refusal(
    "the server does not trust the account of this machine",
    "use an SQL login, or a Kerberos ticket of a domain that the server trusts",
)
ACCOUNT = Refusal(
    "the server keeps this account out: it is disabled, locked out, or its password has expired", "ask the DBA"
)
DATABASE_MISSING = Refusal(
    "there is no such database on the server, or the login may not open it",
    "check the name at the end of database.url; ask the DBA for CREATE USER ... FOR LOGIN in that database",
)
DEFAULT_DATABASE = Refusal(
    "the login's default database cannot be opened", "name the database at the end of database.url"
)
SERVER_NAME = Refusal(
    "there is no such server in Azure, or its name is not the first part of the host in database.url",
    "check the host in database.url: NAME.database.windows.net",
)
FIREWALL = Refusal(
    "the server's firewall does not let this machine in",
    "ask the DBA for a firewall rule or a private endpoint for this machine's address",
)
NO_RIGHT_ON_TABLE = Refusal(
    "the login lacks a right on a table, view or procedure",
    "run: batchd db grants TASK, and have a DBA run what it prints",
    lacks_right=True,
)
NO_RIGHT_ON_COLUMN = Refusal(
    "the login lacks a right on a column",
    "run: batchd db grants TASK, and have a DBA run what it prints",
    lacks_right=True,
)
NO_RIGHT_FOR_THIS = Refusal(
    "the login lacks a right beyond those on tables and columns",
    "run: batchd db grants TASK, and have a DBA run what it prints",
    lacks_right=True,
)
TABLE_GONE = Refusal("a table or view that this needs is not there", "run: batchd check-config")
COLUMN_GONE = Refusal("a column that this needs is not there", "run: batchd check-config")
SCHEMA_GONE = Refusal(
    "a schema that this needs is not there, or the login may not see it",
    "check schema of the task and database.ledger_schema, then run: batchd check-config",
)
SYNTAX = Refusal(
    "the server does not understand a statement; most often `pending` of a task is not T-SQL",
    "run: batchd check-config",
)
TYPES = Refusal(
    "a column has another type than what a task compares it with or writes into it", "run: batchd check-config"
)
COLLATIONS = Refusal(
    "a statement compares columns of different collations",
    "name the collation in the task's pending: ... COLLATE DATABASE_DEFAULT",
)
NOT_WRITABLE = Refusal(
    "a column or view that a task writes cannot be written: it is computed, generated, an identity or rowversion, "
    "or a view over several tables",
    "write to a plain column, or give the task the table behind the view",
)
ENCRYPTED_COLUMN = Refusal(
    "a column is kept by Always Encrypted, which this connection does not decrypt",
    "add ColumnEncryption=Enabled to database.url, or leave the column out of the task",
)
SESSION_SETTINGS = Refusal(
    "an index on the table, or on a view of it, asks for SET options that this connection does not have",
    "connect with Microsoft's driver, which sets them",
)
NO_ROW_LOCKS = Refusal(
    "an index of a table that a task writes allows no row locks, which batchd asks for",
    "have the DBA run: ALTER INDEX ALL ON table SET (ALLOW_ROW_LOCKS = ON)",
)
IN_MEMORY = Refusal(
    "a task's table is memory-optimized, and such a table takes neither locks nor READ COMMITTED in a transaction",
    "let answers go to a table on disk ([tasks.NAME.write]), and have the DBA run: "
    "ALTER DATABASE CURRENT SET MEMORY_OPTIMIZED_ELEVATE_TO_SNAPSHOT = ON",
)
TOO_COMPLEX = Refusal(
    "the server could not plan a statement",
    "make the task's pending simpler, or ask the DBA about the views and triggers of the table",
)
READ_ONLY = Refusal(
    "the database takes no writes: it is a secondary replica, or was set read-only",
    "check that database.url leads to the primary, or ask the DBA when writing is back",
)
OFFLINE = Refusal(
    "the database cannot be opened now: it is offline, suspect, restoring, or in single-user mode",
    "ask the DBA to bring it back, then run the same command again",
)
ADMINISTRATORS = Refusal(
    "the server lets only administrators in", "ask the DBA when its upgrade or maintenance is over"
)
PAUSED = Refusal("the SQL Server service is paused", "ask the DBA to resume it")
TOO_MANY = Refusal(
    "the server has no connection left for this login",
    "ask the DBA to raise the limit (Azure: a larger service objective), or run fewer daemons",
)
FULL = Refusal(
    "the database, its transaction log or tempdb is full, or has reached its quota",
    "ask the DBA to make room (files, log backup, quota), then run the same command again",
)
HEAVY = Refusal(
    "Azure ended the session because the transaction was too large or too long for the database",
    "make batch_size of the task smaller, or ask for a larger service objective",
)
DOWN = Refusal(
    "no server answers at the host and port of database.url",
    "start the server, or check host and port of database.url; with Entra ID the driver says the same of a wrong "
    "secret, of an Entra ID that it does not reach, and where libcurl is not installed",
)
FREETDS = Refusal(
    "no connection to the server came about; FreeTDS does not say why",
    "check host, port, user and encryption of database.url; Microsoft's driver, or TDSDUMP=/dev/stderr, tells more",
)
SETTING = Refusal(
    "the driver does not take a setting of database.url",
    "check what stands behind the ? of database.url, such as Encrypt and Authentication",
)
CERTIFICATE = Refusal(
    "the server's certificate is not trusted here, or is for another name; Driver 18 encrypts and checks by itself",
    "install the authority that signed it on this machine (Debian: into /usr/local/share/ca-certificates, then "
    "update-ca-certificates) and use the name in the certificate; on a network that nobody else can reach, "
    "TrustServerCertificate=yes in database.url gives up the check, and Encrypt=no gives up encryption too",
)
TLS = Refusal(
    "no encrypted connection came about: the server offers none, or only outdated versions of TLS",
    "ask the DBA for TLS 1.2 or later; on a network that nobody else can reach, Encrypt=no in database.url "
    "gives up encryption",
)
KERBEROS = Refusal(
    "there is no valid Kerberos ticket for the server",
    "run: kinit (a service needs a keytab and something that renews), and check the server's SPN with the DBA; "
    "klist shows what tickets there are",
)
ENTRA = Refusal(
    "Entra ID gave no token for the database",
    "check UID, Authentication and the secret of database.url, and that the identity exists as a user in the database: "
    "CREATE USER [name] FROM EXTERNAL PROVIDER",
)


def driver_missing() -> Refusal:
    """The ODBC driver that database.url names does not load; the sentence lists those that are installed."""
    # Imported only here: it needs a system library that only users of SQL Server have.
    pyodbc = importlib.import_module("pyodbc")
    installed = ", ".join(repr(name) for name in pyodbc.drivers()) or "none"
    return Refusal(
        f"the ODBC driver of database.url could not be loaded (installed: {installed})",
        "install Microsoft's ODBC Driver 18 for SQL Server, or name an installed one: ?driver=ODBC+Driver+18+for+"
        "SQL+Server",
    )
