"""Whatever is rebilled in whatever way: nothing is left of the original, nothing is lost of what was paid, and the preview was
right to the cent. Whatever is done to an account in whatever order: the audit finds nothing."""

import os
from datetime import date
from decimal import Decimal as D

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.callers import Caller
from accounts.kinds import ChargeType
from accounts.models import PaymentMethod, Service
from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError
from invoices.audit import run_audits
from invoices.calculation import rounded
from invoices.kinds import LineType
from invoices.models import Invoice, LedgerEntry, Payment
from invoices.services.approving.decide_pending import approve_invoices, discard_invoices
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.open_items import charges_of
from invoices.services.money.ledger.payments import record_external_payment
from invoices.services.money.ledger.refunds import refund_payment
from rebills.services.previewing import preview_rebills
from rebills.services.rebilling import rebill_invoices
from rebills.services.requests import RebillRequest, RequestedLine, RequestedUsage
from tests.support.billing import bill
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import ClientFactory, PlanFactory, TaxRateFactory, a_charge, an_account, some_usage
from tests.support.memos import memo_of, taxes, totals, void
from tests.support.orders import order
from tests.support.outcomes import error_of
from tests.support.paying import due, unapplied
from tests.support.service_credits import credit

CALLER = Caller(process="test")
EXAMPLES = settings(
    max_examples=int(os.environ.get("SOAK_EXAMPLES", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JAN_10, FEB_10 = date(2026, 1, 10), date(2026, 2, 10)
TYPES = (ChargeType.RECURRING, ChargeType.ACTIVATION, ChargeType.USAGE, ChargeType.ARREARS)

pytestmark = pytest.mark.django_db


def no_findings(client):
    assert [finding for report in run_audits(client) for finding in report.findings] == []


@st.composite
def charges(draw):
    """What a plan charges: for each service its type, its rate in ten-thousandths, and whether the price contains tax. The
    first is charged on every invoice."""
    one = st.tuples(st.sampled_from(TYPES), st.integers(0, 500_000), st.booleans())
    others = draw(st.sampled_from([0, 1, 2, 3, 5, 8, 36]))
    first = (ChargeType.RECURRING, draw(st.integers(10_000, 500_000)), draw(st.booleans()))
    return [first, *draw(st.lists(one, min_size=others, max_size=others))]


def an_original(data, currency):
    """An invoice of a random plan, with all that may come on top, paid in part."""
    client = ClientFactory(tax_rounding=data.draw(st.sampled_from(["document", "line"])))
    for number, percent in enumerate(data.draw(st.lists(st.sampled_from(["3", "7.25", "19"]), max_size=3))):
        TaxRateFactory(client=client, name=f"Tax {number}", region=data.draw(st.sampled_from(["", "CA"])), percent=D(percent))
    plan = PlanFactory(client=client)
    for number, (line_type, rate, inclusive) in enumerate(data.draw(charges())):
        bounds = {"maximum_amount": D(10)} if data.draw(st.integers(0, 9)) == 0 and line_type != ChargeType.ACTIVATION else {}
        a_charge(plan, f"s{number}", str(D(rate) / 10_000), line_type, currency=currency, **bounds)
        Service.objects.filter(client=client, client_service_id=f"s{number}").update(tax_inclusive=inclusive)
    account = an_account(client, plan, currency=currency)
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved")
    service = Service.objects.filter(client=client).first()
    if data.draw(st.booleans()):
        a_coupon(client)
        redeem(account)
    if data.draw(st.booleans()):
        credit(account, "7")
    if data.draw(st.booleans()):
        order(account, service, rate_per_unit=D("12"))
    for charge in plan.charges.filter(line_type=ChargeType.USAGE):
        used = str(data.draw(st.integers(1, 50_000)) / D(1000))
        some_usage(account.plan_instances.get(), charge.service.client_service_id, used, JAN_10)
    invoice = bill(account, CALLER, JAN_10)
    if data.draw(st.booleans()):
        invoice = bill(account, CALLER, FEB_10)
    return client, account, invoice


def pay_some(data, account, client):
    share = data.draw(st.sampled_from([D(0), D("0.3"), D(1), D("1.5")]))
    amount = rounded(account_balance(account) * share, currency_of(account.currency))
    if amount > 0:
        record_external_payment(client=client, account_no=account.pk, caller=CALLER, today=FEB_10, amount=amount, type="check")


def changed(data, line, services, currency):
    """A line, unchanged or changed at random."""
    is_reduction = line.amount < 0
    kind = data.draw(st.sampled_from(["as it is", "as it is", "units", "rate", "amount", "service", "left out"]))
    if kind == "left out":
        return RequestedLine(line.line_no, exclude=True)
    if is_reduction or kind == "as it is":
        return RequestedLine(line.line_no)
    if kind == "amount":
        return RequestedLine(line.line_no, amount=data.draw(st.integers(0, 9999)) * currency_of(currency).smallest_unit)
    if kind == "service":
        return RequestedLine(line.line_no, service_no=data.draw(st.sampled_from(services)))
    if line.units is None or line.rate_per_unit is None:
        return RequestedLine(line.line_no)
    value = D(data.draw(st.integers(0, 99_999))) / 1000
    return RequestedLine(line.line_no, **({"units": value} if kind == "units" else {"rate_per_unit": value}))


@EXAMPLES
@given(data=st.data(), currency=st.sampled_from(["usd", "jpy", "kwd"]))
def test_any_rebill_of_any_invoice(data, currency):
    client, account, invoice = an_original(data, currency)
    pay_some(data, account, client)
    lines = list(invoice.lines.exclude(line_type=LineType.TAX))
    services = list(Service.objects.filter(client=client).values_list("pk", flat=True))
    asked = [changed(data, line, services, currency) for line in lines if data.draw(st.integers(0, 4))]
    if data.draw(st.booleans()):
        asked.append(RequestedLine(10_000, service_no=services[0], amount=3 * currency_of(currency).smallest_unit))
    request = RebillRequest(invoice.pk, 1, tuple(asked), carries_unlisted=data.draw(st.booleans()), collect=True)
    (preview,) = preview_rebills(client=client, requests=[request], today=FEB_10)
    if error_of(preview) is not None:
        assert error_of(preview).code.number == 1008
        return
    before, paid_before = account_balance(account), money_in(account)
    (outcome,) = rebill_invoices(
        client=client, requests=[request._replace(fingerprint=preview.plan.fingerprint)], caller=CALLER, today=FEB_10
    )
    assert error_of(outcome) is None
    rebill = Invoice.objects.get(pk=outcome.rebill_no)
    assert totals(rebill) == (*preview.plan.rebill, preview.plan.rebill.total)
    assert rebill.total_amount >= 0
    nothing_is_left(invoice, rebill.memo)
    assert sum((row.difference.total for row in preview.plan.differences), D(0)) == rebill.total_amount - invoice.total_amount
    collected = money_in(account) - paid_before
    assert collected == preview.plan.money.collect_now
    assert account_balance(account) == before + rebill.total_amount - invoice.total_amount - collected
    assert preview.plan.money.balance_after == account_balance(account)
    assert due(rebill) == preview.plan.money.due - collected
    assert paid_for(account) + unapplied(account) == money_in(account)
    no_findings(client)


@EXAMPLES
@given(data=st.data(), currency=st.sampled_from(["usd", "jpy", "kwd"]))
def test_an_unchanged_rebill_is_its_original_to_the_cent(data, currency):
    client, account, invoice = an_original(data, currency)
    pay_some(data, account, client)
    owed = account_balance(account)
    request = RebillRequest(invoice.pk, 1, carries_unlisted=True)
    (outcome,) = rebill_invoices(client=client, requests=[request], caller=CALLER, today=FEB_10)
    rebill = Invoice.objects.get(pk=outcome.rebill_no)
    assert totals(rebill) == totals(invoice)
    assert list(rebill.lines.values_list("line_no", "amount", "explanation", "description")) == list(
        invoice.lines.values_list("line_no", "amount", "explanation", "description")
    )
    columns = ("tax_line_no", "taxed_line_no", "authority", "percent", "taxable_amount", "amount")
    assert list(rebill.tax_details.values_list(*columns)) == list(invoice.tax_details.values_list(*columns))
    assert account_balance(account) == owed


PRICE = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["per_unit", "tiered", "volume", "flat"]),
        "minimum_amount": st.none() | st.integers(0, 20).map(D),
        "maximum_amount": st.none() | st.integers(20, 40).map(D),
    }
)
USED = st.integers(0, 5_000_000).map(lambda units: D(units) / 10_000)


