"""What the database guards when many act at once: real threads and connections, on PostgreSQL."""

from collections import Counter
from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection, transaction

from accounts.models import Account, Event
from billing_site.errors import BillingError
from invoices.models import Invoice, NumberSeries
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices
from invoices.services.billing.generating import generate_invoice, generate_invoices
from invoices.services.documents import batches
from tests.support.factories import ClientFactory, an_account
from tests.support.outcomes import code_of, error_of
from tests.support.races import PROCESS, THREADS, at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]

JAN_10 = date(2026, 1, 10)


def generate(account, day=JAN_10, **options):
    return generate_invoice(
        client=account.client,
        account_no=account.pk,
        request=BillingRequest(day, **options.pop("request", {})),
        caller=PROCESS,
        **options,
    )


@pytest.mark.parametrize("force_pending", [False, True])
def test_twenty_threads_generating_for_one_account_make_one_invoice(force_pending):
    account = an_account(ClientFactory())
    results = at_once(lambda _: generate(account, request={"force_pending": force_pending}))
    made = [result for result in results if isinstance(result, int)]
    refused = [result for result in results if not isinstance(result, int)]
    assert len(made) == 1
    assert all(isinstance(error, BillingError) for error in refused), refused
    assert {error.code.number for error in refused} <= {7006, 7007, 3108}
    assert Invoice.objects.get().pk == made[0]
    issued = {} if force_pending else {"invoice.issued": 1}
    assert Counter(Event.objects.values_list("act", flat=True)) == {"invoice.generated": 1, "invoice.refused": 19, **issued}


def test_numbers_have_no_hole_when_many_accounts_are_billed_at_once():
    client = ClientFactory()
    accounts = [an_account(client) for _ in range(THREADS)]
    assert all(isinstance(result, int) for result in at_once(lambda number: generate(accounts[number])))
    assert sorted(Invoice.objects.values_list("number", flat=True)) == list(range(1, THREADS + 1))
    assert NumberSeries.objects.get().last_number == THREADS


def test_two_batches_over_the_same_accounts_bill_each_once():
    client = ClientFactory()
    numbers = [an_account(client).pk for _ in range(30)]
    results = at_once(
        lambda _: generate_invoices(client=client, account_nos=numbers, request=BillingRequest(JAN_10), caller=PROCESS), 4
    )
    outcomes = [outcome for result in results for outcome in result]
    assert Invoice.objects.count() == 30
    assert sum(error_of(outcome) is None for outcome in outcomes) == 30
    assert {code_of(outcome) for outcome in outcomes} <= {0, 7007, 3108}
    assert sorted(Invoice.objects.values_list("number", flat=True)) == list(range(1, 31))


def test_twenty_approvals_of_one_invoice_issue_it_once():
    account = an_account(ClientFactory())
    number = generate(account, request={"force_pending": True})
    results = at_once(lambda _: approve_invoices(client=account.client, invoice_nos=[number], caller=PROCESS, today=JAN_10)[0])
    assert Counter(code_of(outcome) for outcome in results) == {0: 1, 3015: 19}
    assert NumberSeries.objects.get().last_number == 1
    assert Event.objects.filter(act="invoice.approved").count() == 1


def test_a_locked_account_is_skipped_by_a_batch_and_reported():
    client = ClientFactory()
    locked, free = an_account(client), an_account(client)
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).get(pk=locked.pk)
        (outcomes,) = at_once(
            lambda _: generate_invoices(
                client=client, account_nos=[locked.pk, free.pk], request=BillingRequest(JAN_10), caller=PROCESS
            ),
            1,
        )
    assert [code_of(outcome) for outcome in outcomes] == [3108, 0]


def test_a_single_call_waits_for_a_lock_and_then_gives_3108(monkeypatch):
    monkeypatch.setattr(batches, "LOCK_WAIT_SECONDS", 1)
    account = an_account(ClientFactory())
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        (error,) = at_once(lambda _: generate(account), 1)
    assert error.code.number == 3108
    assert not Invoice.objects.exists()
    assert Invoice.objects.filter(pk=generate(account)).get().total_amount == D(30)


def test_a_plan_change_between_planning_and_recording_voids_the_plan(monkeypatch):
    """The account is changed by another connection after its plan was made: nothing is recorded on what no longer holds."""
    account = an_account(ClientFactory())
    original = batches.limit_lock_wait

    def change_first(seconds):
        at_once(lambda _: Account.objects.filter(pk=account.pk).update(billing_version=99), 1)
        original(seconds)

    monkeypatch.setattr(batches, "limit_lock_wait", change_first)
    with pytest.raises(BillingError) as refused:
        generate(account)
    assert refused.value.code.number == 3108
    assert not Invoice.objects.exists()
