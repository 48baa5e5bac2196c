"""Where the config file is. Apart from what reads it, since the shell asks on each TAB."""

from collections.abc import Mapping
from pathlib import Path

from batchd.errors import ConfigError

DEFAULT_NAME = "config.toml"
SYSTEM_CONFIG = Path("/etc/batchd/config.toml")
VARIABLE = "BATCHD_CONFIG"


def find_config(option: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The config file to use: ``--config``, else BATCHD_CONFIG, else ./config.toml, else the system's.

    Raises:
        ConfigError: there is none. A file that was named but isn't there is not replaced by another.
    """
    if option is not None:
        return _named(cwd / option, "--config")
    if environ.get(VARIABLE):
        return _named(cwd / environ[VARIABLE], f"the environment variable {VARIABLE}")
    for candidate in (cwd / DEFAULT_NAME, SYSTEM_CONFIG):
        if candidate.is_file():
            return candidate
    raise ConfigError(
        f"there is no config file: looked for {cwd / DEFAULT_NAME} and {SYSTEM_CONFIG}; "
        f"--config and {VARIABLE} name another",
        next_command="batchd init",
    )


def _named(path: Path, source: str) -> Path:
    if path.is_file():
        return path
    raise ConfigError(f"there is no config file {path}, which {source} names", next_command="batchd init")
