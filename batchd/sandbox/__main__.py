"""``python -m batchd.sandbox``: one sandbox server on a port of its own."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from batchd.sandbox.settings import DEFAULT_API_KEY, SandboxSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped; return the exit code."""
    settings = _settings(_parser().parse_args(arguments))
    from batchd.sandbox.server import AlreadyServedError, serve  # noqa: PLC0415, --help needs no server

    try:
        serve(settings)
    except (AlreadyServedError, ValueError, OSError) as error:
        print(f"sandbox: {error}", file=sys.stderr)  # noqa: T201, a command's own words
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m batchd.sandbox", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="SQLite file that keeps everything")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--batch-duration", type=float, default=5.0, help="seconds from creation to completion")
    parser.add_argument("--api-key", default=DEFAULT_API_KEY, help="the key that callers must send")
    parser.add_argument("--token-limit", type=int, help="prompt tokens enqueued per model")
    parser.add_argument("--faults", type=Path, help="JSON file as for PUT /_sandbox/faults")
    parser.add_argument("--upstream", help="answer lines by this OpenAI-compatible server")
    parser.add_argument("--upstream-key-env", help="environment variable that holds its key")
    parser.add_argument("--flavour", choices=("openai", "azure"), default="openai", help="whose Batch API it imitates")
    parser.add_argument(
        "--deployment", type=_deployment, action="append", default=[], help="azure: NAME=MODEL; repeatable"
    )
    parser.add_argument("--file-processing", type=float, default=1.0, help="azure: seconds a file stays pending")
    parser.add_argument("--until-unused", type=Path, help="end when nobody holds a shared lock on this file")
    return parser


def _deployment(text: str) -> tuple[str, str]:
    name, _, model = text.partition("=")
    if not (name and model):
        raise argparse.ArgumentTypeError("expects NAME=MODEL")
    return name, model


def _settings(options: argparse.Namespace) -> SandboxSettings:
    given = vars(options)
    deployments = dict(given.pop("deployment"))
    return SandboxSettings(**given, deployments=deployments)


if __name__ == "__main__":
    sys.exit(main())
