"""Whatever is rebilled in whatever way: nothing is left of the original, nothing is lost of what was paid, and the preview was
right to the cent. Whatever is done to an account in whatever order: the audit finds nothing."""

import os
from contextlib import suppress
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
from invoices.kinds import EntryKind, LineType
from invoices.models import Invoice, LedgerEntry, Payment
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices, discard_invoices
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.correcting.memo_undoing import preview_undo_memo, undo_memo
from invoices.services.correcting.void_undoing import preview_undo_void, undo_void
from invoices.services.correcting.write_offs import write_off
from invoices.services.documents.document_storage import content_of
from invoices.services.documents.outcomes import Planned
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.open_items import charges_of, open_credits
from invoices.services.money.ledger.payments import record_external_payment
from invoices.services.money.ledger.refunds import refund_payment, request_refund
from invoices.services.money.ledger.voids import (
    UNDOABLE_KINDS,
    preview_undo_transaction,
    undo_transaction,
    void_transaction,
)
from invoices.services.planning.previewing import preview_invoices
from rebills.services.previewing import preview_rebills
from rebills.services.rebilling import rebill_invoices
from rebills.services.requests import RebillRequest, RequestedLine, RequestedUsage, SettledRebill
from rebills.services.undoing import preview_undo, undo_rebill
from tests.support.adjusting import a_line, adjusted, recalculated
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