@EXAMPLES
@given(price=PRICE, was=USED, right=USED)
def test_correcting_usage_is_what_billing_it_at_once_would_have_been(price, was, right):
    banded = price["model"] in ("tiered", "volume")
    rates = {"rate": None, "tiers": {"0": "0.10", "100": "0.05", "250": "0.02"}} if banded else {"rate": "0.07"}
    corrected, at_once = (metered_invoice(units, {**price, **rates}) for units in (was, right))
    usage = (RequestedUsage(right, "usage_corrections[0]", client_service_id="minutes"),)
    request = RebillRequest(corrected.pk, 1, carries_unlisted=True, usage_corrections=usage)
    (outcome,) = rebill_invoices(client=corrected.client, requests=[request], caller=CALLER, today=FEB_10)
    assert error_of(outcome) is None
    rebill = Invoice.objects.get(pk=outcome.rebill_no)
    columns = ("line_type", "description", "units", "rate_per_unit", "tier_no", "amount", "explanation")
    assert list(rebill.lines.values_list(*columns)) == list(at_once.lines.values_list(*columns))
    assert totals(rebill) == totals(at_once)
    no_findings(corrected.client)


def metered_invoice(units, price):
    """A fee and metered minutes of a cycle, taxed, with a percent coupon; the invoice of February."""
    client = ClientFactory()
    TaxRateFactory(client=client)
    plan = PlanFactory(client=client)
    a_charge(plan, "fee", "10.00")
    rate = price.pop("rate")
    a_charge(plan, "minutes", rate, ChargeType.USAGE, **price)
    account = an_account(client, plan)
    a_coupon(client)
    redeem(account)
    if units:
        some_usage(account.plan_instances.get(), "minutes", str(units), JAN_10)
    bill(account, CALLER, JAN_10)
    return bill(account, CALLER, FEB_10)


