"""The ways to tell people of a finding: a POST to a URL, or a command. Only this module calls out for that."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence

from batchd import __version__
from batchd.core.notices import Notice
from batchd.ports import UntoldError

# What a command needs to run at all. Everything else stays here: keys and passwords are kept in the environment.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
_PREFIX = "BATCHD_FINDING_"
# How long the end of a command that was killed is waited for, in seconds.
_LAST_SECONDS = 5.0


class Webhook:
    """POSTs a finding as JSON.

    Args:
        url: a secret, for whoever has it may post there.
        timeout: seconds that connecting, and each answer, may take.
        origin: where the finding is from, told with it: texts by name.
    """

    def __init__(self, url: str, timeout: float, origin: Mapping[str, str]) -> None:
        self._url = url
        self._timeout = timeout
        self._origin = origin
        self._opener = _opener()

    def tell(self, notice: Notice) -> None:
        """Posts it once; any answer but 2xx is a failure. Raises UntoldError."""
        headers = {"Content-Type": "application/json", "User-Agent": f"batchd/{__version__}"}
        try:
            request = urllib.request.Request(  # noqa: S310 - the config takes http and https only
                self._url, data=_document(notice, self._origin), headers=headers, method="POST"
            )
            with self._opener.open(request, timeout=self._timeout):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            # Without its cause, here and below: the library's errors quote the URL.
            raise UntoldError(f"http_{error.code}") from None
        except TimeoutError:
            raise UntoldError("timeout") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            is_late = isinstance(getattr(error, "reason", None), TimeoutError)
            raise UntoldError("timeout" if is_late else "unreachable") from None


def _opener() -> urllib.request.OpenerDirector:
    """It follows no redirect: a POST that is led on becomes a GET, which tells nobody anything."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class Command:
    """Runs a command, without a shell: the finding as JSON on its input, its facts in ``BATCHD_FINDING_…``.

    Args:
        words: the program, by its path or by a name on PATH, and its arguments.
        timeout: seconds that it may take; then it is killed, with whatever it has started.
        origin: as for the webhook.
    """

    def __init__(self, words: Sequence[str], timeout: float, origin: Mapping[str, str]) -> None:
        self._words = list(words)
        self._timeout = timeout
        self._origin = origin

    def tell(self, notice: Notice) -> None:
        """Runs it once; any end but 0 is a failure. What it prints is thrown away. Raises UntoldError."""
        facts = {name: str(value) for name, value in {**notice.facts(), **self._origin}.items()}
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        # One line each: a break in a task's name must not become a header of a mail.
        environment |= {f"{_PREFIX}{name.upper()}": " ".join(value.split()) for name, value in facts.items()}
        try:
            process = subprocess.Popen(  # noqa: S603 - the words are the config's, and no shell reads them
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise UntoldError("not_found" if isinstance(error, FileNotFoundError) else "not_started") from None
        self._wait(process, _document(notice, self._origin))

    def _wait(self, process: "subprocess.Popen[bytes]", document: bytes) -> None:
        try:
            process.communicate(document, timeout=self._timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise UntoldError("timeout") from None
        if process.returncode < 0:
            raise UntoldError(f"signal_{-process.returncode}")
        if process.returncode:
            raise UntoldError(f"exit_{process.returncode}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kills it, with whatever it has started; one that is another user's by now, as with sudo, is left to itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_LAST_SECONDS)


def _document(notice: Notice, origin: Mapping[str, str]) -> bytes:
    # A path may have bytes that are no UTF-8: it is told as well as it can be.
    return json.dumps({**notice.facts(), **origin}, ensure_ascii=False).encode(errors="replace")
