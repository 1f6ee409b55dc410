"""PURE: a document as JSON values, and back. Versions of pending documents are kept like this."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from invoices.basis import basis_of, basis_rows
from invoices.document import Correction, Credit, Document, Line, Parties, Period, Tax, Terms
from invoices.tax_basis import read_basis

T = TypeVar("T")


def written(document: Document) -> dict[str, Any]:
    """Return a document as values that JSON has. Amounts and days are texts, empty values are left out."""
    return {
        "terms": _values(document.terms),
        "parties": _values(document.parties),
        "lines": [_values(line) for line in document.lines],
        "credits": [_values(credit) for credit in document.credits],
        "taxes": [_values(tax) for tax in document.taxes],
        "periods": [_values(period) for period in document.periods],
        "correction": None if document.correction is None else _values(document.correction),
        "basis": [[_value(value) for value in row] for row in basis_rows(document.basis)],
        "tax_basis": None if document.tax_basis is None else document.tax_basis.stored,
    }


def read_document(values: Mapping[str, Any]) -> Document:
    """Return the document of what `written` returned."""
    correction = values["correction"]
    return Document(
        terms=_read(Terms, values["terms"]),
        parties=_read(Parties, values["parties"]),
        lines=tuple(_read(Line, one) for one in values["lines"]),
        credits=tuple(_read(Credit, one) for one in values["credits"]),
        taxes=tuple(_read(Tax, one) for one in values["taxes"]),
        periods=tuple(_read(Period, one) for one in values["periods"]),
        correction=None if correction is None else _read(Correction, correction),
        basis=basis_of([_basis_row(row) for row in values["basis"]]),
        tax_basis=read_basis(values["tax_basis"]),
    )


def _values(part: Any) -> dict[str, Any]:
    return {one.name: _value(value) for one in fields(part) if (value := getattr(part, one.name)) not in (None, "")}


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value.isoformat() if isinstance(value, date) else value


def _read(shape: type[T], values: Mapping[str, Any]) -> T:
    parts = {one.name: one.type for one in fields(shape)}  # type: ignore[arg-type]
    return shape(**{name: _read_value(kind, values[name]) if name in values else _empty(kind) for name, kind in parts.items()})


def _empty(kind: Any) -> str | None:
    return "" if kind is str else None


def _read_value(kind: Any, value: Any) -> Any:
    if kind in (Decimal, Decimal | None):
        return Decimal(value)
    return date.fromisoformat(value) if kind in (date, date | None) else value


def _basis_row(row: list[Any]) -> list[Any]:
    """Return a row in the order of BASIS_FIELDS, whose first and last day are texts."""
    days = [None if day is None else date.fromisoformat(day) for day in row[4:6]]
    return [*row[:4], *days, *row[6:]]
