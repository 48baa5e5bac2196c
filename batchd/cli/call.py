"""One call of a command: its common options, and how it ends, whatever happens."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from batchd.cli import exit_codes
from batchd.cli.lines import carry_config, complain
from batchd.errors import BatchdError

if TYPE_CHECKING:
    from batchd.config import Config

_DEBUG = "BATCHD_DEBUG"
# Where an error doesn't say itself what to do.
_NEXT = {
    exit_codes.USAGE: "batchd --help",
    exit_codes.CONFIG: "mend the config, then: batchd check-config",
    exit_codes.DATABASE: "batchd check-config",
    exit_codes.VENDOR_AUTH: "mend the key that api_key refers to, then run the same command again",
    exit_codes.VENDOR_UNREACHABLE: "run the same command again",
    exit_codes.LEASE: "wait for the other batchd, or run the same command again",
}


@dataclass(frozen=True, slots=True)
class Call:
    """What a person asked for with the options that every command has."""

    config_file: Path | None = None
    task: str | None = None
    as_json: bool = False
    verbose: bool = False

    def config(self) -> "Config":
        """Finds and loads the config. Raises ConfigError."""
        from batchd.app.workplace import read_config

        return read_config(self.config_file, os.environ, Path.cwd())

    @property
    def is_watched(self) -> bool:
        """True where a person sits at a terminal, and did not ask for logs instead of progress."""
        return sys.stderr.isatty() and not self.verbose and not self.as_json


def call_of(
    ctx: typer.Context,
    config_file: Path | None = None,
    task: str | None = None,
    as_json: bool = False,
    verbose: bool = False,
) -> Call:
    """The options behind the command's name, and those before it where they were not given again."""
    before = ctx.obj if isinstance(ctx.obj, Call) else Call()
    return Call(
        config_file or before.config_file,
        task or before.task,
        as_json or before.as_json,
        verbose or before.verbose,
    )


def conduct(call: Call, command: Callable[[Call], int]) -> NoReturn:
    """Runs a command and ends the process's work with its exit code; every error becomes a sentence."""
    carry_config(call.config_file)
    raise typer.Exit(_code_of(call, command))


def _code_of(call: Call, command: Callable[[Call], int]) -> int:
    try:
        return command(call)
    except BatchdError as error:
        report(error, as_json=call.as_json)
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted")
        if threading.active_count() > 1:
            # The interpreter would wait for a worker that may wait for the vendor; the next start mends what it had.
            with contextlib.suppress(OSError):
                sys.stdout.flush()
            os._exit(exit_codes.INTERRUPTED)
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        tell_nobody()
        return exit_codes.DONE
    except Exception as error:  # noqa: BLE001 - the last border
        report(_internal(error), as_json=call.as_json)
        return exit_codes.INTERNAL


def tell_nobody() -> None:
    """Whoever read our output has seen enough; nothing more can be said to them."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def report(error: BatchdError, *, as_json: bool) -> None:
    """Says what is wrong and what to do: in words on stderr, with ``--json`` also as a document on stdout."""
    complain(f"error: {error}")
    complain(f"next: {_next_of(error)}")
    if as_json:
        from batchd.cli.out import print_json

        print_json({"error": error_document(error)})


def error_document(error: BatchdError) -> dict[str, object]:
    """An error as ``--json`` shows it."""
    from batchd.redaction import redacted

    return {
        "kind": type(error).__name__,
        "message": redacted(error.message),
        "where": getattr(error, "where", ""),
        "next_command": _next_of(error),
        "exit_code": error.exit_code,
    }


def _next_of(error: BatchdError) -> str:
    return error.next_command or _NEXT.get(error.exit_code, "batchd status")


def _internal(error: Exception) -> BatchdError:
    from batchd.redaction import place_of, traceback_of

    if os.environ.get(_DEBUG) == "1":
        complain(traceback_of(error))
    # Its own words may quote row content or a secret, so only its kind and place are told.
    return BatchdError(
        f"internal error: {type(error).__name__} at {place_of(error)}; the work in hand was rolled back",
        next_command=f"run the same command again; {_DEBUG}=1 shows the traceback",
    )
