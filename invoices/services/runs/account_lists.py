"""Lists of accounts for the filter of a billing run, as they are entered, pasted, or read from a file."""

import csv
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Client
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.services.runs.filters import AccountFilter, first_named, numbers_by_text, read_filter

COLUMNS = ("acct_no", "client_acct_id")
"""The columns of a file that name an account. A file without a header has one column."""


class Problem(TextChoices):
    """Why a row of a list cannot be used. An account of another client is unknown, so that its existence is not revealed."""

    UNKNOWN = "unknown", _("There is no such account.")
    DOUBLED = "doubled", _("This account is already in the list.")


class WrongRow(NamedTuple):
    """A row of a list that cannot be used: its number from 1, its text, and why."""

    row: int
    text: str
    problem: Problem


class AccountList(NamedTuple):
    """The texts of a list that name an account, each account once, and the rows that cannot be used."""

    texts: list[str]
    wrong: list[WrongRow]


def rows_of_text(text: str) -> list[tuple[int, str]]:
    """Return the accounts of a pasted or uploaded list with the numbers of their rows, from 1. Empty rows are left out.

    Each row names one account, or is a row of a CSV file: then the column acct_no or client_acct_id counts, without a header
    its only one. Refuses (1016) what cannot be read, several columns without a header, and a text that names no account, such
    as a header alone: a run without accounts in its filter would bill all that are due."""
    lines = text.lstrip("\ufeff").splitlines(keepends=True)
    separator = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    try:
        # Strict, because a quote that is never closed would join the rows behind it into one number.
        reader = csv.reader(lines, delimiter=separator, strict=True)
        rows = [(number, cells) for number, cells in enumerate(reader, 1) if any(cells)]
    except csv.Error as error:
        raise BillingError(
            ErrorCode.INVALID_INPUT, Detail("accounts: the list cannot be read: {error}", error=str(error)), field="accounts"
        ) from error
    header = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    column = next((header.index(name) for name in COLUMNS if name in header), None)
    if column is None:
        _check_one_column(rows)
    body = rows if column is None else rows[1:]
    found = [(number, cells[column or 0].strip() if len(cells) > (column or 0) else "") for number, cells in body]
    named = [(number, cell) for number, cell in found if cell]
    if text and not named:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("accounts: the list names no account"), field="accounts")
    return named


def _check_one_column(rows: list[tuple[int, list[str]]]) -> None:
    """Refuse (1016) a list without a header in which a row has several cells: nothing says which of them is the account."""
    for number, cells in rows:
        if len([cell for cell in cells if cell.strip()]) > 1:
            detail = Detail(
                "accounts: row {row} has several cells; write each account in a row of its own, or name the column acct_no or "
                "client_acct_id in the first row",
                row=number,
            )
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field="accounts")


def read_account_list(client: Client, rows: Iterable[tuple[int, str]]) -> AccountList:
    """Return which rows name an account of the client, by number or the client's own id, and which cannot be used."""
    listed = list(rows)
    found = numbers_by_text(Account.objects.filter(client=client), "client_acct_id", [text for _, text in listed])
    texts: list[str] = []
    wrong: list[WrongRow] = []
    seen: set[int] = set()
    for row, text in listed:
        number = found.get(text)
        if number is None:
            wrong.append(WrongRow(row, text, Problem.UNKNOWN))
        elif number in seen:
            wrong.append(WrongRow(row, text, Problem.DOUBLED))
        else:
            seen.add(number)
            texts.append(text)
    return AccountList(texts, wrong)


def read_strict_filter(client: Client, values: Mapping[str, Any]) -> AccountFilter:
    """Check a filter as `read_filter` does, and refuse (1016) also accounts that are listed more than once."""
    chosen = read_filter(client, values)
    texts = [str(text).strip() for text in values.get("accounts") or ()]
    if len(texts) != len(chosen.accounts):
        doubled = dict.fromkeys(one.text for one in read_account_list(client, enumerate(texts, 1)).wrong)
        raise BillingError(
            ErrorCode.INVALID_INPUT,
            Detail("accounts: {listed} listed more than once", listed=first_named(doubled)),
            field="accounts",
        )
    return chosen
