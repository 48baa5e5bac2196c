"""SQL Server's errors, by native number. The tables are in ``mssql_numbers``; here is how the number is found.

pyodbc tells an error as ``(SQLSTATE, text)``, and the text is the driver's first record::

    [40001] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]words (1205) (SQLExecDirectW)

The words quote a row's values, which may look like anything, so a number counts only at the place where pyodbc puts
it. Of a number that Microsoft's driver made itself, such as one of the operating system, only the SQLSTATE counts.
"""

import re
from dataclasses import dataclass

from sqlalchemy import ExceptionContext

from batchd.store.dialects.base import Fault, Refusal
from batchd.store.dialects.mssql_numbers import (
    CONNECTING,
    DRIVER_NUMBERS,
    ENTRA,
    LOST,
    MEANINGS,
    STATE_CLASSES,
    STATES,
    TRIGGERED,
    UNREACHABLE,
    USER_NUMBERS_FROM,
    XML_NUMBERS,
)
from batchd.store.dialects.mssql_refusals import driver_missing
from batchd.store.dialects.native_errors import UNSENDABLE, Meaning, driver_error, is_unsendable

# To be matched to the very end: whatever a value looks like, it does not come last.
_RECORD = re.compile(r"(?P<words>.*) \((?P<number>-?\d+)\) \((?P<call>SQL[A-Za-z]+)\)", re.DOTALL)
_OF_SERVER = re.compile(r"\[[0-9A-Z]{5}\] (?:\[[^\]]*\])*\[SQL Server\]")
_STATE = re.compile(r"[0-9A-Z]{5}")
_CONNECT_CALL = "SQLDriverConnect"
# pyodbc's own word for a value; its errors of its own have no call.
_TOO_LONG_FOR_PARAMETER = re.compile(r"String data, right truncation: length \d+ buffer \d+")
# What is left of a connection that was cut while nobody used it, with FreeTDS.
_CUT = ("The driver did not supply an error!", "[HY000] [FreeTDS][SQL Server]Unknown error (0)")


@dataclass(frozen=True, slots=True)
class _Told:
    """What an error tells: SQLSTATE and text; the ODBC call and the server's number where there are such, or 0."""

    state: str
    text: str
    call: str = ""
    number: int = 0


def fault(error: Exception) -> Fault:
    """What to do about an error; what is in no table needs a person."""
    found = _meaning(driver_error(error))
    return found.fault if found else Fault.FATAL


def code(error: Exception) -> str:
    """Such as "1205 deadlock", or SQLSTATE and our name where the server gave no number."""
    orig = driver_error(error)
    told, found = _told(orig), _meaning(orig)
    label = str(told.number or told.state)
    if not label:
        return found.name if found else type(orig).__name__
    return found.labelled(label) if found else label


def refusal(error: Exception) -> Refusal | None:
    """What a person is told, where waiting alone does not end the error."""
    found = _meaning(driver_error(error))
    return found.refusal if found else None


def mark_lost(context: ExceptionContext) -> None:
    """Has the pool throw away connections that are of no more use; a listener for SQLAlchemy's "handle_error".

    It does not know by itself: what FreeTDS says of a cut connection, and that Azure closes it on many errors.
    """
    found = _meaning(context.original_exception)
    if found is not None and (found == LOST or found.fault is Fault.LATER):
        context.is_disconnect = True


def _meaning(orig: BaseException) -> Meaning | None:
    if is_unsendable(orig):
        return UNSENDABLE
    if type(orig).__module__.startswith("azure."):
        return ENTRA
    told = _told(orig)
    # No trigger of a table has a say before the login is through: of such a number only the SQLSTATE counts.
    if told.number and not (told.call == _CONNECT_CALL and told.number >= USER_NUMBERS_FROM):
        return _by_number(told.number)
    return _connecting(told) if told.call == _CONNECT_CALL else _by_state(told)


def _by_number(number: int) -> Meaning | None:
    if number >= USER_NUMBERS_FROM:
        return TRIGGERED
    return MEANINGS.get(number) or XML_NUMBERS.get(number) or DRIVER_NUMBERS.get(number)


def _connecting(told: _Told) -> Meaning | None:
    # Words count only here, where no row's value can be among them.
    if "Can't open lib" in told.text or told.state in {"IM002", "IM003", "IM004"}:
        return Meaning("ODBC driver missing", Fault.FATAL, driver_missing())
    by_words = next((meaning for words, meaning in CONNECTING.items() if words in told.text), None)
    if by_words is None and told.state[:2] in {"08", "HY"}:
        return UNREACHABLE
    return by_words or STATE_CLASSES.get(told.state[:2])


def _by_state(told: _Told) -> Meaning | None:
    if _TOO_LONG_FOR_PARAMETER.fullmatch(told.text):
        return STATE_CLASSES["22"]
    if told.text.startswith(_CUT):
        return LOST
    return STATES.get(told.state) or STATE_CLASSES.get(told.state[:2])


def _told(orig: BaseException) -> _Told:
    texts = [str(one) for one in orig.args[:2]]
    # pyodbc's own errors have the SQLSTATE last.
    state = next((one for one in texts if _STATE.fullmatch(one)), "")
    text = next((one for one in texts if one != state), "")
    record = _RECORD.fullmatch(text)
    if record is None:
        return _Told(state, text)
    number = int(record["number"]) if _OF_SERVER.match(text) else 0
    return _Told(state, text, record["call"], max(number, 0))
