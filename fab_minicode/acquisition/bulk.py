"""
Many rows at once, in and out, at the speed of the driver, on SQLite and on PostgreSQL.

SQLite takes a list as one JSON text and rows by ``executemany``; PostgreSQL takes arrays. Statements name only tables
and columns of our own models; values are always parameters.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import BigInteger, Integer, LargeBinary, SmallInteger, func, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

Numbers = npt.NDArray[np.int64]

_ROWS_PER_STATEMENT = 20_000
"""Of an INSERT on PostgreSQL; keeps one statement's text at some megabytes."""


def is_postgresql(connection: Connection) -> bool:
    """Whether the connection speaks PostgreSQL; else it is SQLite."""
    return bool(connection.dialect.name == "postgresql")


def mark(connection: Connection) -> str:
    """Return what stands for a parameter in a statement of the driver's own."""
    return "%s" if is_postgresql(connection) else "?"


def find(connection: Connection, column: Any, wanted: Sequence[Any], columns: Sequence[Any], **fixed: Any) -> list[Any]:
    """
    Return ``columns`` of the rows whose ``column`` is one of ``wanted`` and that have the ``fixed`` values.

    Args:
        connection: In a transaction.
        column: A number or text of a table, ``Model.name``.
        wanted: Python numbers or texts, each once; sorted ones are found faster.
        columns: Columns of the same table.
        **fixed: Column name -> value.
    """
    if not len(wanted):
        return []
    table = column.property.columns[0].table
    picked = ", ".join(f"t.{one.property.columns[0].name}" for one in columns)
    name = column.property.columns[0].name
    matches = f"t.{name} = w.value" + "".join(f" AND t.{other} = {mark(connection)}" for other in fixed)
    if is_postgresql(connection):
        # OFFSET 0 keeps it from being a join: look up each wanted value, do not read all rows that are "fixed".
        given: Any = _array(wanted, table.c[name])
        values = f"unnest(%s::{_array_type(table.c[name])}) AS w(value)"
        each = f"(SELECT {picked} FROM {table.name} AS t WHERE {matches} OFFSET 0)"  # noqa: S608
        statement = f"SELECT t.* FROM {values} CROSS JOIN LATERAL {each} AS t"  # noqa: S608
    else:
        # CROSS JOIN keeps the order: look up each wanted value, do not scan the table.
        given = json.dumps(list(wanted))
        statement = f"SELECT {picked} FROM json_each(?) AS w CROSS JOIN {table.name} AS t WHERE {matches}"  # noqa: S608
    return rows(connection, statement, (given, *fixed.values()))


def rows(connection: Connection, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
    """Return what a statement of the driver's own finds, as plain tuples: a row object costs more than its reading."""
    result = connection.exec_driver_sql(statement, [values] if values else ())  # a list, as in insert()
    with _as_sqlalchemys(connection, statement):  # SQLite finds its rows one by one
        found: list[Any] = result.cursor.fetchall()
    result.close()
    return found


def numbers(connection: Connection, model: Any, columns: Sequence[str], where: str) -> list[Numbers]:
    """
    Return columns of whole numbers of all rows that a condition of our own names, each as an array.

    The database joins them to one text each and numpy takes it apart: a third of what rows would cost.
    """
    joined = "string_agg(({})::text, ',')" if is_postgresql(connection) else "group_concat({})"
    wanted = ", ".join(joined.format(column) for column in columns)
    (found,) = rows(connection, f"SELECT {wanted} FROM {model.__tablename__} WHERE {where}")  # noqa: S608
    return [np.fromstring(text or "", np.int64, sep=",") for text in found]


def insert(
    connection: Connection, model: Any, columns: Mapping[str, Sequence[Any]], *, update: Sequence[str] = ()
) -> None:
    """
    Insert rows given by columns; where the primary key is there already, set the ``update`` columns.

    Args:
        connection: In a transaction.
        model: Whose table.
        columns: Column name -> one Python value per row.
        update: Columns to set in a row that exists; none: every row must be new.
    """
    table = model.__table__
    names = list(columns)
    rows = len(columns[names[0]])
    ending = _on_conflict(table, update)
    if not is_postgresql(connection):
        _insert_many(connection, table, dict.fromkeys(names, "?"), columns.values(), ending)
        return
    arrays = ", ".join(f"%s::{_array_type(table.c[name])}" for name in names)
    # WHERE true: without it PostgreSQL would read ON CONFLICT as a join's condition.
    source = f"SELECT * FROM unnest({arrays}) AS w WHERE true"  # noqa: S608
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) {source}{ending}"
    for begin in range(0, rows, _ROWS_PER_STATEMENT):
        end = begin + _ROWS_PER_STATEMENT
        piece = tuple(_array(values[begin:end], table.c[column]) for column, values in columns.items())
        # In a list: SQLAlchemy 1.4 takes a tuple that begins with a list for many sets of parameters.
        connection.exec_driver_sql(statement, [piece])


