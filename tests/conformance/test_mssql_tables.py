"""Tables of SQL Server of every shape, each worked on from its config to its last row by the runtime login."""

import decimal
import uuid
from typing import Any

from tests.conformance.mssql_lane import Lane, a_task, said

REST = "body NVARCHAR(MAX), a NVARCHAR(50), done DATETIME2(3)"
ODD_TEXTS = (
    "O'Brien", "two\nlines", 'say "so"', "a]b", "\u0131 \u0130 i I", "😀 漢", "50% [x]_ :y ?", "tab\there", "x" * 40,
)  # fmt: skip
GUIDS = [str(uuid.UUID(int=at << 100 | at)) for at in range(5)]
DECIMALS = [decimal.Decimal(text) for text in ("-1.5", "0", "12345678901234.000001")]
LARGEST = decimal.Decimal(10**38 - 1)
# More digits than Python's own arithmetic keeps, and of as many lengths as there are numbers.
NUMBERS = [LARGEST.copy_negate(), decimal.Decimal(0), decimal.Decimal(7), decimal.Decimal(2**63), LARGEST]
# A table's key columns, what makes rows of it one row each, and the keys.
KEYS: dict[str, tuple[str, str, list[tuple[Any, ...]]]] = {
    "int": ("Id INT IDENTITY(-1, 1)", "PRIMARY KEY (Id)", [(None,)] * 3),
    "bigint": ("Id BIGINT NOT NULL", "PRIMARY KEY (Id)", [(-(2**63),), (0,), (2**63 - 1,)]),
    "smallint": ("Id SMALLINT NOT NULL", "PRIMARY KEY (Id)", [(-32768,), (32767,)]),
    "tinyint": ("Id TINYINT NOT NULL", "PRIMARY KEY (Id)", [(0,), (255,)]),
    "guid": ("Id UNIQUEIDENTIFIER NOT NULL", "PRIMARY KEY (Id)", [(text,) for text in GUIDS]),
    "nvarchar": ("Id NVARCHAR(100) NOT NULL", "PRIMARY KEY (Id)", [(text,) for text in ODD_TEXTS]),
    "bin2": (
        "Id NVARCHAR(100) COLLATE Latin1_General_100_BIN2 NOT NULL",
        "PRIMARY KEY (Id)",
        [(text,) for text in (*ODD_TEXTS, "case", "Case", "CASE")],
    ),
    "sensitive": (
        "Id NVARCHAR(100) COLLATE Latin1_General_CS_AS NOT NULL",
        "PRIMARY KEY (Id)",
        [(text,) for text in (*ODD_TEXTS, "case", "Case", "CASE")],
    ),
    "varchar": ("Id VARCHAR(40) NOT NULL", "PRIMARY KEY (Id)", [("plain",), ("O'Brien",), ("é",), ("two\nlines",)]),
    "char": ("Id CHAR(8) NOT NULL", "PRIMARY KEY (Id)", [("ab",), ("a b",), ("12345678",)]),
    "nchar": ("Id NCHAR(8) NOT NULL", "PRIMARY KEY (Id)", [("ab",), ("漢",), ("a  b",)]),
    "decimal": ("Id DECIMAL(20, 6) NOT NULL", "PRIMARY KEY (Id)", [(number,) for number in DECIMALS]),
    "numeric": ("Id NUMERIC(38, 0) NOT NULL", "PRIMARY KEY (Id)", [(number,) for number in NUMBERS]),
    "date": ("Id DATE NOT NULL", "PRIMARY KEY (Id)", [("0001-01-01",), ("2026-02-03",), ("9999-12-31",)]),
    "varbinary": ("Id VARBINARY(20) NOT NULL", "PRIMARY KEY (Id)", [(b"\x00\xff",), (b"a'b",), (b"\x00",)]),
    "binary": ("Id BINARY(4) NOT NULL", "PRIMARY KEY (Id)", [(b"\x00\x00\x00\x01",), (b"abcd",)]),
    "pair": (
        "Id INT NOT NULL, Part NVARCHAR(50) NOT NULL",
        "PRIMARY KEY (Id, Part)",
        [(one, text) for one in (1, 2) for text in ("a", "b]'c", "ü")],
    ),
    "guid_date": (
        "Id UNIQUEIDENTIFIER NOT NULL, Part DATE NOT NULL",
        "PRIMARY KEY (Id, Part)",
        [(str(uuid.UUID(int=one)), f"2026-02-{day:02}") for one in (1, 2) for day in (3, 13)],
    ),
    "mixed": (
        "n NVARCHAR(40), i INT, g UNIQUEIDENTIFIER, d DATE, m DECIMAL(18, 2), b VARBINARY(8), v VARCHAR(20)",
        "CONSTRAINT uq_mixed UNIQUE (n, i, g, d, m, b, v)",
        [
            (text, whole, GUIDS[1], day, amount, data, f"{text}  ")
            for text in ("Ä b", "ab", "o'x")
            for whole, day in ((-1, "2026-02-03"), (2**31 - 1, "0001-01-01"))
            for amount, data in ((DECIMALS[0], b"\x00\x01"), (decimal.Decimal("9999999999999999.99"), b"\xff"))
        ],
    ),
    "spaces": ("Id NVARCHAR(20) NOT NULL", "PRIMARY KEY (Id)", [("ab  ",), (" ab",), ("",), ("\ufeffx",)]),
    "padded": (
        "Id CHAR(6) NOT NULL, Part NCHAR(6) NOT NULL",
        "PRIMARY KEY (Id, Part)",
        [("ab", "x"), ("ab", " x"), (" ab", "x"), ("", "x"), ("abcdef", "ü漢")],
    ),
    "unique_index": ("Id INT NOT NULL, Part INT NOT NULL", "CONSTRAINT uq UNIQUE (Id, Part)", [(1, 1), (1, 2), (2, 1)]),
    "heap": ("Id INT NOT NULL", "CHECK (Id > 0)", [(1,), (2,), (3,)]),
    "nullable": ("Id INT NULL UNIQUE", "CHECK (Id > 0)", [(1,), (2,)]),
    "clustered_elsewhere": (
        "Id INT NOT NULL PRIMARY KEY NONCLUSTERED, Sorted INT NOT NULL DEFAULT 5",
        "CONSTRAINT ix UNIQUE CLUSTERED (Sorted, Id)",
        [(3,), (1,), (2,)],
    ),
}  # fmt: skip

