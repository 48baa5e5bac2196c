"""The config file: found, read, checked, and explained with file and line where it does not fit."""

from batchd.config.durations import parse_duration
from batchd.config.json_schema import config_json_schema
from batchd.config.load import load_config
from batchd.config.loaded import Config, ConfigWarning
from batchd.config.metrics import MetricsConfig
from batchd.config.problems import ConfigProblemsError
from batchd.config.secret_refs import SecretRef
from batchd.config.sections import DaemonConfig, DatabaseConfig, LogConfig, PriceConfig
from batchd.config.tasks import TaskConfig
from batchd.config.urls import mask_url
from batchd.config.vendors import AzureVendorConfig, OpenAIVendorConfig, SandboxVendorConfig, VendorConfig
from batchd.config_search import find_config

__all__ = [
    "AzureVendorConfig",
    "Config",
    "ConfigProblemsError",
    "ConfigWarning",
    "DaemonConfig",
    "DatabaseConfig",
    "LogConfig",
    "MetricsConfig",
    "OpenAIVendorConfig",
    "PriceConfig",
    "SandboxVendorConfig",
    "SecretRef",
    "TaskConfig",
    "VendorConfig",
    "config_json_schema",
    "find_config",
    "load_config",
    "mask_url",
    "parse_duration",
]
