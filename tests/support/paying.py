"""Accounts that pay, in tests: their tokens, their amounts due, and the gateway's own records."""

import sqlite3
from decimal import Decimal as D
from pathlib import Path

from django.conf import settings

from accounts.models import PaymentMethod
from invoices.kinds import EntryKind
from invoices.models import LedgerEntry
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.open_items import charges_of, open_credits
from tests.support.billing import JAN_10, bill
from tests.support.factories import a_plan, an_account

WHY = Why(1, "as agreed")


def paying(client, token="sandbox_approved", rate="30.00", **fields):
    """Create an account that is charged `rate` a month from 10 January, and pays by a sandbox token."""
    account = an_account(client, a_plan(client, {"phone": rate}), **fields)
    PaymentMethod.objects.create(account=account, type="card", token=token, label="Test card")
    return account


def billed(client, caller, token="sandbox_approved", rate="30.00", day=JAN_10, **fields):
    """Create such an account, and return it with its invoice."""
    account = paying(client, token, rate, **fields)
    return account, bill(account, caller, day)


def due(invoice):
    return charges_of([invoice.pk])[invoice.pk].due


def unapplied(account):
    return sum((item.open for item in open_credits([account.pk]).get(account.pk, [])), D(0))


def ledger(account):
    """Return the kind, amount and balance after it of each of the account's entries."""
    rows = LedgerEntry.objects.filter(account=account).order_by("entry_no")
    return [(EntryKind(kind), amount, after) for kind, amount, after in rows.values_list("kind", "amount", "balance_after")]


def books(table="charges"):
    """Return the amounts of charges or refunds in the sandbox's own records."""
    if not Path(settings.SANDBOX_GATEWAY_FILE).exists():
        return []
    with sqlite3.connect(settings.SANDBOX_GATEWAY_FILE) as own:
        made = " WHERE result = 'done'" if table == "charges" else ""
        return [D(amount) for (amount,) in own.execute(f"SELECT amount FROM {table}{made}")]
