"""Statements of accounts with an e-mail address, and mail servers that fail."""

import pytest
from django.core import mail
from django.utils import timezone

from invoices.models import Statement
from tests.support.billing import JAN_10, bill
from tests.support.factories import a_plan, an_account


@pytest.fixture
def sending(acme):
    acme.statement_on_issue = True
    acme.save()
    return acme


def account_of(client, email="ada@example.com", **fields):
    account = an_account(client, a_plan(client, {"phone": "30.00"}), **fields)
    account.contacts.update(email=email)
    return account


def sent():
    return [(message.to, message.subject) for message in mail.outbox]


def standing(invoice):
    return list(invoice.statements.values_list("status", "email", "error_code"))


def waiting(client, caller, *emails):
    """Create issued invoices whose statements are requested and not sent yet."""
    invoices = [bill(account_of(client, email), caller, JAN_10) for email in emails]
    for invoice in invoices:
        Statement.objects.create(invoice=invoice, status="requested", requested_by=caller.identity, requested_at=timezone.now())
    return invoices
