"""Numbers of the host's as they count here: NaN and the infinities, which `numeric` and `double precision` hold, are unknown."""

from decimal import Decimal

from sqlalchemy import ColumnElement, Numeric, and_, case, cast, literal_column

_MOST: ColumnElement[Decimal] = literal_column("CAST('Infinity' AS numeric)", Numeric())
_LEAST: ColumnElement[Decimal] = literal_column("CAST('-Infinity' AS numeric)", Numeric())


def finite_or_null(value: ColumnElement[Decimal]) -> ColumnElement[Decimal | None]:
    """The number, or null where it is none. To PostgreSQL NaN is greater than every number, infinity included."""
    number = cast(value, Numeric())
    return case((and_(number > _LEAST, number < _MOST), number))
