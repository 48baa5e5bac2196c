"""Expressions that every database must be told in the same careful way."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement


def total(values: ColumnElement[Any]) -> ColumnElement[int]:
    """The sum as a whole number, 0 for none: some databases sum integers to decimals, one to 32 bits."""
    return sa.cast(sa.func.coalesce(sa.func.sum(sa.cast(values, sa.BigInteger())), 0), sa.BigInteger())


def as_number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """1 where it is true, else 0: SQL Server selects no conditions."""
    return sa.case((condition, 1), else_=0)


def steady(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """A time that stands still for one statement: PostgreSQL asks no index for a clock that runs on meanwhile."""
    return sa.select(moment).scalar_subquery()
