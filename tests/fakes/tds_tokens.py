"""The part of Tabular Data Stream 7.4, SQL Server's protocol, that a fake server speaks: packets and tokens.

Numbers and layouts are those of Microsoft's open specification [MS-TDS], whose names stand in the comments.
"""

import struct
from dataclasses import dataclass

SQL_BATCH, RPC, RESPONSE, ATTENTION, TRANSACTION, LOGIN7, PRELOGIN = 1, 3, 4, 6, 14, 16, 18
END_OF_MESSAGE = 1
NO_ENCRYPTION, ENCRYPTION = 2, 1

_HEADER = struct.Struct(">BBHHBB")
HEADER_BYTES = _HEADER.size
_PAYLOAD_BYTES = 4096 - HEADER_BYTES

_COLLATION = bytes.fromhex("0904d00034")  # Latin1_General_CI_AS
_MORE, _ERROR, _COUNT, _ATTENTION = 0x0001, 0x0002, 0x0010, 0x0020
_CALLS_THAT_GIVE_A_HANDLE = {11, 13}  # sp_prepare, sp_prepexec
_BY_NUMBER = 0xFFFF
# LOGIN7: OptionFlags3, and where ibExtension stands.
_OPTION_FLAGS_3, _HAS_EXTENSION, _EXTENSION = 27, 0x10, 56
_FEDAUTH, _SECURITY_TOKEN, _LAST_FEATURE = 2, 1, 0xFF


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error as the server tells it; ``severity`` is the class, 20 and more end the connection."""

    number: int
    message: str = "The server's own words."
    severity: int = 16
    state: int = 1


@dataclass(frozen=True, slots=True)
class Remark:
    """A message that is no error, such as 3621, "The statement has been terminated."."""

    number: int
    message: str


def packets(kind: int, payload: bytes) -> bytes:
    """One message, cut into packets."""
    parts = [payload[at : at + _PAYLOAD_BYTES] for at in range(0, len(payload), _PAYLOAD_BYTES)] or [b""]
    return b"".join(
        _HEADER.pack(kind, END_OF_MESSAGE if at == len(parts) else 0, HEADER_BYTES + len(part), 51, at % 256, 0) + part
        for at, part in enumerate(parts, start=1)
    )


def packet_head(header: bytes) -> tuple[int, bool, int]:
    """Kind, whether the message ends here, and how many bytes follow."""
    kind, status, length, *_ = _HEADER.unpack(header)
    return kind, bool(status & END_OF_MESSAGE), length - HEADER_BYTES


def prelogin(encryption: int) -> bytes:
    """PRELOGIN: version, encryption, instance, MARS off."""
    values = [(0, bytes.fromhex("100003e80000")), (1, bytes([encryption])), (2, b"\0"), (4, b"\0")]
    offset = 5 * len(values) + 1
    head, body = b"", b""
    for token, value in values:
        head += struct.pack(">BHH", token, offset + len(body), len(value))
        body += value
    return head + b"\xff" + body


def tokens_of_entra(login: bytes) -> list[str]:
    """The token in LOGIN7's extension FEDAUTH (library 1, security token); none where a login is by password."""
    (at,) = struct.unpack_from("<H", login, _EXTENSION)
    (features,) = struct.unpack_from("<I", login, at) if login[_OPTION_FLAGS_3] & _HAS_EXTENSION else (len(login),)
    found = []
    while features < len(login) and login[features] != _LAST_FEATURE:
        feature, length = struct.unpack_from("<BI", login, features)
        data = login[features + 5 : features + 5 + length]
        if feature == _FEDAUTH and data[0] >> 1 == _SECURITY_TOKEN:
            found.append(data[5 : 5 + struct.unpack_from("<I", data, 1)[0]].decode("utf-16-le"))
        features += 5 + length
    return found


def logged_in() -> bytes:
    """ENVCHANGE of database, collation and packet size, LOGINACK, DONE."""
    name = "Microsoft SQL Server"
    acknowledged = b"\x01" + bytes.fromhex("74000004") + _short(name) + bytes.fromhex("100003e8")
    return (
        _changed(1, _short("app") + _short("master"))
        + _changed(7, bytes([len(_COLLATION)]) + _COLLATION + b"\0")
        + _token(0xAD, acknowledged)
        + _changed(4, _short("4096") + _short("4096"))
        + done()
    )


def one_value(value: int | str) -> bytes:
    """COLMETADATA and ROW of one column."""
    if isinstance(value, int):
        kind, cell = b"\x26\x04", b"\x04" + struct.pack("<i", value)
    else:
        # Halves of characters too: a real server gives them as they stand.
        raw = value.encode("utf-16-le", "surrogatepass")
        kind, cell = b"\xe7" + struct.pack("<H", 8000) + _COLLATION, struct.pack("<H", len(raw)) + raw
    return b"\x81" + struct.pack("<HIH", 1, 0, 1) + kind + _short("value") + b"\xd1" + cell


def message(told: ServerError | Remark) -> bytes:
    """ERROR or INFO."""
    state, severity = (told.state, told.severity) if isinstance(told, ServerError) else (0, 0)
    words = told.message.encode("utf-16-le")
    body = struct.pack("<iBBH", told.number, state, severity, len(told.message)) + words
    return _token(
        0xAA if isinstance(told, ServerError) else 0xAB, body + _short("fake") + _short("") + struct.pack("<I", 1)
    )


def done(*, error: bool = False, rows: int = 0, attention: bool = False) -> bytes:
    """DONE, the end of a batch."""
    status = (_ERROR if error else 0) | (_COUNT if rows else 0) | (_ATTENTION if attention else 0)
    return struct.pack("<BHHQ", 0xFD, status, 0xC1, rows)


def call_done(payload: bytes, *, error: bool, rows: int) -> bytes:
    """DONEINPROC, RETURNSTATUS, the handle where one was asked for, DONEPROC: the end of a call."""
    status = _MORE | (_ERROR if error else 0) | (_COUNT if rows else 0)
    inner = struct.pack("<BHHQ", 0xFF, status, 0xC1, rows) + struct.pack("<Bi", 0x79, 0)
    handle = _handle() if _called(payload) in _CALLS_THAT_GIVE_A_HANDLE and not error else b""
    return inner + handle + struct.pack("<BHHQ", 0xFE, _ERROR if error else 0, 0xE0, 0)


def began() -> bytes:
    """ENVCHANGE of a transaction's begin, DONE."""
    return _changed(8, b"\x08" + bytes(range(1, 9)) + b"\0") + done()


def _called(payload: bytes) -> int:
    headers = int(struct.unpack_from("<I", payload)[0])
    by_number, procedure = struct.unpack_from("<HH", payload, headers)
    return int(procedure) if by_number == _BY_NUMBER else 0


def _handle() -> bytes:
    # RETURNVALUE: an int by the name of nobody.
    return struct.pack("<BHBBIH", 0xAC, 0, 0, 1, 0, 0) + b"\x26\x04\x04" + struct.pack("<i", 1)


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")


def _changed(kind: int, values: bytes) -> bytes:
    return _token(0xE3, bytes([kind]) + values)


def _token(kind: int, body: bytes) -> bytes:
    return struct.pack("<BH", kind, len(body)) + body
