"""The options that every command takes."""

from pathlib import Path
from typing import Annotated

import typer

from batchd.cli.completing import files, task_names

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Config file; else BATCHD_CONFIG, ./config.toml, /etc/batchd/config.toml.",
        show_default=False,
        autocompletion=files,
    ),
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task", metavar="NAME", help="Only this task of the config.", show_default=False, autocompletion=task_names
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON document on stdout, for programs.", show_default=False)
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", help="Log each step on stderr, on a terminal too.", show_default=False)
]
BatchSizeOption = Annotated[
    int | None,
    typer.Option("--batch-size", min=1, metavar="N", help="Rows a batch at most, this time.", show_default=False),
]
NumBatchesOption = Annotated[
    int | None,
    typer.Option(
        "--num-batches",
        min=1,
        metavar="N",
        help="Build at most N batches, finish them, and end.",
        show_default=False,
    ),
]
CheckIntervalOption = Annotated[
    str | None,
    typer.Option(
        "--check-interval",
        metavar="DURATION",
        help="Shortest pause between two looks at the vendor, such as 30s or 5m.",
        show_default=False,
    ),
]
UntilIdleOption = Annotated[
    bool,
    typer.Option(
        "--until-idle",
        help="End once nothing is due and no batch is open.",
        show_default=False,
    ),
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for those who look later.", show_default=False)
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only tell what would be done; change nothing.", show_default=False)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, also on a terminal.", show_default=False)]
