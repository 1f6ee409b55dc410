"""The lower bound of the benchmarks: delete the rows that a benchmarked act wrote, and insert them again without any logic,
by COPY (PostgreSQL) or executemany (SQLite)."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from django.db import connection, models, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from billing_site.common.guards import lifted


def timed(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def queries(work: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


class TakenRows(NamedTuple):
    """Rows that were deleted from a table, ready to be inserted again."""

    model: type[models.Model]
    fields: Sequence[models.Field]
    rows: Sequence[Sequence[Any]]


def take_out(written: Sequence[QuerySet[Any]], unnumbered: Sequence[type[models.Model]] = ()) -> list[TakenRows]:
    """Delete rows, last table first, and return them. Rows of `unnumbered` tables get new primary keys when inserted again."""
    kept = []
    for rows in written:
        fields = [one for one in rows.model._meta.concrete_fields if rows.model not in unnumbered or not one.primary_key]
        names = [field.attname for field in fields]
        numbers = list(rows.values_list("pk", flat=True))
        chosen = rows.model._default_manager.filter(pk__in=numbers)
        kept.append((rows.model, fields, numbers, list(chosen.order_by("pk").values_list(*names))))
    with lifted():
        for model, _, numbers, _ in reversed(kept):
            model._default_manager.filter(pk__in=numbers)._raw_delete("default")
    return [TakenRows(model, fields, [_prepared(fields, row) for row in rows]) for model, fields, _, rows in kept]


def write_again(taken: Sequence[TakenRows]) -> None:
    """Insert the rows again, first table first, in one transaction."""
    with transaction.atomic():
        for one in taken:
            _write_bare(*one)


def taken_out(written: Sequence[QuerySet[Any]], unnumbered: Sequence[type[models.Model]] = ()) -> Callable[[], None]:
    """Delete rows, and return a function that inserts them again."""
    return partial(write_again, take_out(written, unnumbered))


def _prepared(fields: Sequence[models.Field], row: Sequence[Any]) -> list[Any]:
    return [field.get_db_prep_save(value, connection) for field, value in zip(fields, row, strict=True)]


def _write_bare(model: type[models.Model], fields: Sequence[models.Field], rows: Sequence[Sequence[Any]]) -> None:
    names = ", ".join(f'"{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {model._meta.db_table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(fields))
            cursor.executemany(f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({places})", rows)
