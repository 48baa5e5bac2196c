"""What must not be told is taken out wherever it stands, and what only looks like it is left."""

import pytest

from batchd.errors import ConfigError
from batchd.redaction import cleaned, cleaned_as, keep_secret, redacted, told, traceback_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the key sk-proj-abc_DEF123 was refused", "the key *** was refused"),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer ***"),
        ("signed with whsec_MfKQ9r8GKYqrTwjU+/=", "signed with ***"),
        ("got eyJhbGciOi.eyJzdWIi.c2ln back", "got *** back"),
        ("postgresql+psycopg://bob:p@ss:w/rd@db:5432/x", "postgresql+psycopg://bob:***@db:5432/x"),
        ("{'api-key': '0123456789abcdef'}", "{'api-key': '***'}"),
        ('{"client_secret": "ab c"}', '{"client_secret": "***"}'),
        ("Server=x;PWD=hush;UID=sa", "Server=x;PWD=***;UID=sa"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    """Keys, tokens, signing secrets and passwords go by their looks, and what stands around them stays."""
    assert shown == redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8080/v1 is out of reach",
        "export OPENAI_API_KEY=…",
        'say api_key = { env = "NAME" }',
        "vendors.openai.api_key: the environment variable NAME is not set",
        "input_tokens=12, max_tokens=800, config=people.toml",
        "task-risk, disk-full, ask-again",
    ],
)
def test_plain_words_are_left(text: str) -> None:
    """A sentence of our own comes through as it was written."""
    assert text == redacted(text)


@pytest.mark.parametrize(
    ("kept", "text", "shown"),
    [
        ("correct horse+battery", "it says correct horse+battery!", "it says ***!"),
        ("correct horse+battery", "x?p=correct%20horse%2Bbattery", "x?p=***"),
        ('say "hush" now', r'{"x": "say \"hush\" now"}', '{"x": "***"}'),
        ("mysql+pymysql://root:t0p%40secret@h/d", "no login with t0p@secret", "no login with ***"),
        ("mssql+pyodbc://?odbc_connect=DRIVER%3Dx%3BPWD%3Dunseen-1", "tried unseen-1", "tried ***"),
    ],
)
def test_a_secret_that_was_read_is_hidden_however_it_is_written(kept: str, text: str, shown: str) -> None:
    """Its looks don't matter: plain, in a URL, in JSON, as a part of the URL that was kept secret."""
    keep_secret(kept)

    assert shown == redacted(text)


def test_the_whole_of_a_value_is_gone_through() -> None:
    """Lists, tables, names and errors in a value hide what they hold; bytes and what is long are never shown."""
    value = {"keys": ["sk-abcdefgh", {"password": "x"}], "body": b"Ada", "error": ValueError("Ada"), "n": 1.5}

    assert {
        "keys": ["***", {"password": "***"}],
        "body": "<3 bytes>",
        "error": "ValueError at an unknown place",
        "n": 1.5,
    } == cleaned(value)
    assert "***" == cleaned_as("api_key", "anything")
    assert 12 == cleaned_as("input_tokens", 12)


def test_what_is_long_is_cut() -> None:
    """A line can't grow without end, nor can what stands at the cut be half a secret."""
    text = cleaned("x" * 1_990 + " sk-" + "a" * 50_000)

    assert f"{'x' * 1_990} ***" == text
    assert "y" * 2_000 + "… (3,000 characters)" == cleaned("y" * 3_000)
    assert [*range(100), "… and 5 more"] == cleaned(list(range(105)))


def test_an_error_is_told_in_our_own_words_only() -> None:
    """A foreign error may quote a row: of it the kind and the place are told."""

    def fail(row: str) -> None:
        try:
            int(row)
        except ValueError as error:
            raise ConfigError("the task does not fit; token=abcdefgh") from error

    row = "ada lovelace".title()
    with pytest.raises(ConfigError) as caught:
        fail(row)
    shown = traceback_of(caught.value)

    assert "the task does not fit; token=***" == told(caught.value)
    assert row not in shown
    assert shown.endswith("ConfigError: the task does not fit; token=***")
    assert "ValueError (its words are left out" in shown