def nothing_is_left(invoice, memo):
    assert [one + other for one, other in zip(totals(invoice), totals(memo), strict=True)] == [0, 0, 0]
    assert [line.amount for line in memo.lines.all()] == [-line.amount for line in invoice.lines.all()]
    assert all(left == (0, 0) for left in taxes(invoice, memo).values())


def money_in(account):
    return sum((-payment.entry.amount for payment in Payment.objects.filter(account=account).select_related("entry")), D(0))


def paid_for(account):
    """What payments pay of the account's invoices."""
    issued = Invoice.objects.filter(account=account, status="approved").exclude(kind="credit_memo")
    charges = charges_of(list(issued.values_list("pk", flat=True)))
    memos = LedgerEntry.objects.filter(account=account, kind="credit_memo").values_list("amount", flat=True)
    return sum((charge.total - charge.due for charge in charges.values()), D(0)) + sum(memos, D(0))


class Operations:
    """What may be done to one account, each on something that a number picks out."""

    def __init__(self):
        self.client = ClientFactory()
        TaxRateFactory(client=self.client)
        plan = PlanFactory(client=self.client)
        for service_id, rate in (("phone", "30.00"), ("tv", "9.99"), ("net", "0.05")):
            a_charge(plan, service_id, rate)
        self.account = an_account(self.client, plan)
        PaymentMethod.objects.create(account=self.account, type="card", token="sandbox_approved")
        self.by = {"client": self.client, "caller": CALLER, "today": date(2026, 6, 20)}

    def pick(self, rows, number):
        rows = list(rows.order_by("pk"))
        return rows[number % len(rows)] if rows else None

    def document(self, number, **which):
        return self.pick(Invoice.objects.filter(account=self.account, **which), number)

    def generate(self, number):
        return bill(self.account, CALLER, date(2026, 6, 20), force_pending=bool(number % 2))

    def approve(self, number):
        waiting = self.document(number, status="pending")
        return waiting and approve_invoices(invoice_nos=[waiting.pk], **self.by)

    def discard(self, number):
        waiting = self.document(number, status="pending")
        return waiting and discard_invoices(client=self.client, invoice_nos=[waiting.pk], caller=CALLER)

    def pay(self, number):
        return record_external_payment(account_no=self.account.pk, amount=D(1 + number % 60), type="check", **self.by)

    def collect(self, number):
        document = self.document(number)
        return document and collect_invoices(invoice_nos=[document.pk], **self.by)

    def rebill(self, number):
        self.client.rebill_approval_required = number % 5 == 0
        original = self.document(number)
        lines = (
            RequestedLine(1, units=D(number % 4)),
            RequestedLine(2),
            RequestedLine(99, client_service_id="tv", amount=D(number % 3)),
        )
        request = original and RebillRequest(original.pk, 1, lines[: 1 + number % 3], collect=number % 2 == 0)
        return request and rebill_invoices(requests=[request], **self.by)

    def refund(self, number):
        payment = self.pick(Payment.objects.filter(account=self.account), number)
        return payment and refund_payment(transaction_id=payment.pk, amount=D(1 + number % 9), why=Why(1, "so"), **self.by)

    def void(self, number):
        """Return the newest invoice or any memo. An older invoice would leave a gap in the billed periods, which the audit
        reports."""
        issued = Invoice.objects.filter(account=self.account)
        newest = issued.filter(kind="recurring").order_by("pk").last()
        document = newest if number % 2 else self.document(number, kind="credit_memo")
        return document and void(document, CALLER)

    def credit(self, number):
        document = self.document(number)
        return document and memo_of(document, CALLER, amount=str(1 + number % 20))


NAMES = ["generate", "approve", "discard", "pay", "collect", "rebill", "rebill", "refund", "void", "credit"]


@EXAMPLES
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 999)), min_size=1, max_size=6), st.integers(1, 3))
def test_whatever_is_done_in_whatever_order_the_audit_finds_nothing(operations, cycles):
    world = Operations()
    for _ in range(cycles):
        world.generate(0)
    for name, number in operations:
        try:
            getattr(world, name)(number)
        except BillingError:
            continue
    no_findings(world.client)
    entries = LedgerEntry.objects.filter(account=world.account)
    assert account_balance(world.account) == sum(entries.values_list("amount", flat=True), D(0))
