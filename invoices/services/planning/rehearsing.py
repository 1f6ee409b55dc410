"""Show what an act would do to an account's next invoice: the act is done, the invoice is planned, and the act is rolled back.

So a preview has the same rules and refusals as the act. Only for acts that write and ask nothing outside. The tax engine is not
asked, so the lines are before tax.

Previewed in this way: adding, ending and changing plans, new customers, the pages of the catalogue and of the settings
(`ChangePage`, except new people), and changes of plans by method call. Nothing gets out of the rollback: numbers of documents,
events, webhooks, statements, owed files and sessions are rows, and workers are told, and files deleted, after the commit only.
What remains are unused values of the sequences of PostgreSQL, so account and row numbers have holes, as after any refusal. A
service that asks a gateway, sends or stores a file before the commit must not be rehearsed: a new customer's payment method is
added after it, and a logo's page has no preview.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from django.db import OperationalError, transaction

from accounts.models import Client
from billing_site.common.database_errors import refusal_of
from billing_site.common.storage import is_lock_failure
from invoices.services.planning.facts import read_facts
from invoices.services.planning.intended import NextInvoice, next_invoice_of


class Rehearsed(NamedTuple):
    """What the act returned, and the account's next invoice before and after it. `before` is None for a new account."""

    result: Any
    before: NextInvoice | None
    after: NextInvoice


def next_invoice(client: Client, account_no: int, today: date) -> NextInvoice:
    """Return what the account's next invoice has if nothing changes until its bill date."""
    return next_invoice_of(read_facts(client, [account_no]).accounts[account_no], today)


def rehearse(
    act: Callable[[], Any], *, client: Client, today: date, account_no: int | None = None, new_account: bool = False
) -> Rehearsed:
    """Do an act, read the next invoice, and roll the act back. The act of a new account returns the account.

    Raises the act's own refusal, and 3108 if another call is at work on what it locks.
    """
    before = None if account_no is None else next_invoice(client, account_no, today)

    def act_and_plan() -> tuple[Any, NextInvoice]:
        result = act()
        return result, next_invoice(client, result.pk if new_account else account_no or 0, today)

    result, after = attempt(act_and_plan)
    return Rehearsed(result, before, after)


def attempt(act: Callable[[], Any]) -> Any:
    """Do an act, roll it back, and return what it returned. Refuses what the act refuses, and see `rehearse`."""
    try:
        with transaction.atomic():
            result = act()
            transaction.set_rollback(True)
    except OperationalError as error:
        if is_lock_failure(error):
            raise refusal_of(error) from error
        raise
    return result
