"""Embeddings and moderations by the command: the check before, the run, and what a config that can't work is told."""

import json

import pytest

from tests.acceptance.cli_world import World
from tests.planted import RESUME

TABLE = (
    "CREATE TABLE people (id INTEGER PRIMARY KEY, text TEXT, vector TEXT, size INTEGER, short VARCHAR(100), bad TEXT)"
)
PRICE = """
[prices."text-embedding-3-small"]
input = 0.01
output = 0
"""
HEAD = """\
[database]
url = "sqlite:///people.db"

[vendors.local]
kind = "sandbox"
batch_duration = "0s"

[daemon]
check_interval = "0.2s"

[tasks.people]
vendor = "local"
table = "people"
key = ["id"]
prompt = "{{ text }}"
"""
EMBEDDING = """\
pending = "vector IS NULL"
endpoint = "/v1/embeddings"
model = "text-embedding-3-small"
params = { dimensions = 256 }
vector_column = "vector"
"""
MODERATION = """\
pending = "size IS NULL"
endpoint = "/v1/moderations"
model = "omni-moderation-latest"
columns = { flagged = "size", categories = { column = "bad", store = "json" } }
"""


def made(world: World, task: str) -> World:
    """The folder with this task, and three rows."""
    world.config.write_text(HEAD + task, encoding="utf-8")
    world.make_table(3, TABLE)
    return world


def test_embeddings_are_checked_run_and_counted(empty: World) -> None:
    """check-config shows the input as it will be sent; the run fills every row and knows what it cost."""
    made(empty, EMBEDDING + PRICE)

    checked = empty.run_json("check-config")
    upgraded = empty.run("db", "upgrade")
    ran = empty.run("run", "--until-idle")

    assert {"people": f"Person 1, plumber since 2001. {RESUME}"} == checked["prompts"]
    assert 0 == upgraded.returncode
    assert 0 == ran.returncode, ran.stderr
    assert [256] * 3 == [len(json.loads(text)) for (text,) in empty.sql("SELECT vector FROM people")]
    ((asked, said, cost, unpriced),) = empty.sql(
        "SELECT input_tokens, output_tokens, cost_nano_usd, unpriced FROM batchd_batch"
    )
    assert (60, 0, 600, 0) == (asked, said, cost, unpriced)


def test_an_embedding_without_a_price_is_told_before(empty: World) -> None:
    """The vendor's list has no batch price for it; the check says how to give one."""
    checked = made(empty, EMBEDDING).run("check-config")

    assert checked.returncode == 0
    assert "no batch price is known for text-embedding-3-small" in checked.stdout


def test_moderations_are_checked_run_and_free(empty: World) -> None:
    """No price is asked for, and none is missing in the ledger."""
    made(empty, MODERATION)
    empty.sql("UPDATE people SET text = 'hate' WHERE id = 2")

    checked = empty.run("check-config")
    upgraded = empty.run("db", "upgrade")
    ran = empty.run("run", "--until-idle")

    assert "price" not in checked.stdout
    assert (0, 0, 0) == (checked.returncode, upgraded.returncode, ran.returncode), ran.stderr
    rows = empty.sql("SELECT size, bad FROM people ORDER BY id")
    assert [(0, False), (1, True), (0, False)] == [(size, json.loads(bad)["hate"]) for size, bad in rows]
    assert [(0, 0)] == empty.sql("SELECT cost_nano_usd, unpriced FROM batchd_batch")


@pytest.mark.parametrize(
    ("old", "new", "told", "step"),
    [
        (
            'vector_column = "vector"',
            'vector_column = "size"',
            "config.toml:20: tasks.people.vector_column: column size holds no text, JSON or vectors",
            "name a column of text, JSON or vectors",
        ),
        (
            'vector_column = "vector"',
            'vector_column = "short"',
            "config.toml:20: tasks.people.vector_column: column short takes 100 characters; a vector of 256 numbers",
            "make the column text without a limit",
        ),
        (
            'vector_column = "vector"',
            'vector_column = "vektor"',
            "config.toml:20: tasks.people.vector_column: table 'people' has no column 'vektor'; did you mean 'vector'?",
            "the columns are:",
        ),
        (
            'vector_column = "vector"',
            'text_column = "vector"',
            "config.toml:20: tasks.people.text_column: an embedding is one vector",
            "batchd check-config",
        ),
        (
            EMBEDDING,
            MODERATION.replace("flagged =", "flag ="),
            "config.toml:19: tasks.people.columns: `flag` in columns starts at flag, which is not a property of a mode",
            "the properties are: flagged, categories",
        ),
        (
            EMBEDDING,
            MODERATION.replace(', store = "json"', ""),
            "config.toml:19: tasks.people.columns: `categories` in columns is an object",
            'say { column = "bad", store = "json" }',
        ),
    ],
)
def test_what_cannot_work_is_told_with_its_line_and_the_next_step(
    empty: World, old: str, new: str, told: str, step: str
) -> None:
    """Before anything is sent: exit code 10, file, line and key, and what to write."""
    refused = made(empty, EMBEDDING.replace(old, new)).run("check-config")

    assert 10 == refused.returncode
    said = " ".join((refused.stdout + refused.stderr).split())
    assert told in said
    assert step in said
