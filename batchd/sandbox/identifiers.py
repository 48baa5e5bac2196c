"""Opaque ids."""

import secrets


def new_id(prefix: str) -> str:
    """Return an id that no other object has."""
    return f"{prefix}{secrets.token_hex(12)}"
