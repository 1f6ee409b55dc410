"""Documents of odd data: PDF and electronic invoice have the amounts of the database, and the official rules accept them."""

from decimal import Decimal as D

import pytest

from accounts.models import Account, Client, Contact, Service
from billing_site.errors import BillingError
from invoices.models import Invoice
from invoices.services.correcting.memo_undoing import undo_memo
from invoices.services.money.ledger.acts import Why
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.e_invoices import a_customer, breakdown, checked, corrected, in_cii, printed, text, texts, total
from tests.support.factories import ServiceFactory, TaxRateFactory, a_plan
from tests.support.memos import memo_of, void
from tests.support.orders import order
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")

ARABIC = "شركة الاتصالات <العربية>"
LINE = "a:InvoiceLine", "b:InvoicedQuantity", "a:Price/b:PriceAmount", "b:LineExtensionAmount"


@pytest.fixture
def seller(seller):
    """A German company that sends electronic invoices. Austria has two rates and the exempt category."""
    Client.objects.update(e_invoice="ubl")
    terms = {"client": seller, "country": "AT", "region": "", "name": "USt"}
    TaxRateFactory(percent=D(10), category="reduced", **terms)
    TaxRateFactory(percent=D(0), category="exempt", vat_category="E", exemption_reason="§ 6", **terms)
    seller.refresh_from_db()
    return seller


def sold(seller, number, category="standard", **fields):
    return ServiceFactory(client=seller, client_service_id=number, name=number.title(), tax_category=category, **fields)


PARTIES = {
    "no address": {"address1": "", "address2": "", "city": "", "postal_code": "", "company": "", "name": "Ada"},
    "long names": {"company": "Ö" * 100, "name": "W" * 100, "address1": "Ä" * 100, "city": "Ü" * 50},
    "control characters": {"company": "Acme\x0b\x1f & <Söhne>\x07", "name": "\x01", "city": "Wien\x02"},
    "right to left": {"company": ARABIC, "name": "דוד כהן", "city": "القاهرة"},
    "a person, and a company of control characters": {"company": "\x01\x02", "name": "Ada"},
    "emoji and marks": {"company": "Zoe\u0308 \U0001f680 \ufffe", "name": "I\u0307", "city": "\u200b\u2028Wien"},
    "other writing": {"company": "東京電力 – Ünïted", "name": "Ελλάς", "city": "Москва"},
}


@pytest.mark.parametrize("world", PARTIES)
def test_odd_names_and_addresses(world, seller, process):
    account = a_customer(seller, client_acct_id="\x03A-1\x04")
    Contact.objects.update(**PARTIES[world])
    invoice = bill(Account.objects.get(pk=account.pk), process, JAN_10)
    checked(invoice=invoice)
    assert "€120.00" in printed(invoice)


def test_units_with_6_decimals_and_prices_with_10(seller, process):
    plan = a_plan(seller, {"data": "0.0123456789"}, currency="eur")
    account = a_customer(seller, plan)
    account.plan_instances.update(units=D("12345.678901"))
    order(account, sold(seller, "water"), units=D("0.333333"), rate_per_unit=D("3.333333"))
    order(account, sold(seller, "dust"), units=D("0.000001"), rate_per_unit=D("0.000001"), description="\x01")
    invoice = bill(account, process, JAN_10)
    read = checked(invoice=invoice).invoice
    assert texts(read, *LINE) == [
        ("12345.678901", "0.0123456789", "152.42"),
        ("0.333333", "3.333333", "1.11"),
        ("0.000001", "0.000001", "0.00"),
    ]
    assert "12345.678901 0.0123456789 €152.42" in printed(invoice)


def test_all_taken_off(seller, process):
    """A coupon of 100 percent on two rates and an exempt line; then nothing is left to pay, and a memo credits nothing."""
    account = a_customer(seller, a_plan(seller, {"line": "30.00"}, currency="eur"))
    order(account, sold(seller, "books", "reduced"), rate_per_unit=D(20))
    order(account, sold(seller, "course", "exempt"), rate_per_unit=D(10))
    a_coupon(seller, percent=D(100))
    redeem(account)
    invoice = bill(account, process, JAN_10)
    read = checked(invoice=invoice).invoice
    assert breakdown(read) == [("E", "0", "0.00", "0.00"), ("S", "10", "0.00", "0.00"), ("S", "20", "0.00", "0.00")]
    assert total(read) == [(None, "0.00")]


def test_returns_with_inclusive_prices_and_own_rates(seller, process):
    """12.00 with 20 percent in it, 4.40 with 10 percent in it come back: 6.00 in all is left."""
    account = a_customer(seller, a_plan(seller, {"gross": "12.00"}, currency="eur"))
    Service.objects.filter(client_service_id="gross").update(tax_inclusive=True)
    order(account, sold(seller, "books", "reduced", tax_inclusive=True), rate_per_unit=D("-4.40"))
    order(account, sold(seller, "course", "exempt"), rate_per_unit=D("-1.60"))
    invoice = bill(account, process, JAN_10)
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D("4.40"), D("1.60"), D("6.00"))
    rebill = rebilled(invoice, process, line(1, rate_per_unit="24"), carries_unlisted=True, today=FEB_10)
    again = rebilled(rebill, process, line(2, amount="-2.20"), carries_unlisted=True, today=FEB_10)
    read = checked(invoice=invoice, memo=rebill.memo, rebill=rebill, again=again, again_memo=again.memo)
    back = [("E", "0", "-1.60", "0.00"), ("S", "10", "-4.00", "-0.40"), ("S", "20", "10.00", "2.00")]
    assert breakdown(read.invoice) == breakdown(read.memo) == back
    assert breakdown(read.again) == [("E", "0", "-1.60", "0.00"), ("S", "10", "-2.00", "-0.20"), ("S", "20", "20.00", "4.00")]
    assert "-€4.40" in printed(invoice)


