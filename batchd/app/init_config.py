"""``batchd init``: a commented config for a table, written once and then its owner's."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from batchd.app.config_text import config_text
from batchd.app.guessing import Guess, guess
from batchd.config import mask_url
from batchd.config.urls import has_password
from batchd.errors import ConfigError, UsageError
from batchd.store.opening import open_database
from batchd.store.reading import ask
from batchd.store.source import SourceTable
