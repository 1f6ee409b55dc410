"""How the audit reads: with the same number of queries for any number of documents, and as of one moment."""

import threading
from decimal import Decimal as D
from importlib import import_module

import pytest
import time_machine
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from invoices.audit import one_moment, reads, run_audits
from invoices.audit.reads import ScopeRead
from invoices.audit.scopes import Scope
from invoices.models import CouponRedemption, Invoice, ServiceCredit
from tests.support.audits.names import ACTS
from tests.support.audits.planting import findings, findings_of
from tests.support.audits.world import (
    FEB_10,
    FEB_15,
    JAN_10,
    JAN_15,
    JAN_20,
    an_office_plan,
    an_order,
    generate,
    what_is_added_to_charges,
    what_is_taken_off,
)
from tests.support.everything import a_row_of_each_model
from tests.support.factories import ClientFactory, an_account, some_usage


def test_as_many_queries_for_50_documents_as_for_10(acme):
    plan = an_office_plan(acme)
    what_is_added_to_charges(acme)
    coupon, _ = what_is_taken_off(acme)
    type(coupon).objects.update(max_redemptions=None)

    def bill(count):
        for _ in range(count):
            account = an_account(acme, plan, start=JAN_15)
            generate(account, JAN_15)
            some_usage(account.plan_instances.get(), "calls", "120", JAN_20, f"calls of {account.pk}")
            an_order(account, D("79.90"))
            CouponRedemption.objects.create(coupon=coupon, account=account, redemption_no=account.pk, redeemed_on=JAN_15)
            ServiceCredit.objects.create(account=account, amount=D("20.00"), reason="Outage")
            generate(account, FEB_15)
        with CaptureQueriesContext(connection) as queries:
            assert findings() == {}
        return len(queries)

    assert bill(5) == bill(20)
    assert Invoice.objects.count() == 50


def test_chunks_of_documents_are_joined_and_so_are_rows_of_accounts(acme, monkeypatch):
    # Looked up by name: the package gives the functions of these names, not the modules.
    documents_read, accounts_read = (
        import_module(f"invoices.audit.{name}") for name in ("stored_documents", "account_histories")
    )
    monkeypatch.setattr(documents_read, "DOCUMENTS_AT_ONCE", 2)
    monkeypatch.setattr(reads, "ROWS_AT_ONCE", 2)
    numbers = [generate(an_account(acme), JAN_10) for _ in range(5)]
    assert findings() == {}
    Invoice.objects.filter(pk__in=(numbers[0], numbers[4])).update(total_amount=1000)
    assert [words.split(":")[0] for words in findings_of(ACTS)] == [
        f"invoice {invoice.pk} ({invoice}) of account {invoice.account_id}"
        for invoice in Invoice.objects.filter(total_amount=1000).order_by("pk")
    ]
    documents = list(documents_read.stored_documents(Scope(acme)))
    assert [document.state.invoice_no for document in documents] == numbers
    histories = list(accounts_read.account_histories(Scope(acme)))
    assert [len(history.periods) for history in histories] == [1] * 5


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_reads_one_moment_and_leaves_the_connection_free():
    account = an_account(ClientFactory())
    generate(account, JAN_10)
    assert findings() == {}
    assert not connection.in_atomic_block
    assert generate(account, FEB_10)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="an in-memory SQLite database has one connection")
def test_what_is_billed_meanwhile_is_not_seen():
    account = an_account(ClientFactory())

    def bill():
        generate(account, JAN_10)
        connections.close_all()

    with one_moment():
        assert Account.objects.count() == 1
        other = threading.Thread(target=bill)
        other.start()
        other.join(timeout=30)
        assert not Invoice.objects.exists()
    assert Invoice.objects.count() == 1


def test_each_read_of_a_client_returns_what_its_queryset_returns(acme, process, monkeypatch):
    """An audit of rows of each kind, with the reads whose SQL is kept compared with their querysets."""
    read, count, used = ScopeRead.__call__, ScopeRead.count, set()

    def checked_rows(self, scope):
        found, built = list(read(self, scope)), self._build(scope)
        in_order = list if built.ordered else sorted
        assert in_order(found) == in_order(built), self._build.__qualname__
        used.add(self)
        return iter(found)

    def checked_count(self, scope):
        found = count(self, scope)
        assert found == self._build(scope).count(), self._build.__qualname__
        return found

    monkeypatch.setattr(ScopeRead, "__call__", checked_rows)
    monkeypatch.setattr(ScopeRead, "count", checked_count)
    with time_machine.travel(JAN_10, tick=False):
        a_row_of_each_model(acme, process)
    run_audits(acme)
    assert len(used) >= 25