def append(connection: Connection, model: Any, authorizer_id: int, columns: Mapping[str, Numbers]) -> None:
    """
    Insert rows of whole numbers that are all new.

    Args:
        connection: In a transaction.
        model: Whose table.
        authorizer_id: A column of it that is the same in all rows.
        columns: Of the others, name -> one number per row.
    """
    table = model.__table__
    if not is_postgresql(connection):
        values = {"authorizer_id": str(int(authorizer_id)), **dict.fromkeys(columns, "?")}
        _insert_many(connection, table, values, [column.tolist() for column in columns.values()])
        return
    columns = {"authorizer_id": np.full(len(next(iter(columns.values()))), authorizer_id), **columns}
    if not _can_copy(connection):
        insert(connection, model, {name: column.tolist() for name, column in columns.items()})
        return
    statement = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN WITH (FORMAT binary)"
    with _cursor(connection, statement) as cursor:
        cursor.copy_expert(statement, io.BytesIO(_as_binary(table, columns)))


def _insert_many(
    connection: Connection, table: Any, values: Mapping[str, str], lists: Iterable[Sequence[Any]], ending: str = ""
) -> None:
    """Insert rows on SQLite; ``values``: column name -> what the statement has of it, ``lists``: what its "?" are."""
    statement = f"INSERT INTO {table.name} ({', '.join(values)}) VALUES ({', '.join(values.values())}){ending}"  # noqa: S608
    with _cursor(connection, statement) as cursor:
        cursor.executemany(statement, zip(*lists, strict=True))


def _can_copy(connection: Connection) -> bool:
    """Whether the driver is psycopg2, and not made to wait by others (psycogreen): it does not copy then."""
    extensions = getattr(connection.dialect.dbapi, "extensions", None)
    waits = getattr(extensions, "get_wait_callback", None)
    return waits is not None and waits() is None


def _as_binary(table: Any, columns: Mapping[str, Numbers]) -> bytes:
    """
    Return rows as PostgreSQL's binary COPY takes them: in each row the number of fields, each field after its length.

    Source: PostgreSQL's documentation of COPY, "Binary Format".
    """
    types = {name: np.dtype(_BINARY[_array_type(table.c[name])]) for name in columns}
    fields = [field for name, kind in types.items() for field in ((f"{name}_length", ">i4"), (name, kind))]
    rows = np.empty(len(next(iter(columns.values()))), [("fields", ">i2"), *fields])
    rows["fields"] = len(columns)
    for name, column in columns.items():
        rows[f"{name}_length"], rows[name] = types[name].itemsize, column
        if (rows[name] != column).any():
            raise ValueError(f"{table.name}.{name} is out of range")
    return _COPY_BEGIN + rows.tobytes() + _COPY_END


_BINARY = {"smallint[]": ">i2", "integer[]": ">i4", "bigint[]": ">i8"}
_COPY_BEGIN, _COPY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


@contextlib.contextmanager
def _cursor(connection: Connection, statement: str) -> Iterator[Any]:
    """Open a cursor of the driver; its errors become SQLAlchemy's, as those of its own statements do."""
    with _as_sqlalchemys(connection, statement), contextlib.closing(connection.connection.cursor()) as cursor:
        yield cursor


@contextlib.contextmanager
def _as_sqlalchemys(connection: Connection, statement: str) -> Iterator[None]:
    driver = connection.dialect.dbapi
    try:
        yield
    except driver.Error as error:
        raise DBAPIError.instance(statement, (), error, driver.Error, dialect=connection.dialect) from error


def _on_conflict(table: Any, update: Sequence[str]) -> str:
    if not update:
        return ""
    key = ", ".join(column.name for column in table.primary_key.columns)
    return f" ON CONFLICT ({key}) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in update)


def columns_of(found: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return rows by columns; ``zip(*rows)`` would make an iterator of every row."""
    return [[row[place] for row in found] for place in range(len(found[0]))] if found else []


def next_number(connection: Connection, column: Any) -> int:
    """Return the number after the highest; safe because only the roll-up, which is alone, makes these rows."""
    return int(connection.execute(select(func.max(column))).scalar() or 0) + 1


def _array(values: Sequence[Any], column: Any) -> Any:
    """Return a parameter for an array; one of numbers as its text, because the driver quotes them one by one."""
    if not isinstance(column.type, Integer):
        return list(values)
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _array_type(column: Any) -> str:
    if isinstance(column.type, BigInteger):
        return "bigint[]"
    if isinstance(column.type, SmallInteger):
        return "smallint[]"
    if isinstance(column.type, Integer):
        return "integer[]"
    return "bytea[]" if isinstance(column.type, LargeBinary) else "text[]"
