"""One-off invoices: charges billed at once, beside the cycles of the account, pending or issued."""

from decimal import Decimal as D

import pytest

from accounts.models import Account
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import DecisionAct
from invoices.models import Invoice, OneTimeCharge
from invoices.plan.facts import BillingRequest
from invoices.services.approving.deciding import decide_on_one
from invoices.services.billing.generating import generate_invoice
from invoices.services.billing.one_off import bill_one_off
from invoices.services.billing.one_time_charges import NewCharge
from invoices.services.billing.recording import Recording, record_plans
from invoices.services.issuing.issuing import IssuePolicy
from invoices.services.planning.previewing import preview_invoices
from tests.support.billing import JAN_10, bill
from tests.support.factories import ServiceFactory, TaxRateFactory, an_account
from tests.support.money_api import post, with_key
from tests.support.orders import PROCESS, order

pytestmark = pytest.mark.usefixtures("audited")

DATES = ("bill_day", "next_bill_date", "last_bill_date", "arrears_due_from", "orders_due")


@pytest.fixture
def account(acme):
    return an_account(acme)


@pytest.fixture
def router(acme):
    return ServiceFactory(client=acme, client_service_id="router", name="Router")


def one_off(account, *charges, **options):
    number = bill_one_off(
        client=account.client, account_no=account.pk, caller=PROCESS, today=JAN_10, charges=charges, **options
    )
    return Invoice.objects.get(pk=number)


def dates(account):
    return Account.objects.filter(pk=account.pk).values_list(*DATES).get()


def lines(invoice):
    return list(invoice.lines.order_by("line_no").values_list("description", "units", "amount"))


def test_charges_are_billed_now_and_no_date_moves(account, router):
    """The cycle that is due too is billed by its own invoice, as before."""
    before = dates(account)
    invoice = one_off(account, NewCharge(router, D("79.90"), description="Router, black"), NewCharge(router, D(10), D(2)))
    assert lines(invoice) == [("Router, black", D(1), D("79.90")), ("Router", D(2), D("20.00"))]
    assert (invoice.kind, invoice.status, invoice.total_amount, invoice.document_number) == (
        "one_off",
        "approved",
        D("99.90"),
        "INV-000001",
    )
    assert dates(account) == before
    orders = OneTimeCharge.objects.order_by("pk")
    assert [(one.invoice_id, one.charge_date) for one in orders] == [(invoice.pk, JAN_10)] * 2
    assert [one.order_no for one in invoice.lines.filter(line_type=8)] == [one.pk for one in orders]
    cycle = bill(account, PROCESS, JAN_10)
    assert cycle.kind == "recurring"
    assert not cycle.lines.filter(line_type=8).exists()


def test_the_preview_is_the_invoice(account, router, acme):
    TaxRateFactory(client=acme)
    api = with_key(acme)
    body = {"acct_no": account.pk, "charges": [{"service": router.pk, "rate_per_unit": "79.90", "po_num": "PO 7"}]}
    preview = post(api, "invoices/one_off/preview", body, 200)
    assert not Invoice.objects.exists() and not OneTimeCharge.objects.exists()
    shown = post(api, "invoices/one_off", {**body, "fingerprint": preview["fingerprint"]}, 201)
    assert (shown["kind"], shown["total_amount"], shown["amount_due"]) == ("one_off", *[preview["total_amount"]] * 2)
    assert shown["lines"][0]["po_num"] == "PO 7"
    twice = {**body, "charges": body["charges"] * 2, "fingerprint": preview["fingerprint"]}
    other = post(api, "invoices/one_off", twice)
    assert other["error_code"] == 90003
    assert Invoice.objects.count() == 1 and OneTimeCharge.objects.count() == 1


def test_a_stored_charge_is_billed_before_its_day(account, router):
    stored = order(account, router, client_order_id="O-1")
    later = order(account, router, client_order_id="O-2")
    invoice = one_off(account, order_nos=[stored.pk])
    assert [line.order_no for line in invoice.lines.filter(line_type=8)] == [stored.pk]
    assert list(OneTimeCharge.objects.filter(invoice=None)) == [later]
    with pytest.raises(BillingError) as refused:
        one_off(account, order_nos=[stored.pk])
    assert (refused.value.code, refused.value.field) == (ErrorCode.ON_AN_INVOICE, "order_nos")


