"""Approval rules that are on, and documents under them."""

import pytest

from accounts.callers import Caller
from accounts.models import Event
from billing_site.errors import BillingError
from invoices.services.approving.rules import make_rules, switch_on
from invoices.services.planning.rule_matching import ruled_documents
from tests.support.factories import BY_TEST, a_plan, an_account
from tests.support.pending import a_pending


def on(client, *rules):
    """Switch a new version with these rules on."""
    named = [{"name": f"rule {position}", **rule} for position, rule in enumerate(rules, 1)]
    version = make_rules(client=client, rules=named, caller=BY_TEST)
    return switch_on(client=client, version_no=version.pk, caller=BY_TEST)


def priced(client, amount):
    return a_pending(client, Caller(process="test"), an_account(client, a_plan(client, {"phone": amount})))


def rule_of(client, invoice):
    found = ruled_documents(client, [invoice.pk])
    return found[invoice.pk].rule.position if found else None


def code(do, **arguments):
    with pytest.raises(BillingError) as refused:
        do(**arguments)
    return refused.value.code.number


def event_of(invoice, act):
    return Event.objects.get(invoice_no=invoice.pk, act=act)
