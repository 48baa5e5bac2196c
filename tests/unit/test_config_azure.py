"""``kind = "azure"`` and the sandbox's azure flavour: what fits, and each thing that doesn't, with its line."""

import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from batchd.app.accounts import connection_of, fingerprint_of
from batchd.config import AzureVendorConfig, Config, SandboxVendorConfig, config_json_schema
from batchd.errors import ConfigError
from batchd.vendors.connection import AzureConnection
from tests.unit.config_texts import HEAD, TASK, load, problems

ENDPOINT = 'endpoint = "https://r.openai.azure.com"'
KEY = 'api_key = { env = "AZURE_KEY" }'
PRINCIPAL = 'credential = "service_principal", tenant_id = "t", client_id = "c"'


def azure(*lines: str) -> str:
    """A config with an Azure vendor; its lines are 8 and on."""
    return HEAD + "[vendors.x]\n" + 'kind = "azure"\n' + "".join(f"{line}\n" for line in lines)


def vendor_of(config: Config) -> AzureVendorConfig:
    vendor = config.vendors["x"]
    assert isinstance(vendor, AzureVendorConfig)
    return vendor


def test_a_resource_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The v1 API unless a version is written; larger files than OpenAI's; the key read where it is kept."""
    monkeypatch.setenv("AZURE_KEY", "az-1")
    config = load(tmp_path, azure('endpoint = "https://r.openai.azure.com/"', KEY))
    vendor = vendor_of(config)
    connection = connection_of(config, "x", vendor)

    assert (100_000, 600.0) == (vendor.max_requests, vendor.file_timeout)
    assert isinstance(connection, AzureConnection)
    assert ("az-1", "https://r.openai.azure.com") == (connection.api_key, connection.base_url)
    assert (None, False) == (connection.api_version, connection.by_token)


@pytest.mark.parametrize("entra", ['"default"', '"managed_identity"', '{ credential = "managed_identity" }'])
def test_a_resource_with_entra_id(tmp_path: Path, entra: str) -> None:
    """By the name of a credential, or by a table; nobody is asked yet."""
    config = load(tmp_path, azure(ENDPOINT, 'api_version = "2024-10-21"', f"entra = {entra}"))
    connection = connection_of(config, "x", vendor_of(config))

    assert isinstance(connection, AzureConnection)
    assert callable(connection.api_key)
    assert ("2024-10-21", True) == (connection.api_version, connection.by_token)


def test_a_missing_secret_has_the_line_of_its_reference(tmp_path: Path) -> None:
    """Also inside of entra."""
    config = load(tmp_path, azure(ENDPOINT, f'entra = {{ {PRINCIPAL}, client_secret = {{ env = "NOT_SET" }} }}'))

    with pytest.raises(ConfigError, match="NOT_SET") as caught:
        connection_of(config, "x", vendor_of(config))

    assert f"{tmp_path}/config.toml:9" == caught.value.where


