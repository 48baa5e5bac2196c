"""The whole config file, and the table of its models that error messages look names up in."""

from pydantic import BaseModel, Field

from batchd.config.entra import EntraConfig
from batchd.config.locator import KeyPath
from batchd.config.metrics import MetricsConfig
from batchd.config.secret_refs import SecretRef
from batchd.config.sections import DaemonConfig, DatabaseConfig, LogConfig, NotifyConfig, PriceConfig
from batchd.config.tasks import TaskConfig
from batchd.config.values import Label, Table, written
from batchd.config.vendors import VENDOR_KINDS, VendorConfig
from batchd.config.webhooks import WebhooksConfig
from batchd.config.write import WriteConfig
from batchd.core.fields import FieldSpec
from batchd.core.schema import ColumnTarget, VectorTarget


class ConfigFile(Table):
    """Everything a config file may say."""

    database: DatabaseConfig = Field(description="Where the tasks' tables and batchd's own tables are.")
    vendors: dict[Label, VendorConfig] = Field(default={}, description="Who runs the batches, by name.")
    daemon: DaemonConfig = written({}, "Pace and working folder.")
    prices: dict[str, PriceConfig] = Field(default={}, description="Prices that differ from the list, by model.")
    notify: NotifyConfig | None = Field(default=None, description="Who is told of findings, and how.")
    log: LogConfig = written({}, "What is logged, and how.")
    metrics: MetricsConfig = written({}, "Metrics and health over HTTP.")
    webhooks: WebhooksConfig | None = Field(default=None, description="Where vendors tell that a batch has ended.")
    tasks: dict[Label, TaskConfig] = Field(default={}, description="The jobs, by name.")


_MODELS: dict[tuple[str, ...], type[BaseModel]] = {
    (): ConfigFile,
    ("database",): DatabaseConfig,
    ("database", "url"): SecretRef,
    ("database", "password"): SecretRef,
    ("database", "entra"): EntraConfig,
    ("database", "entra", "client_secret"): SecretRef,
    ("vendors", "*", "api_key"): SecretRef,
    ("vendors", "*", "entra"): EntraConfig,
    ("vendors", "*", "entra", "client_secret"): SecretRef,
    ("vendors", "*", "webhook_secret"): SecretRef,
    ("vendors", "*", "webhook_secret", "*"): SecretRef,
    ("daemon",): DaemonConfig,
    ("prices", "*"): PriceConfig,
    ("notify",): NotifyConfig,
    ("notify", "webhook"): SecretRef,
    ("log",): LogConfig,
    ("metrics",): MetricsConfig,
    ("webhooks",): WebhooksConfig,
    ("tasks", "*"): TaskConfig,
    ("tasks", "*", "fields", "*"): FieldSpec,
    ("tasks", "*", "columns", "*"): ColumnTarget,
    ("tasks", "*", "text_column"): ColumnTarget,
    ("tasks", "*", "vector_column"): VectorTarget,
    ("tasks", "*", "write"): WriteConfig,
}


def known_keys(table: KeyPath, *, kind: object = None) -> list[str]:
    """The keys that a table of the config takes; ``kind`` is the one written in a vendor's table."""
    model = _model_at(table, kind)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_at(table: KeyPath, kind: object) -> type[BaseModel] | None:
    if len(table) == 2 and table[0] == "vendors":  # noqa: PLR2004 - [vendors.NAME]
        return VENDOR_KINDS.get(str(kind))
    for pattern, model in _MODELS.items():
        if len(pattern) == len(table) and all(want in ("*", key) for want, key in zip(pattern, table, strict=True)):
            return model
    return None