@settings(EXAMPLES, max_examples=EXAMPLES.max_examples // 2)
@given(data=st.data(), currency=st.sampled_from(["usd", "jpy", "kwd"]))
def test_a_rebill_and_its_undo_leave_everything_as_before(data, currency):
    client, account, invoice = an_original(data, currency)
    pay_some(data, account, client)
    lines = list(invoice.lines.exclude(line_type=LineType.TAX))
    asked = [changed(data, line, [line.service_id or 1], currency) for line in lines if data.draw(st.integers(0, 4))]
    before = standing(client, account)
    request = RebillRequest(invoice.pk, 1, tuple(asked), carries_unlisted=data.draw(st.booleans()), collect=False)
    (outcome,) = rebill_invoices(client=client, requests=[request], caller=CALLER, today=FEB_10)
    if error_of(outcome) is not None:
        return
    by = {"client": client, "rebill_no": outcome.rebill_no, "today": FEB_10}
    undone = undo_rebill(caller=CALLER, why=Why(1, "a mistake"), seen=preview_undo(**by).fingerprint, **by)
    for document, reversal in zip((undone.rebill, undone.rebill.memo), undone.reversals, strict=True):
        assert figures_of(reversal, -1) == figures_of(document)
    assert standing(client, account) == before
    no_findings(client)


def figures_of(document, sign=1):
    """Totals, lines and taxes of a document, times `sign`."""
    columns = ("tax_line_no", "taxed_line_no", "authority", "percent")
    return (
        [sign * one for one in totals(document)],
        [(line.line_no, sign * line.amount) for line in document.lines.all()],
        [
            (*names, sign * taxable, sign * amount)
            for *names, taxable, amount in document.tax_details.values_list(*columns, "taxable_amount", "amount")
        ],
    )


def standing(client, account):
    """Balance, what is open and unapplied, and the next invoice of an account."""
    live = Invoice.objects.filter(account=account, status="approved").exclude(kind__in=["reversal", "credit_memo"])
    (planned,) = preview_invoices(client=client, account_nos=[account.pk], request=BillingRequest(date(2026, 3, 10)))
    content = content_of(client, planned.plan)
    return (
        account_balance(account),
        sorted(live.values_list("pk", "open_amount")),
        open_credits([account.pk]).get(account.pk),
        [(line.description, line.amount) for line in content.lines],
        content.terms.total_amount,
    )


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

    def adjust(self, number):
        waiting = self.document(number, status="pending")
        lines = (
            a_line(1, units=str(number % 4)),
            a_line(99, client_service_id="tv", amount=str(number % 7 - 3)),
            a_line(2, exclude=True),
        )
        return waiting and adjusted(waiting, CALLER, *lines[: number % 4], day=self.by["today"])

    def recalculate(self, number):
        waiting = self.document(number, status="pending")
        return waiting and recalculated(waiting, CALLER, self.by["today"])

    def write_off(self, number):
        document = self.document(number)
        kind = EntryKind.DISPUTE if number % 2 else EntryKind.WRITE_OFF
        why = Why(1, "so")
        return document and write_off(invoice_no=document.pk, amount=D(1 + number % 9), why=why, kind=kind, **self.by)

    def take_back(self, number):
        entries = LedgerEntry.objects.filter(account=self.account, kind__in=[EntryKind.DISPUTE, EntryKind.WRITE_OFF])
        entry = self.pick(entries, number)
        return entry and void_transaction(transaction_id=entry.pk, reason_code=5, **self.by)

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

    def undo(self, number):
        rebill = self.document(number, kind="rebill")
        return rebill and undo_rebill(rebill_no=rebill.pk, why=Why(1, "so"), **self.by)

    def refund(self, number):
        payment = self.pick(Payment.objects.filter(account=self.account), number)
        return payment and refund_payment(transaction_id=payment.pk, amount=D(1 + number % 9), why=Why(1, "so"), **self.by)

    def pay_one(self, number):
        """Record a payment of the newest invoice, so that an older one stays open."""
        newest = Invoice.objects.filter(account=self.account, status="approved", open_amount__gt=0).order_by("pk").last()
        if newest is None:
            return None
        amount = min(D(1 + number % 60), newest.open_amount)
        return record_external_payment(
            account_no=self.account.pk, amount=amount, type="check", invoices={newest.pk: amount}, **self.by
        )

    def keep(self, number):
        """Credit a paid invoice, and keep what this frees although other invoices are open."""
        document = self.document(number)
        credit = CreditRequest(amount=D(1 + number % 20))
        given = {"why": Why(1, "so"), "credit": credit, "credit_to": "keep_as_credit"}
        return document and create_credit_memo(invoice_no=document.pk, **given, **self.by)

    def ask_refund(self, number):
        """Ask for a refund, and ask no gateway yet."""
        payment = self.pick(Payment.objects.filter(account=self.account), number)
        return payment and request_refund(transaction_id=payment.pk, amount=D(1 + number % 9), why=Why(1, "so"), **self.by)

    def undo_act(self, number):
        """Undo any write-off, dispute, refund or credit memo."""
        if number % 3 == 0:
            memo = self.document(number, kind="credit_memo")
            return memo and undo_memo(memo_no=memo.pk, why=Why(1, "so"), **self.by)
        entry = self.pick(LedgerEntry.objects.filter(account=self.account, kind__in=UNDOABLE_KINDS), number)
        return entry and undo_transaction(transaction_id=entry.pk, reason_code=8, **self.by)

    def void_of_refund(self, number):
        entry = self.pick(LedgerEntry.objects.filter(account=self.account, kind=EntryKind.REFUND), number)
        return entry and void_transaction(transaction_id=entry.pk, reason_code=8, **self.by)

    def void(self, number):
        """Return the newest invoice or any memo. An older invoice would leave a gap in the billed periods, which the audit
        reports."""
        issued = Invoice.objects.filter(account=self.account)
        newest = issued.filter(kind="recurring").order_by("pk").last()
        document = newest if number % 2 else self.document(number, kind="credit_memo")
        return document and void(document, CALLER)

    def undo_void(self, number):
        voided = self.document(number, status="voided", kind="recurring")
        return voided and undo_void(invoice_no=voided.pk, reason_code=8, **self.by)

    def credit(self, number):
        document = self.document(number)
        return document and memo_of(document, CALLER, amount=str(1 + number % 20))


NAMES = [
    *("generate", "approve", "discard", "pay", "collect", "rebill", "rebill", "undo", "undo", "refund", "void", "credit"),
    *("adjust", "adjust", "recalculate", "write_off", "take_back", "undo_void", "void_of_refund"),
    *("pay_one", "keep", "ask_refund", "undo_act", "undo_act"),
]


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


def first_of(restored, number):
    """The invoice that was there before voids and their undo."""
    while restored.get(number) is not None:
        number = restored[number]
    return number


def all_of(world):
    """The balance of the account, what is open on each of its invoices, and its next invoice."""
    (planned,) = preview_invoices(
        client=world.client, account_nos=[world.account.pk], request=BillingRequest(date(2026, 6, 20))
    )
    restored = dict(Invoice.objects.filter(account=world.account, kind="recurring").values_list("pk", "corrects"))
    due = {
        first_of(restored, one.pk): one.open_amount for one in Invoice.objects.filter(account=world.account, status="approved")
    }
    following = planned.plan.total_amount if isinstance(planned, Planned) else planned.error.code
    return account_balance(world.account), {number: amount for number, amount in due.items() if amount}, following


BEFORE = ["generate", "pay", "pay_one", "collect", "keep", "rebill", "write_off", "credit", "refund", "void", "undo_void"]


@settings(EXAMPLES, max_examples=EXAMPLES.max_examples * 2)
@given(
    st.lists(st.tuples(st.sampled_from(BEFORE), st.integers(0, 999)), max_size=4),
    st.sampled_from(["rebill", "credit", "write_off", "void", "refund", "ask_refund", "adjust"]),
    st.integers(0, 999),
)
def test_an_act_and_its_undo_leave_everything_as_before(operations, act, number):
    """Of a rebill, a credit memo, a write-off, a dispute, a void, a refund by hand, a refund that no gateway was asked for yet,
    and adjustments of a pending document. What the preview of the undo says is open is open afterwards."""
    world = Operations()
    world.generate(0)
    for name, which in operations:
        with suppress(BillingError):
            getattr(world, name)(which)
    if act == "adjust":
        with suppress(BillingError):
            world.generate(1)
    before = all_of(world)
    try:
        done = getattr(world, act)(number | 1 if act == "void" else number)
    except BillingError:
        return
    if done and undone(world, act, done):
        assert all_of(world) == before
    no_findings(world.client)


def undone(world, act, done):
    """Undo what was done. False if money was collected, or refunded by a
    gateway: that stays whatever is undone."""
    if act == "rebill":
        if not isinstance(done[0], SettledRebill) or done[0].recorded.is_pending or done[0].collection is not None:
            return False
        undo_rebill(rebill_no=done[0].rebill_no, why=Why(1, "so"), **world.by)
    elif act == "credit":
        by = {"client": world.client, "memo_no": done.pk, "today": world.by["today"]}
        plan = preview_undo_memo(**by)
        undo_memo(caller=CALLER, why=Why(1, "so"), seen=plan.seen, **by)
        as_previewed(plan)
    elif act == "void":
        by = {"client": world.client, "invoice_no": done.invoice_no, "today": world.by["today"]}
        undo_void(caller=CALLER, reason_code=8, seen=preview_undo_void(**by).seen, **by)
    elif act == "adjust":
        adjusted(done, CALLER, day=world.by["today"])
    elif act == "refund" and done.entry.kind == EntryKind.ELECTRONIC_REFUND:
        return False
    else:
        plan = preview_undo_transaction(client=world.client, transaction_id=done.pk)
        undo_transaction(transaction_id=done.pk, reason_code=8, seen=plan.seen, **world.by)
        as_previewed(plan)
    return True


def as_previewed(plan):
    assert [Invoice.objects.get(pk=one.invoice.pk).open_amount for one in plan.due] == [one.after for one in plan.due]