PAIR = ("Id", "Part")
# Of those that are not of Id alone.
COLUMNS = dict.fromkeys(("pair", "guid_date", "unique_index", "padded"), PAIR) | {"mixed": tuple("nigdmbv")}


def test_keys_of_every_type(lane: Lane) -> None:
    """Each row gets its own answer, whatever its key is made of."""
    for name, (columns, unique, keys) in KEYS.items():
        lane.execute(f"CREATE TABLE dbo.{name}_ ({columns}, {REST}, {unique})")
        for at, key in enumerate(keys):
            given = [part for part in key if part is not None]
            names = [*COLUMNS.get(name, ("Id",))[: len(given)], "body"]
            lane.execute(
                f"INSERT INTO dbo.{name}_ ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                *given,
                said(f"{name} {at}"),
            )

    lane.work("\n".join(a_task(name, f"{name}_", key=COLUMNS.get(name, ("Id",)), a="string") for name in KEYS))

    wrong = {
        name: lane.execute(
            f"SELECT body, a FROM dbo.{name}_ "
            "WHERE done IS NULL OR a IS NULL OR body <> CONCAT(N'{\"f0\": \"', a, N'\"}')"
        )
        for name in KEYS
    }
    assert {} == {name: rows for name, rows in wrong.items() if rows}, lane.reasons()
    assert {"applied": sum(len(keys) for *_, keys in KEYS.values())} == lane.outcomes()
    assert [] == lane.findings()
    assert lane.verify().is_sound
