"""Treats NaN and infinity in the host's numeric columns as unknown."""

from decimal import Decimal

from sqlalchemy import ColumnElement, Numeric, and_, case, cast, literal_column

_MOST: ColumnElement[Decimal] = literal_column("CAST('Infinity' AS numeric)", Numeric())
_LEAST: ColumnElement[Decimal] = literal_column("CAST('-Infinity' AS numeric)", Numeric())


def finite_or_null(value: ColumnElement[Decimal]) -> ColumnElement[Decimal | None]:
    """The number, or null for NaN and infinity. PostgreSQL sorts NaN above every number, including infinity."""
    number = cast(value, Numeric())
    return case((and_(number > _LEAST, number < _MOST), number))
