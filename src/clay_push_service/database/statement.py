"""Runs SQL statements on a SQLAlchemy connection or on the asyncpg connection beneath it, and returns typed records.

The only module that reads results of statements: everywhere else a row is a record, whose class stands beside its statement.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import starmap
from types import MappingProxyType
from typing import Any, Generic, TypeVar, overload

import asyncpg
from sqlalchemy import BindParameter, ClauseElement, Executable, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection

Connection = AsyncConnection | asyncpg.Connection
Record = TypeVar("Record")
NO_VALUES: Mapping[str, object] = MappingProxyType({})


class Statement(Generic[Record]):
    """SQL for either connection. The driver's own takes less than half of SQLAlchemy's time (80 µs instead of 190).

    On the driver's connection errors are asyncpg's, not SQLAlchemy's: see UNAVAILABLE.
    """

    @overload
    def __init__(self: "Statement[None]", sql: str | ClauseElement) -> None: ...

    @overload
    def __init__(self, sql: str | ClauseElement, record: type[Record]) -> None: ...

    def __init__(self, sql: str | ClauseElement, record: type[Any] | None = None) -> None:
        """`sql`: with parameters as `:name`, or a SQLAlchemy expression.

        `record`: see `_Shape`. Without it the statement only runs, and its rows cannot be read.
        """
        clause = text(sql) if isinstance(sql, str) else sql
        compiled = clause.compile(dialect=postgresql.asyncpg.dialect())  # type: ignore[no-untyped-call]
        self.sql = str(compiled)
        """With `$1`, `$2`, …"""
        self.names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        """Names of the parameters, in their order."""
        binds: Mapping[str, BindParameter[Any]] = getattr(compiled, "binds", {})
        self._constants: Mapping[str, object] = {
            name: compiled.params[name] for name in self.names if not binds[name].required
        }
        """Values that a SQLAlchemy expression holds itself."""
        self._shape: _Shape[Record] | None = None if record is None else _Shape(record)

    async def rows(self, connection: Connection, values: Mapping[str, object] = NO_VALUES) -> Sequence[Record]:
        """Run it. Returns all rows. Raises TypeError if its columns differ from the record's fields, or without a record."""
        if self._shape is None:
            raise TypeError("a statement without a record returns no rows")
        arguments = self._arguments(values)
        if isinstance(connection, asyncpg.Connection):
            try:
                found = await connection.fetch(self.sql, *arguments)
            except asyncpg.PostgresError as error:
                _keep_statement(error, self.sql)
                raise
            return self._shape.records(found[0].keys(), found) if found else []
        result = await connection.exec_driver_sql(self.sql, tuple(arguments))
        return self._shape.records(result.keys(), result.all())

    async def one(self, connection: Connection, values: Mapping[str, object] = NO_VALUES) -> Record:
        """Run it. Returns its only row. Raises NoResultFound or MultipleResultsFound."""
        return _only(await self.rows(connection, values))

    async def one_or_none(self, connection: Connection, values: Mapping[str, object] = NO_VALUES) -> Record | None:
        """Run it. Returns its only row, or None without a row. Raises MultipleResultsFound."""
        found = await self.rows(connection, values)
        return _only(found) if found else None

    async def execute(self, connection: Connection, values: Mapping[str, object] = NO_VALUES) -> int:
        """Run it. Returns the number of rows that it changed."""
        arguments = self._arguments(values)
        if isinstance(connection, asyncpg.Connection):
            try:
                tag: str = await connection.execute(self.sql, *arguments)  # such as "UPDATE 3"
            except asyncpg.PostgresError as error:
                _keep_statement(error, self.sql)
                raise
            number = tag.rpartition(" ")[2]
            return int(number) if number.isdecimal() else 0
        result = await connection.exec_driver_sql(self.sql, tuple(arguments))
        changed = result.rowcount
        result.close()
        return changed

    def _arguments(self, values: Mapping[str, object]) -> Sequence[object]:
        if self._constants:
            values = {**self._constants, **values}
        return [values[name] for name in self.names]


async def select_rows(connection: AsyncConnection, query: Executable, record: type[Record]) -> list[Record]:
    """Run a SQLAlchemy expression that is built for each call and holds its values; a fixed one is a Statement."""
    result = await connection.execute(query)
    return _Shape(record).records(result.keys(), result.all())


async def select_one(connection: AsyncConnection, query: Executable, record: type[Record]) -> Record:
    """As `select_rows`, for one row. Raises NoResultFound or MultipleResultsFound."""
    return _only(await select_rows(connection, query, record))


async def select_one_or_none(connection: AsyncConnection, query: Executable, record: type[Record]) -> Record | None:
    found = await select_rows(connection, query, record)
    return _only(found) if found else None


class _Shape(Generic[Record]):
    """How rows become records.

    A record is a NamedTuple or a dataclass, whose fields are the names of the columns in the same order; or, for one column,
    the type of its value.
    """

    def __init__(self, record: type[Record]) -> None:
        self._record = record
        self._fields = _field_names(record)
        self._build: Callable[[Iterable[Any]], Iterable[Record]]
        if self._fields is None:
            self._build = _first_values
        elif issubclass(record, tuple):
            # `record._make` would count the columns of each row again.
            self._build = functools.partial(map, functools.partial(tuple.__new__, record))
        else:
            self._build = functools.partial(starmap, record)

    def records(self, columns: Iterable[str], rows: Iterable[Any]) -> list[Record]:
        names = tuple(columns)
        if self._fields is None:
            if len(names) != 1:
                raise TypeError(f"the statement returns columns {names}; {self._record.__name__} is for one column")
        elif names != self._fields:
            raise TypeError(f"the statement returns columns {names}, the record has fields {self._fields}")
        return list(self._build(rows))


def _field_names(record: type[Any]) -> tuple[str, ...] | None:
    if issubclass(record, tuple):
        return tuple(record._fields)  # type: ignore[attr-defined]
    return tuple(field.name for field in dataclasses.fields(record)) if dataclasses.is_dataclass(record) else None


def _first_values(rows: Iterable[Any]) -> Iterator[Any]:
    return (row[0] for row in rows)


def _only(found: Sequence[Record]) -> Record:
    if len(found) == 1:
        return found[0]
    if found:
        raise MultipleResultsFound("the statement returned several rows where one was expected")
    raise NoResultFound("the statement returned no row where one was expected")


def _keep_statement(error: asyncpg.PostgresError, sql: str) -> None:
    """For the log: the driver's errors do not hold the statement."""
    error.statement_of_clay_push = sql  # type: ignore[attr-defined]