def test_pending_beside_a_pending_invoice_of_the_cycle_and_discarded(umbra):
    account = an_account(umbra)
    service = ServiceFactory(client=umbra, client_service_id="router")
    cycle = bill(account, PROCESS, JAN_10)
    assert cycle.status == "pending"
    api = with_key(umbra, may_approve=True, may_add_usage=True)
    body = {"acct_no": account.pk, "charges": [{"service": service.pk, "rate_per_unit": "5.00"}]}
    pending = post(api, "invoices/one_off", body, 201)
    assert (pending["status"], pending["kind"], pending["flags"]) == ("pending", "one_off", [])
    refused = post(api, f"invoices/{pending['invoice_no']}/regenerate", {}, 409)
    assert refused["error_code"] == 90271
    post(api, f"invoices/{pending['invoice_no']}/discard", {}, 200)
    assert OneTimeCharge.objects.get().invoice_id is None


def test_approving_issues_it_as_it_was_seen(umbra, alice):
    account = an_account(umbra)
    service = ServiceFactory(client=umbra, client_service_id="router")
    before = dates(account)
    pending = one_off(account, NewCharge(service, D("5.00")), force_pending=True)
    decide_on_one(DecisionAct.APPROVE, client=umbra, invoice_no=pending.pk, caller=alice, today=JAN_10)
    pending.refresh_from_db()
    assert (pending.status, pending.open_amount) == ("approved", D("5.00"))
    assert dates(account) == before


def test_a_refusal_stores_no_charge(account, router, acme):
    acme.tax_engine = "failing"
    acme.save()
    with pytest.raises(BillingError):
        one_off(account, NewCharge(router, D("79.90")))
    assert not OneTimeCharge.objects.exists() and not Invoice.objects.exists()


@pytest.mark.parametrize(
    ("charges", "code", "field"),
    [
        ([], ErrorCode.MISSING_PARAMETER, "charges"),
        ([("-5", "")], ErrorCode.NOT_ON_ONE_INVOICE, None),
        ([("5", "O-1"), ("6", "O-1")], ErrorCode.RECORD_ID_USED, "client_order_id"),
        ([("5", "O-9")], ErrorCode.RECORD_ID_USED, "client_order_id"),
    ],
)
def test_what_cannot_be_billed_at_once_is_refused(account, router, charges, code, field):
    order(account, router, client_order_id="O-9")
    with pytest.raises(BillingError) as refused:
        one_off(account, *(NewCharge(router, D(rate), client_order_id=name) for rate, name in charges))
    assert (refused.value.code, refused.value.field) == (code, field)
    assert OneTimeCharge.objects.count() == 1 and not Invoice.objects.exists()


def test_what_is_planned_for_a_cycle_does_not_bill_a_charge_that_was_taken(account, router):
    """A plan of the cycle that was made before is not recorded, because the charge is no longer free."""
    stored = order(account, router)
    planned = preview_invoices(client=account.client, account_nos=[account.pk], request=BillingRequest(JAN_10))
    one_off(account, order_nos=[stored.pk])
    (written,) = record_plans(Recording(IssuePolicy(account.client), PROCESS, BillingRequest(JAN_10)), planned)
    assert written.error.code is ErrorCode.IN_PROGRESS
    assert generate_invoice(client=account.client, account_no=account.pk, request=BillingRequest(JAN_10), caller=PROCESS)


def test_a_retried_call_answers_the_same_invoice(account, router, acme):
    api = with_key(acme)
    body = {"acct_no": account.pk, "charges": [{"service": router.pk, "rate_per_unit": "79.90"}]}
    api.credentials(**{**api._credentials, "HTTP_IDEMPOTENCY_KEY": "once-1"})
    first, again = (post(api, "invoices/one_off", body, 201) for _ in range(2))
    assert first["invoice_no"] == again["invoice_no"]
    assert Invoice.objects.count() == 1 and OneTimeCharge.objects.count() == 1


def test_it_is_voided_and_its_charge_waits_for_the_next_invoice(account, router, acme):
    api = with_key(acme, may_correct=True)
    number = one_off(account, NewCharge(router, D("79.90"))).pk
    post(api, f"invoices/{number}/void", {"reason_code": 5}, 200)
    cycle = bill(account, PROCESS, JAN_10)
    assert D("79.90") in {line[2] for line in lines(cycle)}


def test_an_account_without_a_plan_can_be_billed(acme, router):
    """Nothing but the currency and status of the account decides."""
    bare = an_account(acme)
    bare.plan_instances.all().delete()
    Account.objects.filter(pk=bare.pk).update(bill_day=None, next_bill_date=None)
    invoice = one_off(bare, NewCharge(router, D("3.00")))
    assert (invoice.total_amount, dates(bare)) == (D("3.00"), (None,) * 5)