def test_a_tenant_that_is_none_has_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the secret is not in the error."""
    monkeypatch.setenv("S", "hunter2")
    principal = PRINCIPAL.replace('"t"', '"no tenant"')
    config = load(tmp_path, azure(ENDPOINT, f'entra = {{ {principal}, client_secret = {{ env = "S" }} }}'))

    with pytest.raises(ConfigError, match=r"vendors\.x\.entra") as caught:
        connection_of(config, "x", vendor_of(config))

    assert f"{tmp_path}/config.toml:9" == caught.value.where
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([KEY], "6: vendors.x.endpoint: this key is missing"),
        (
            [ENDPOINT],
            '6: vendors.x: says neither api_key nor entra; write api_key = { env = "NAME" } or entra = "default"',
        ),
        ([ENDPOINT, KEY, 'entra = "default"'], "10: vendors.x.entra: api_key is there too; keep one of them"),
        (
            ['endpoint = "https://r.openai.azure.com/openai/v1/"', KEY],
            (
                '8: vendors.x.endpoint: expects the resource alone, such as "https://NAME.openai.azure.com": '
                "batchd adds /openai/…"
            ),
        ),
        (
            ['endpoint = "r.openai.azure.com"', KEY],
            "8: vendors.x.endpoint: expects a URL that starts with http:// or https://",
        ),
        ([ENDPOINT, KEY, 'base_url = "https://x"'], "10: vendors.x.base_url: unknown key"),
        ([ENDPOINT, KEY, 'version = "2024-10-21"'], "10: vendors.x.version: unknown key; did you mean api_version?"),
        (
            [ENDPOINT, KEY, 'api_version = "v1"'],
            (
                '10: vendors.x.api_version: expects a dated API such as "2024-10-21" or "2025-04-01-preview"; '
                'leave it out for v1, got "v1"'
            ),
        ),
        ([ENDPOINT, KEY, "file_timeout = 0"], "10: vendors.x.file_timeout: must be more than 0, got 0"),
        (
            [ENDPOINT, 'entra = "managed"'],
            ('9: vendors.x.entra: expects "default", "managed_identity" or "service_principal", got "managed"'),
        ),
        (
            [ENDPOINT, 'entra = { credential = "default", clientid = "x" }'],
            "9: vendors.x.entra.clientid: unknown key; did you mean client_id?",
        ),
        (
            [ENDPOINT, f"entra = {{ {PRINCIPAL} }}"],
            (
                "9: vendors.x.entra.client_secret: this key is missing; "
                "a service_principal needs tenant_id, client_id, client_secret"
            ),
        ),
        (
            [ENDPOINT, 'entra = { credential = "managed_identity", tenant_id = "t" }'],
            '9: vendors.x.entra.tenant_id: has no meaning with credential = "managed_identity"',
        ),
        (
            [ENDPOINT, 'entra = { credential = "default", client_id = "c" }'],
            '9: vendors.x.entra.client_id: has no meaning with credential = "default"',
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(lines: list[str], expected: str, tmp_path: Path) -> None:
    """One sentence for each, at the key that is wrong."""
    assert [expected] == problems(tmp_path, azure(*lines))


def test_a_written_secret_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """Of a service principal too."""
    (found,) = problems(tmp_path, azure(ENDPOINT, f'entra = {{ {PRINCIPAL}, client_secret = "hunter2" }}'))

    assert "a secret is not written in the config" in found
    assert "hunter2" not in found


@pytest.mark.parametrize("line", ['deployments = { a = "m" }', 'file_processing = "3s"'])
def test_the_sandboxs_azure_keys_need_its_flavour(line: str, tmp_path: Path) -> None:
    """Without it they would do nothing."""
    text = f'{HEAD}[vendors.x]\nkind = "sandbox"\n{line}\n'
    key = line.partition(" ")[0]

    assert [f'8: vendors.x.{key}: has no meaning without flavour = "azure"'] == problems(tmp_path, text)
    vendor = load(tmp_path, f'{text}flavour = "azure"\n').vendors["x"]
    assert isinstance(vendor, SandboxVendorConfig)


@pytest.mark.parametrize("vendor", [azure(ENDPOINT, KEY), f'{HEAD}[vendors.x]\nkind = "sandbox"\nflavour = "azure"\n'])
def test_azures_batches_take_two_endpoints(vendor: str, tmp_path: Path) -> None:
    """Neither embeddings nor moderations: told before anything is sent."""
    task = TASK.replace('"local"', '"x"').split("[tasks.resumes.fields]")[0]
    moderations = task.replace('model = "m"\n', 'model = "m"\nendpoint = "/v1/moderations"\n')

    found = problems(tmp_path, vendor + moderations)

    assert any(
        "tasks.resumes.endpoint: is /v1/moderations, but batches of Azure OpenAI (vendors.x) take "
        "/v1/chat/completions and /v1/responses only" in line
        for line in found
    ), found


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("https://r.openai.azure.com/openai/v1", True),
        ("https://R.services.ai.azure.com/openai/v1", True),
        ("https://llm.example.com/v1", False),
    ],
)
def test_a_resource_as_a_plain_server_is_warned_of(url: str, tmp_path: Path, *, warned: bool) -> None:
    """Its base_url would do for a while, until a batch is asked of a file that is still pending."""
    config = load(tmp_path, f'{HEAD}[vendors.x]\nkind = "openai"\n{KEY}\nbase_url = "{url}"\n')

    assert warned == any('kind = "azure"' in one.message and one.where.endswith(":9") for one in config.warnings)


def test_a_resource_is_the_same_by_either_api(tmp_path: Path) -> None:
    """Both show the same batches; another resource does not."""
    texts = [
        azure(ENDPOINT, KEY),
        azure(ENDPOINT.replace("r.open", "R.open"), KEY, 'api_version = "2024-10-21"'),
        azure(ENDPOINT, 'entra = "default"'),
        azure(ENDPOINT.replace("r.open", "other.open"), KEY),
    ]
    v1, dated, by_token, other = (fingerprint_of(vendor_of(load(tmp_path, text))) for text in texts)

    assert v1 == dated == by_token
    assert other != v1


def test_what_loads_fits_the_json_schema() -> None:
    """Editors complete and check these tables too."""
    validator = jsonschema_rs.validator_for(config_json_schema())
    secret = 'client_secret = { env = "S" }'
    flavoured = '[vendors.y]\nkind = "sandbox"\nflavour = "azure"\ndeployments = { a = "m" }\n'

    for entra in ('"default"', f"{{ {PRINCIPAL}, {secret} }}"):
        assert validator.is_valid(tomllib.loads(azure(ENDPOINT, f"entra = {entra}") + flavoured))
    assert not validator.is_valid(tomllib.loads(azure(ENDPOINT, 'entra = "managed"')))
