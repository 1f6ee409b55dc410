"""Reads whose SQL is built once, and several of them in one round trip to the database.

Building a queryset and compiling its SQL takes longer than the database takes to answer it. A compiled read keeps the SQL of a
queryset with the places of its arguments, and executes it with other arguments. What it returns is what the queryset returns.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from functools import update_wrapper
from types import SimpleNamespace
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError

from billing_site.common.storage import Statement, execute_together

P = ParamSpec("P")
Row = TypeVar("Row")

MOST_VALUES = 64
"""Of more values than these in a list, compiling takes little of the time, so the queryset itself is read."""

MOST_SHAPES = 500
"""If a read has more shapes than these, all are compiled again."""

Shape = tuple[Any, ...]
Values = tuple[Any, ...]


class Reading(NamedTuple):
    """A compiled read with its arguments, to be read ahead."""

    read: "CompiledRead[Any, Any]"
    arguments: Values


class CompiledRead(Generic[P, Row]):
    """A function that returns a queryset, as a function that returns its rows. Its SQL is compiled once for each shape of its
    arguments.

    An argument is a number or a text, which must be a parameter of the SQL; a collection of these, which may only be used with
    `__in`; or anything else that can be hashed, such as None and True, which is part of the shape: of such values there must be
    few. Prefetched rows are not supported.
    """

    def __init__(self, build: Callable[P, QuerySet[Any, Row]]) -> None:
        self.build = build
        self._compiled: dict[tuple[str, Shape], _Compiled] = {}
        update_wrapper(self, build)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> list[Row]:
        """Return the rows, in the order of the queryset. One query, or none if they were read ahead."""
        assert not named, "arguments of compiled reads have no names"
        values = _values_of(arguments)
        if (ahead := _AHEAD.get()) and (reading := Reading(self, values)) in ahead:
            return ahead.pop(reading)
        compiled = self.compiled(values)
        if compiled is None:
            return list(self.build(*arguments, **named))
        statement = compiled.statement(values)
        return compiled.shaped(execute_together([statement])[0]) if statement else []

    def stream(self, rows_at_once: int, *arguments: P.args, **named: P.kwargs) -> Iterator[Row]:
        """Yield the rows, in the order of the queryset. So many are in memory at a time, where the database can do that."""
        assert not named, "arguments of compiled reads have no names"
        compiled = self.compiled(_values_of(arguments))
        if compiled is None:
            return self.build(*arguments, **named).iterator(rows_at_once)
        return compiled.streamed(_values_of(arguments), rows_at_once)

    def count(self, *arguments: P.args, **named: P.kwargs) -> int:
        """Return how many rows there are."""
        assert not named, "arguments of compiled reads have no names"
        values = _values_of(arguments)
        compiled = self.compiled(values)
        if compiled is None:
            return self.build(*arguments, **named).count()
        statement = compiled.statement(values)
        if statement is None:
            return 0
        counted = Statement(f"SELECT COUNT(*) FROM ({statement.sql}) AS counted", statement.parameters)
        return int(execute_together([counted])[0][0][0])

    def of(self, *arguments: P.args, **named: P.kwargs) -> Reading:
        """Return this read with its arguments, for `read_ahead`."""
        assert not named, "arguments of compiled reads have no names"
        return Reading(self, _values_of(arguments))

    def compiled(self, values: Values) -> "_Compiled | None":
        """Return the compiled read of the shape of these values, or None if a list of them is too long."""
        if any(isinstance(value, tuple) and len(value) > MOST_VALUES for value in values):
            return None
        key = (connections[DEFAULT_DB_ALIAS].vendor, tuple(map(_shape_of, values)))
        found = self._compiled.get(key)
        if found is None:
            if len(self._compiled) >= MOST_SHAPES:
                self._compiled.clear()
            found = self._compiled[key] = _Compiled(self.build, key[1])
        return found


def compiled_read(build: Callable[P, QuerySet[Any, Row]]) -> CompiledRead[P, Row]:
    """Turn a function that returns a queryset into a `CompiledRead`."""
    return CompiledRead(build)


_AHEAD: ContextVar[dict[Reading, list[Any]] | None] = ContextVar("rows that were read ahead", default=None)


@contextmanager
def read_ahead(*readings: Reading) -> Iterator[None]:
    """Read all of these in one round trip. In the block, the first call of each with the same arguments gets its rows. What
    was read ahead by a block around this one is not read again.

    Nothing that they read may be written in the block. In a transaction that locks, call it after the lock.
    """
    ahead = _AHEAD.get() or {}
    compiled = [(one, how) for one in readings if one not in ahead and (how := one.read.compiled(one.arguments)) is not None]
    asked = [(one, how, statement) for one, how in compiled if (statement := how.statement(one.arguments)) is not None]
    found = execute_together([statement for _, _, statement in asked])
    rows = {one: how.shaped(raw) for (one, how, _), raw in zip(asked, found, strict=True)}
    ahead.update(rows)
    token = _AHEAD.set(ahead)
    try:
        yield
    finally:
        for one in rows:
            ahead.pop(one, None)
        _AHEAD.reset(token)


class _Place(NamedTuple):
    """A parameter of the SQL: a value of an argument. `item` is its place in a collection, else None."""

    argument: int
    item: int | None
    convert: Callable[[Any], Any]

    def value(self, values: Values) -> Any:
        value = values[self.argument]
        if self.item is not None:
            value = value[min(self.item, len(value) - 1)]
        return self.convert(value)


class _Compiled:
    """The SQL of a queryset for one shape of arguments. It is compiled with two sets of values: the parameters that differ are
    those of the arguments."""

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], shape: Shape) -> None:
        examples = [_example(shape, mark) for mark in (1, 2)]
        try:
            (self._queryset, self._compiler, self._sql, parameters), (*_, sql, others) = (
                _compile(build(*values)) for values in examples
            )
        except EmptyResultSet as error:
            if (None, 0) not in shape:
                raise TypeError(f"{build.__qualname__}: finds nothing, whatever its arguments") from error
            self._sql = ""
            return
        if sql != self._sql:
            raise TypeError(f"{build.__qualname__}: an argument changes the SQL")
        named = {(one, other): (at, item) for at, item, one, other in _pairs(*examples)}
        self._parameters = [
            one if _is_same(one, other) else _place(build, named, one, other)
            for one, other in zip(parameters, others, strict=True)
        ]
        missing = set(named.values()) - {(one.argument, one.item) for one in self._parameters if isinstance(one, _Place)}
        if missing:
            raise TypeError(f"{build.__qualname__}: not all arguments are parameters of the SQL")
        columns = [column for column, *_ in self._compiler.select[: self._compiler.col_count]]
        self._converters = self._compiler.get_converters(columns)

    def statement(self, values: Values) -> Statement | None:
        """Return the statement with these values, or None if it would find nothing."""
        if not self._sql:
            return None
        if self._queryset.query.select_for_update and not connections[DEFAULT_DB_ALIAS].in_atomic_block:
            raise TransactionManagementError("rows are locked in a transaction only")
        parameters = [one.value(values) if isinstance(one, _Place) else one for one in self._parameters]
        return Statement(self._sql, parameters)

    def shaped(self, rows: list[Any]) -> list[Any]:
        """Return rows of the database as the queryset returns them."""
        compiler = self._compiler_of_now()
        if compiler.has_extra_select:
            rows = [row[: compiler.col_count] for row in rows]
        compiler.execute_sql = lambda *_, **__: [rows]
        return list(self._queryset._iterable_class(self._stand_in(compiler)))

    def streamed(self, values: Values, rows_at_once: int) -> Iterator[Any]:
        """Yield what the queryset yields with these values, so many rows at a time."""
        statement = self.statement(values)
        if statement is None:
            return
        compiler = self._compiler_of_now()
        compiler.as_sql = lambda *_, **__: (statement.sql, tuple(statement.parameters))
        has_cursors = not compiler.connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
        yield from self._queryset._iterable_class(self._stand_in(compiler), chunked_fetch=has_cursors, chunk_size=rows_at_once)

    def _compiler_of_now(self) -> Any:
        compiler = copy(self._compiler)
        compiler.connection = connections[DEFAULT_DB_ALIAS]
        compiler.get_converters = lambda _: self._converters
        return compiler

    def _stand_in(self, compiler: Any) -> Any:
        """Return what stands for the queryset where its rows are shaped: with this compiler."""
        query = self._queryset.query
        return SimpleNamespace(
            db=DEFAULT_DB_ALIAS,
            model=self._queryset.model,
            _fields=self._queryset._fields,
            _known_related_objects={},
            query=SimpleNamespace(
                get_compiler=lambda *_, **__: compiler,
                selected=query.selected,
                extra_select=query.extra_select,
                values_select=query.values_select,
                annotation_select=query.annotation_select,
            ),
        )


def _compile(queryset: Any) -> tuple[Any, Any, str, list[Any]]:
    assert not queryset._prefetch_related_lookups, "prefetched rows are not supported"
    compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
    sql, parameters = compiler.as_sql()
    return queryset, compiler, sql, list(parameters)


def _is_same(one: Any, other: Any) -> bool:
    """Whether two parameters are equal. JSON for PostgreSQL is equal to itself only, so what it holds is compared."""
    return bool(getattr(one, "obj", one) == getattr(other, "obj", other))


def _place(build: Any, named: dict[tuple[Any, Any], tuple[int, int | None]], one: Any, other: Any) -> _Place:
    if (one, other) not in named:
        raise TypeError(f"{build.__qualname__}: an argument is changed before it is a parameter of the SQL")
    return _Place(*named[one, other], type(one))


def _values_of(arguments: Collection[Any]) -> Values:
    return tuple(tuple(one) if isinstance(one, Collection) and not isinstance(one, str) else one for one in arguments)


def _shape_of(value: Any) -> Any:
    """Return what of an argument decides the SQL. Collections are filled up to a power of two, so that there are few shapes."""
    if isinstance(value, tuple):
        return (_shape_of(value[0]), 1 << (len(value) - 1).bit_length()) if value else (None, 0)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return value
    return int if isinstance(value, int) else str


def _example(shape: Shape, mark: int) -> list[Any]:
    """Return arguments of a shape, in which each value is different from all others. Every column of numbers can have them."""
    count = 0

    def one(kind: type) -> Any:
        nonlocal count
        count += 1
        return mark * 10_000 + count if issubclass(kind, int) else f"~{mark}~{count}~"

    return [
        [one(part[0]) for _ in range(part[1])] if isinstance(part, tuple) else one(part) if isinstance(part, type) else part
        for part in shape
    ]


def _pairs(first: list[Any], second: list[Any]) -> Iterator[tuple[int, int | None, Any, Any]]:
    """Return each value of the arguments in both examples, with the argument's place, and its own in a collection."""
    for at, (one, other) in enumerate(zip(first, second, strict=True)):
        if isinstance(one, list):
            yield from ((at, item, *pair) for item, pair in enumerate(zip(one, other, strict=True)))
        elif isinstance(one, (int, str)) and not isinstance(one, bool):
            yield at, None, one, other