def test_a_voided_document_keeps_its_electronic_invoice(seller, process):
    """And says in its own file what it said when it was issued."""
    invoice = bill(a_customer(seller), process, JAN_10)
    before = checked(invoice=invoice).invoice
    void(invoice, process)
    invoice.refresh_from_db()
    after = checked(invoice=Invoice.objects.get(pk=invoice.pk)).invoice
    assert (total(before), breakdown(before)) == (total(after), breakdown(after))


def test_a_memo_in_part_of_a_document_with_a_coupon_and_a_return(seller, process):
    account = a_customer(seller, a_plan(seller, {"line": "30.00"}, currency="eur"))
    order(account, sold(seller, "books", "reduced"), rate_per_unit=D(-5))
    a_coupon(seller)
    redeem(account)
    invoice = bill(account, process, JAN_10)
    assert (invoice.net_amount, invoice.tax_amount) == (D("22.00"), D("4.90"))
    part, rest = memo_of(invoice, process, {1: "7.00"}, today=FEB_10), memo_of(invoice, process, today=FEB_10)
    read = checked(invoice=invoice, part=part, rest=rest)
    assert (part.net_amount, rest.net_amount, part.tax_amount + rest.tax_amount) == (D(-7), D(-15), D("-4.90"))
    assert breakdown(read.part) == [("S", "20", "7.00", "1.40")]


def test_the_reversal_of_a_memo_by_itself_is_an_invoice_that_names_the_memo(seller, process):
    invoice = bill(a_customer(seller), process, JAN_10)
    memo = memo_of(invoice, process, amount="12.00", today=FEB_10)
    undo_memo(client=seller, memo_no=memo.pk, caller=process, today=FEB_10, why=Why(1, "By mistake"))
    read = checked(memo=memo, reversal=Invoice.objects.get(kind="reversal")).reversal
    assert (text(read, "b:InvoiceTypeCode"), *corrected(read)) == ("380", memo.document_number, "2026-02-10")
    assert (breakdown(read), total(read)) == ([("S", "20", "12.00", "2.40")], [(None, "14.40")])


@pytest.mark.parametrize(
    ("model", "fields", "rule"),
    [
        (Contact, {"company": "\x01", "name": " \x02 "}, "BR-07: The document names no buyer"),
        (Contact, {"country": ""}, "BR-11: The buyer's address has no country"),
        (Client, {"name": "\x01"}, "BR-06: Your company has no name"),
        (Client, {"tax_ids": "", "registration_number": "\x03", "tax_number": "\x04"}, "BR-CO-26: Your company has neither"),
    ],
)
def test_names_and_numbers_of_control_characters_are_none(model, fields, rule, seller, process):
    """The rules would accept the document, but its XML could not have them."""
    account = a_customer(seller)
    seller.legal_name = ""
    seller.save()
    Client.objects.update(missing_tax_data="allow")
    model.objects.update(**fields)
    with pytest.raises(BillingError) as refusal:
        bill(Account.objects.get(pk=account.pk), process, JAN_10)
    assert (refusal.value.detail[: len(rule)], Invoice.objects.count()) == (rule, 0)


CATEGORIES = {
    "zero": ("Z", "", ""),
    "exempt": ("E", "exempt", "§ 4"),
    "reverse": ("AE", "reverse_charge", ""),
    "intra": ("K", "intra_community", ""),
    "export": ("G", "export", ""),
    "outside": ("O", "not_subject", ""),
}


@pytest.mark.parametrize("world", CATEGORIES)
def test_each_category_with_returns_coupons_and_corrections(world, seller, process):
    """Corrections name the day by whose rates they are taxed (BT-7)."""
    category, exemption, reason = CATEGORIES[world]
    account = a_customer(seller, a_plan(seller, {"line": "0.00"}, currency="eur"), tax_exemption=exemption or "none")
    Account.objects.filter(pk=account.pk).update(tax_exemption_reason=reason)
    service = sold(seller, "goods", tax_inclusive=True)
    Service.objects.update(tax_category="zero" if category == "Z" else "standard")
    for price in ("50.00", "0.00", "-10.00"):
        order(account, service, rate_per_unit=D(price))
    a_coupon(seller)
    redeem(account)
    invoice = bill(Account.objects.get(pk=account.pk), process, JAN_10)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="60"), carries_unlisted=True, today=FEB_10)
    read = checked(invoice=invoice, memo=rebill.memo, rebill=rebill)
    rate = None if category == "O" else "0"
    assert breakdown(read.invoice) == breakdown(read.memo) == [(category, rate, "36.00", "0.00")]
    assert [text(one, "b:TaxPointDate") for one in vars(read).values()] == [None, "2026-01-10", "2026-01-10"]
    assert "20260110</udt:DateString>" in in_cii(rebill).decode()
