"""Accounts that the filter of a billing run lists by name and that the run does not take in: which, and why."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from django.db.models import Exists, OuterRef, QuerySet, TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Client
from invoices.kinds import RunMode
from invoices.models import BillingRun
from invoices.services.runs.due_accounts import due_accounts
from invoices.services.runs.filters import AccountFilter, stored_filter

MOST_LEFT_OUT = 100
"""How many accounts are listed. All are counted."""


class WhyLeftOut(TextChoices):
    """Why a run does not take in an account."""

    NOT_DUE = "not_due", _("It is not due.")
    DUE_ALREADY = "due_already", _("It is due already, and the run bills in advance.")
    NO_CYCLE = "no_cycle", _("It has no plan that still has to be billed.")
    OTHER_FILTER = "other_filter", _("It does not match the other fields of the filter.")
    UNCOLLECTABLE = "uncollectable", _("Its last invoice was voided because it could not be collected.")


class LeftOut(NamedTuple):
    """An account that is listed and left out. `next_bill_date` is None if it has no cycle to bill."""

    acct_no: int
    client_acct_id: str
    next_bill_date: date | None
    reason: WhyLeftOut


class AccountsLeftOut(NamedTuple):
    """The first accounts that are left out, by number, how many there are, and how many the filter lists."""

    first: Sequence[LeftOut]
    accounts: int
    listed: int


NONE_LEFT_OUT = AccountsLeftOut((), 0, 0)


def left_out(client: Client, today: date, chosen: AccountFilter, mode: RunMode) -> AccountsLeftOut:
    """Return the listed accounts that a run with this filter would not take in today. Without a list, none: no query."""
    if not chosen.accounts:
        return NONE_LEFT_OUT
    due = due_accounts(client, today, replace(chosen, accounts=()), mode).filter(pk=OuterRef("pk"))
    rows = Account.objects.filter(client=client, pk__in=chosen.accounts).exclude(Exists(due))
    return _of(rows, chosen, mode, today)


def left_out_of(run: BillingRun) -> AccountsLeftOut:
    """Return the accounts that the filter of a run lists and that the run has not taken in, with their next bill dates now."""
    chosen = stored_filter(run.filter)
    if not chosen.accounts:
        return NONE_LEFT_OUT
    taken_in = run.outcomes.filter(account=OuterRef("pk"))
    rows = Account.objects.filter(client=run.client_id, pk__in=chosen.accounts).exclude(Exists(taken_in))
    return _of(rows, chosen, RunMode(run.mode), run.bill_date)


def _of(rows: QuerySet[Account], chosen: AccountFilter, mode: RunMode, today: date) -> AccountsLeftOut:
    found = list(rows.order_by("pk").values_list("pk", "client_acct_id", "next_bill_date")[: MOST_LEFT_OUT + 1])
    first = [LeftOut(number, name, day, _why(day, chosen, mode, today)) for number, name, day in found[:MOST_LEFT_OUT]]
    count = rows.count() if len(found) > MOST_LEFT_OUT else len(found)
    return AccountsLeftOut(first, count, len(chosen.accounts))


def _why(day: date | None, chosen: AccountFilter, mode: RunMode, today: date) -> WhyLeftOut:
    if day is None:
        return WhyLeftOut.NO_CYCLE
    if mode == RunMode.ADVANCE and day <= today:
        return WhyLeftOut.DUE_ALREADY
    latest = chosen.due_until or day if mode == RunMode.ADVANCE else min(chosen.due_until or today, today)
    if day > latest:
        return WhyLeftOut.NOT_DUE
    has_other_parts = replace(chosen, accounts=(), due_until=None) != AccountFilter()
    return WhyLeftOut.OTHER_FILTER if has_other_parts else WhyLeftOut.UNCOLLECTABLE
