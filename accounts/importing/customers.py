"""Import a customer file completely, or not at all with a report of every bad row."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import BinaryIO, NamedTuple

from django.db import transaction

from accounts.importing.reading import Row, SeenIds, UnreadableFile, read_rows, with_point
from accounts.importing.telco import (
    AMOUNT_COLUMNS,
    COLUMNS,
    ID_COLUMN,
    UNUSED_COLUMNS,
    BadValues,
    ColumnFault,
    Customer,
    read_customer,
    shown,
)
from accounts.importing.writing import CatalogueDiffers, charges_on_file, create_catalogue, known_ids, write_customers
from accounts.models import Client

CUSTOMERS_AT_ONCE = 500


class Fault(NamedTuple):
    """An error on one line of the file. `column` is empty if the line is not a row at all."""

    line: int
    column: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.message}" if self.column else f"line {self.line} {self.message}"


class ImportRefused(Exception):
    """The file was not imported. Nothing was written."""


@dataclass
class ImportSummary:
    """How many customers were read, and what was written for them, or would be in a dry run."""

    customers: int = 0
    created: int = 0
    already_there: int = 0
    plan_instances: int = 0
    own_prices: int = 0
    monthly_amount: Decimal = Decimal("0.00")

    def add(self, read: Iterable[Customer], new: Iterable[Customer]) -> None:
        """Count the customers of a chunk, and those of them who are new."""
        for customer in read:
            self.customers += 1
            self.monthly_amount += customer.monthly_amount
        for customer in new:
            self.created += 1
            self.plan_instances += len(customer.offers)
            self.own_prices += customer.own_price is not None
        self.already_there = self.customers - self.created


def import_customers(
    client: Client,
    file: BinaryIO,
    *,
    report: Callable[[Fault], None],
    dry_run: bool = False,
    left_as_billable: bool = False,
    decimal_comma: bool = False,
) -> ImportSummary:
    """Open an account for every customer in the file who has none, in one transaction. Existing accounts are not changed.

    Customers who left get a cancelled account, or an active one with `left_as_billable`. A dry run checks the whole file and
    writes nothing. With `decimal_comma` amounts may be written as 29,85. Every error is passed to `report`, then ImportRefused
    is raised.
    """
    customers = _read_customers(read_rows(file, COLUMNS, UNUSED_COLUMNS), report, decimal_comma=decimal_comma)
    try:
        if dry_run:
            charges_on_file(client)
            return _import_chunks(client, customers, write=None)
        with transaction.atomic():
            # A second import for the client blocks here, and then sees these accounts. Opening single accounts does not block,
            # because a foreign key to the client takes a weaker lock.
            Client.objects.select_for_update(no_key=True).get(pk=client.pk)
            charges = create_catalogue(client)
            return _import_chunks(
                client,
                customers,
                write=lambda new: write_customers(client, new, charges, left_as_billable=left_as_billable),
            )
    except (UnreadableFile, CatalogueDiffers) as error:
        raise ImportRefused(f"{error}; nothing was imported") from error


def _import_chunks(
    client: Client, customers: Iterator[Customer], write: Callable[[list[Customer]], None] | None
) -> ImportSummary:
    summary = ImportSummary()
    while chunk := list(islice(customers, CUSTOMERS_AT_ONCE)):
        known = known_ids(client, chunk)
        new = [customer for customer in chunk if customer.customer_id not in known]
        if write is not None:
            write(new)
        summary.add(chunk, new)
    return summary


def _read_customers(rows: Iterable[Row], report: Callable[[Fault], None], *, decimal_comma: bool) -> Iterator[Customer]:
    """Yield customers up to the first bad row. After it, rows are only checked, and ImportRefused is raised at the end."""
    bad_rows = 0
    with closing(SeenIds()) as seen:
        for row in rows:
            if decimal_comma:
                row.values.update({name: with_point(row.values[name]) for name in AMOUNT_COLUMNS if name in row.values})
            try:
                customer = _read_customer(row, seen)
            except BadValues as error:
                bad_rows += 1
                for fault in error.faults:
                    report(Fault(row.line, *fault))
            else:
                if not bad_rows:
                    yield customer
    if bad_rows:
        raise ImportRefused(f"{bad_rows} bad {'row' if bad_rows == 1 else 'rows'}; nothing was imported")


def _read_customer(row: Row, seen: SeenIds) -> Customer:
    """Return the customer of a row. Refuses an id that an earlier line has too."""
    if row.fault:
        raise BadValues([ColumnFault("", row.fault)])
    customer_id = row.values[ID_COLUMN]
    earlier = seen.earlier_line(customer_id, row.line) if customer_id else None
    repeated = [ColumnFault(ID_COLUMN, f"{shown(customer_id)} is on line {earlier} already")] if earlier else []
    try:
        customer = read_customer(row.values)
    except BadValues as error:
        raise BadValues([*repeated, *error.faults]) from error
    if repeated:
        raise BadValues(repeated)
    return customer
