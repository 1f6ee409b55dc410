"""What a decision on documents would do, told before it is taken: to which of them, for how much, and to which not and why."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.callers import Caller
from accounts.models import Client
from billing_site.errors import BillingError
from invoices.calculation import ZERO
from invoices.models import Invoice
from invoices.plan.actions import Action
from invoices.services.actions import available_actions, document_facts
from invoices.services.approving.effects import effects_of


class Refused(NamedTuple):
    """A document that cannot be acted on so."""

    invoice_no: int
    name: str
    error: BillingError


class Ahead(NamedTuple):
    """`totals` are how many documents there are of a currency and what they come to: what is due, where it is collected.
    `collected` and `statements` count the documents on which that follows, as the client's settings say."""

    action: Action
    refused: list[Refused]
    totals: dict[str, tuple[int, Decimal]]
    collected: int = 0
    statements: int = 0


def look_ahead(client: Client, invoice_nos: Collection[int], action: Action, caller: Caller, today: date) -> Ahead:
    """In a constant number of queries, however many there are."""
    facts, allowed = document_facts(invoice_nos), available_actions(client, invoice_nos, caller, today, [action])
    errors = {number: one.error for number, (one,) in allowed.items()}
    refused = [Refused(number, facts[number].name, error) for number, error in errors.items() if error is not None]
    totals: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, ZERO))
    open_nos = [number for number, error in errors.items() if error is None]
    for one in (facts[number] for number in open_nos):
        count, amount = totals[one.currency]
        totals[one.currency] = (count + 1, amount + (one.due if action is Action.COLLECT else one.total))
    if action is not Action.APPROVE:
        return Ahead(action, refused, dict(totals))
    return Ahead(action, refused, dict(totals), *effects_of(client, Invoice.objects.filter(pk__in=open_nos)))
