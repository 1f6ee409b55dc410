"""Callers at the same moment, in real threads on PostgreSQL: one rebill of an invoice, no deadlock, no cent lost."""

from decimal import Decimal as D
from functools import partial

import pytest
from django.db import connection

from accounts.callers import Caller
from accounts.models import PaymentMethod
from invoices.models import Invoice, Payment
from invoices.services.approving.acts import approve_invoices, discard_invoices
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.payments import record_external_payment
from invoices.services.undoing.voiding import void_invoice
from rebills.kinds import RuleChange
from rebills.models import CampaignItem
from rebills.plan.campaign_rules import Rule
from rebills.services.campaigns.campaigns import approve_campaign, continue_campaign, start_campaign
from rebills.services.rebilling import rebill_invoices
from tests.support.billing import JAN_10, bill
from tests.support.campaigns import a_campaign
from tests.support.factories import ClientFactory, a_plan, an_account
from tests.support.money_races import at_once, no_findings
from tests.support.outcomes import code_of, error_of
from tests.support.paying import books, due
from tests.support.rebilling import a_request, line

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
    pytest.mark.django_db(transaction=True),
]
CALLER = Caller(process="test")
ROUNDS = 6


@pytest.fixture
def client(transactional_db):
    return ClientFactory()


@pytest.fixture
def by(client):
    return {"client": client, "caller": CALLER, "today": JAN_10}


def an_invoice(client, plan=None):
    account = an_account(client, plan)
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved")
    return bill(account, CALLER, JAN_10)


def rebilling(by, *requests):
    def act():
        outcomes = rebill_invoices(requests=list(requests), **by)
        return [code_of(one) for one in outcomes]

    return act


def test_twenty_at_once_make_one_rebill(client, by):
    invoice = an_invoice(client)
    answers = at_once(*[rebilling(by, a_request(invoice, line(1, rate_per_unit="20.00"), collect=True))] * 20)
    codes = sorted(code for (code,) in answers)
    assert codes[0] == 0
    assert set(codes[1:]) <= {90033, 3108}
    assert Invoice.objects.filter(corrects=invoice).count() == 2
    assert (books(), account_balance(invoice.account)) == ([D(20)], 0)
    no_findings()


def test_two_campaigns_at_once_correct_each_document_once(client, by, django_user_model):
    boss = Caller(staff=django_user_model.objects.create_user("boss", is_staff=True, is_superuser=True))
    client.staff.add(boss.staff)
    invoices = [an_invoice(client) for _ in range(3)]
    campaigns = [a_campaign(client, CALLER, Rule(RuleChange.RATE, D(rate)), invoices=invoices) for rate in (20, 25)]
    for one in campaigns:
        approve_campaign(one, fingerprint=one.fingerprint, caller=boss)
        start_campaign(one, caller=CALLER)
    at_once(*(partial(continue_campaign, one) for one in campaigns))
    for invoice in invoices:
        items = CampaignItem.objects.filter(invoice=invoice)
        assert sorted(items.values_list("state", flat=True)) == ["failed", "rebilled"]
        assert items.get(state="failed").error_code in {90033, 3108}
        assert items.get(state="rebilled").rebill == Invoice.objects.get(corrects=invoice, kind="rebill")
    no_findings()


def others(by, invoice):
    """What else may be done with an invoice at the same moment."""
    return {
        "paid": lambda: record_external_payment(
            client=by["client"], account_no=invoice.account_id, caller=CALLER, today=JAN_10, amount=D(30), type="check"
        ),
        "voided": lambda: void_invoice(invoice_no=invoice.pk, reason_code=5, **by),
        "collected": lambda: collect_invoices(invoice_nos=[invoice.pk], **by),
        "credited": lambda: create_credit_memo(
            invoice_no=invoice.pk, why=Why(1, "so"), credit=CreditRequest(amount=D(5)), **by
        ),
    }


@pytest.mark.parametrize("other", ["paid", "voided", "collected", "credited"])
def test_a_rebill_against_another_act_loses_no_cent(client, by, other):
    plan = a_plan(client)
    for _ in range(ROUNDS):
        invoice = an_invoice(client, plan)
        request = a_request(invoice, line(1, rate_per_unit="20.00"))
        (codes, answer) = at_once(rebilling(by, request), others(by, invoice)[other])
        rebill = Invoice.objects.filter(corrects=invoice, kind="rebill").first()
        assert codes[0] in (0, 3108, 90018, 90032, 90037)
        assert (codes[0] == 0) == (rebill is not None)
        if other == "voided" and not isinstance(answer, int):
            assert rebill is None
        owed = due(rebill) if rebill else due(invoice)
        paid = sum(-one.entry.amount for one in Payment.objects.filter(account=invoice.account))
        total = rebill.total_amount if rebill else owed + paid
        assert account_balance(invoice.account) == total - paid
        if other == "collected":
            assert paid == sum(one.amount for one in invoice.collection_attempts.filter(status="collected"))
    no_findings()


def test_a_held_rebill_is_approved_or_discarded_and_not_both(client, by):
    client.rebill_approval_required = True
    client.save()
    plan = a_plan(client)
    for _ in range(ROUNDS):
        invoice = an_invoice(client, plan)
        rebilling(by, a_request(invoice, 1))()
        rebill = Invoice.objects.get(corrects=invoice)
        approved, discarded = at_once(
            lambda rebill=rebill: approve_invoices(invoice_nos=[rebill.pk], **by),
            lambda rebill=rebill: discard_invoices(client=client, invoice_nos=[rebill.pk], caller=CALLER),
        )
        assert [error_of(one) is None for (one,) in (approved, discarded)].count(True) == 1
        rebill.refresh_from_db()
        assert rebill.status == ("approved" if error_of(approved[0]) is None else "discarded")
    no_findings()


def test_two_batches_in_opposite_order_never_deadlock(client, by):
    plan = a_plan(client)
    for _ in range(3):
        invoices = [an_invoice(client, plan) for _ in range(8)]
        requests = [a_request(one, 1) for one in invoices]
        answers = at_once(rebilling(by, *requests), rebilling(by, *reversed(requests)))
        assert {code for codes in answers for code in codes} <= {0, 3108, 90033}
        assert Invoice.objects.filter(corrects__in=invoices, kind="rebill").count() == sum(codes.count(0) for codes in answers)
    no_findings()
