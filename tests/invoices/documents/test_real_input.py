"""Documents with what the standard's public example invoices have: returns, units, prices of a dozen, allowances, VAT in a
second currency. Each is checked by the official rules in both syntaxes."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.core.exceptions import ValidationError

from accounts.kinds import ChargeType
from accounts.models import Account, Client, Service
from billing_site.errors import BillingError
from invoices.models import DocumentFile, Invoice, Surcharge
from invoices.services.money.ledger.acts import Why
from rebills.services.undoing import undo_rebill
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.e_invoices import NAMES, a_customer, beside, breakdown, checked, corrected, printed, text, texts, total
from tests.support.factories import ServiceFactory, TaxRateFactory, a_charge, a_plan, some_usage
from tests.support.memos import memo_of
from tests.support.orders import order
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def seller(seller):
    """A German company that sends electronic invoices. It has two rates in Austria, 20 and 10 percent."""
    Client.objects.update(e_invoice="ubl")
    TaxRateFactory(client=seller, country="AT", region="", name="USt", percent=D(10), category="reduced")
    seller.refresh_from_db()
    return seller


def an_item(seller, number, **fields):
    item = ServiceFactory(client=seller, client_service_id=number, name=number.title())
    for name, value in fields.items():
        setattr(item, name, value)
    item.full_clean()
    item.save()
    return item


def lines_of(document, kind="Invoice"):
    path = f"a:{kind}Line", "b:ID", "a:Item/b:Name", f"b:{'Invoiced' if kind == 'Invoice' else 'Credited'}Quantity"
    return texts(document, *path, "a:Price/b:PriceAmount", "a:Price/b:BaseQuantity", "b:LineExtensionAmount")


def units_of(document):
    return [one.get("unitCode") for one in document.iter("{*}InvoicedQuantity")]


def sold(seller, process):
    """1,000 sheets at 1.00, 24 pencils at 10.00 a dozen, 7.5 hours at 80.00, 2 books, and 3 other books that come back."""
    account = a_customer(seller, a_plan(seller, {"line": "30.00"}, currency="eur"))
    order(account, an_item(seller, "paper", unit_code="ea"), units=D(1000), rate_per_unit=D("1.00"))
    pencils = an_item(seller, "pencils", price_units=D(12), item_number="40 12345-67890 1")
    order(account, pencils, units=D(24), rate_per_unit=D("0.8333333333"))
    order(account, an_item(seller, "work", unit_code="HUR"), units=D("7.5"), rate_per_unit=D(80))
    books = an_item(seller, "books", tax_category="reduced")
    order(account, books, units=D(2), rate_per_unit=D("4.96"))
    order(account, books, units=D(3), rate_per_unit=D("-1.32"), description="Returned books")
    return bill(account, process, JAN_10)


def test_returns_units_of_measure_and_prices_of_a_dozen(seller, process):
    invoice = sold(seller, process)
    read = checked(invoice=invoice)
    assert lines_of(read.invoice) == [
        ("1", "Line", "1", "30", None, "30.00"),
        ("2", "Paper", "1000", "1", None, "1000.00"),
        ("3", "Pencils", "24", "10", "12", "20.00"),
        ("4", "Work", "7.5", "80", None, "600.00"),
        ("5", "Books", "2", "4.96", None, "9.92"),
        ("6", "Returned books", "-3", "1.32", None, "-3.96"),
    ]
    assert units_of(read.invoice) == ["C62", "EA", "C62", "HUR", "C62", "C62"]
    assert beside(read.invoice) == []
    assert breakdown(read.invoice) == [("S", "10", "5.96", "0.60"), ("S", "20", "1650.00", "330.00")]
    item = "a:InvoiceLine/a:Item/a:StandardItemIdentification/b:ID"
    assert [(one.get("schemeID"), one.text) for one in read.invoice.iterfind(item, NAMES)] == [("0160", "4012345678901")]
    assert "7.5 hours" in printed(invoice) and "24 10 per 12 €20.00" in printed(invoice)
    # What the service is called later changes no document.
    Service.objects.update(unit_code="DAY", price_units=D(100))
    stored = invoice.lines.values_list("line_no", "unit_code", "price_units")
    assert list(stored)[1:4] == [(2, "EA", None), (3, "", D(12)), (4, "HUR", None)]


def test_a_return_is_credited_and_rebilled_with_its_own_rate(seller, process):
    invoice = sold(seller, process)
    rebill = rebilled(invoice, process, line(4, units="8"), carries_unlisted=True, today=FEB_10)
    read = checked(memo=rebill.memo, rebill=rebill)
    assert lines_of(read.memo, "CreditNote")[-1] == ("6", "Returned books", "-1", "3.96", None, "-3.96")
    assert lines_of(read.rebill)[3] == ("4", "Work", "8", "80", None, "640.00")
    assert units_of(read.rebill)[3] == "HUR"
    assert breakdown(read.rebill) == [("S", "10", "5.96", "0.60"), ("S", "20", "1690.00", "338.00")]


def test_a_return_whose_tax_category_has_no_other_line_is_taxed_itself(seller, process):
    """If it reduced lines of another category, it would give back the wrong rate. A memo takes it back with its tax."""
    account = a_customer(seller, a_plan(seller, {"line": "30.00"}, currency="eur"))
    order(account, an_item(seller, "books", tax_category="reduced"), rate_per_unit=D(-4), units=D(3), order_line="7")
    invoice = bill(account, process, JAN_10)
    assert (invoice.net_amount, invoice.tax_amount, invoice.total_amount) == (D("18.00"), D("4.80"), D("22.80"))
    rebill = rebilled(invoice, process, line(1, rate_per_unit="40"), carries_unlisted=True, today=FEB_10)
    read = checked(invoice=invoice, memo=rebill.memo, rebill=rebill)
    assert lines_of(read.invoice) == [("1", "Line", "1", "30", None, "30.00"), ("2", "Books", "-3", "4", None, "-12.00")]
    assert breakdown(read.invoice) == [("S", "10", "-12.00", "-1.20"), ("S", "20", "30.00", "6.00")]
    assert breakdown(read.memo) == breakdown(read.invoice)
    assert breakdown(read.rebill) == [("S", "10", "-12.00", "-1.20"), ("S", "20", "40.00", "8.00")]
    assert "Line of the order: 7" in printed(invoice)


def test_a_return_of_more_than_half_of_the_other_lines_waits(seller, process):
    account = a_customer(seller, a_plan(seller, {"line": "30.00"}, currency="eur"))
    back = order(account, an_item(seller, "books", tax_category="reduced"), rate_per_unit=D("-15.01"))
    assert bill(account, process, JAN_10).net_amount == D(30)
    back.refresh_from_db()
    assert back.invoice is None


def test_a_memo_in_part_and_a_lowered_return(seller, process):
    """The memo credits the line of 30.00, then what is left: -12.00. A rebill gives less back, with the tax of that."""
    account = a_customer(seller, a_plan(seller, {"line": "30.00"}, currency="eur"))
    order(account, an_item(seller, "books", tax_category="reduced"), rate_per_unit=D(-4), units=D(3))
    invoice = bill(account, process, JAN_10)
    other = bill(account, process, FEB_10)
    memo = memo_of(invoice, process, {1: "10.00"}, today=FEB_10)
    assert memo.total_amount == D("-12.00")
    rest = memo_of(invoice, process, today=FEB_10)
    assert (rest.net_amount, rest.tax_amount) == (D("-8.00"), D("-2.80"))
    assert other.total_amount == D("36.00")
    order(account, an_item(seller, "books", tax_category="reduced"), rate_per_unit=D(-4), units=D(3))
    third = bill(account, process, date(2026, 3, 10))
    rebill = rebilled(third, process, line(2, amount="-5"), carries_unlisted=True, today=date(2026, 3, 10))
    read = checked(memo=memo, rest=rest, rebill=rebill)
    assert breakdown(read.rebill) == [("S", "10", "-5.00", "-0.50"), ("S", "20", "30.00", "6.00")]


@pytest.fixture
def reduced(seller):
    """Coupons for one service and for all, a maximum of usage, and a surcharge."""
    plan = a_plan(seller, {"line": "30.00"}, name="Office", currency="eur")
    a_charge(plan, "calls", "0.10", ChargeType.USAGE, maximum_amount=D("8.00"), currency="eur")
    a_charge(plan, "books", "50.00", currency="eur")
    Service.objects.filter(client_service_id="books").update(tax_category="reduced")
    account = a_customer(seller, plan)
    some_usage(account.plan_instances.get(), "calls", "120", JAN_31)
    own = a_coupon(seller, code="BOOKS", name="Book week", percent=D(20))
    own.services.set(Service.objects.filter(client_service_id="books"))
    redeem(account, "BOOKS")
    a_coupon(seller)
    redeem(account)
    fee = ServiceFactory(client=seller, client_service_id="fee")
    Surcharge.objects.create(client=seller, service=fee, name="Freight", amount=D(6), currency="eur", valid_from=JAN_10)
    return account


def on_lines(document):
    return texts(document, "a:InvoiceLine/a:AllowanceCharge", "b:ChargeIndicator", "b:AllowanceChargeReason", "b:Amount")


def test_allowances_and_charges_on_lines_and_on_the_document(reduced, process):
    bill(reduced, process, JAN_10)
    pay(reduced, process, "200.00", today=JAN_31)
    invoice = bill(reduced, process, FEB_10)
    read = checked(invoice=invoice)
    assert lines_of(read.invoice) == [
        ("1", "Line", "1", "30", None, "30.00"),
        ("2", "Books", "1", "50", None, "40.00"),
        ("3", "Calls", "120", "0.1", None, "8.00"),
    ]
    assert on_lines(read.invoice) == [("false", "Book week", "10.00"), ("false", "Calls, maximum", "4.00")]
    assert beside(read.invoice) == [
        ("false", "Ten percent off", "4.40", "20"),
        ("false", "Ten percent off", "4.00", "10"),
        ("true", "Freight", "6.00", "20"),
    ]
    assert breakdown(read.invoice) == [("S", "10", "36.00", "3.60"), ("S", "20", "39.60", "7.92")]
    sums = ("LineExtensionAmount", "AllowanceTotalAmount", "ChargeTotalAmount", "TaxExclusiveAmount", "TaxInclusiveAmount")
    assert texts(read.invoice, "a:LegalMonetaryTotal", *(f"b:{name}" for name in sums)) == [
        ("78.00", "8.40", "6.00", "75.60", "87.12")
    ]
    # 78.48 of the payment went to the invoice before.
    assert total(read.invoice) == [("87.12", "0.00")]


def test_an_undone_rebill_is_reversed_in_electronic_invoices(reduced, process):
    """The reversal of the rebill is a credit note, that of its memo an invoice; each names what it reverses."""
    bill(reduced, process, JAN_10)
    invoice = bill(reduced, process, FEB_10)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="20"), carries_unlisted=True, today=FEB_10)
    result = undo_rebill(client=invoice.client, rebill_no=rebill.pk, caller=process, today=FEB_10, why=Why(1))
    reversals = {f"reversal_of_{one.corrects.kind}": Invoice.objects.get(pk=one.pk) for one in result.reversals}
    read = checked(invoice=invoice, memo=rebill.memo, rebill=rebill, **reversals)
    of_rebill, of_memo = read.reversal_of_rebill, read.reversal_of_credit_memo
    assert (text(of_rebill, "b:CreditNoteTypeCode"), *corrected(of_rebill)) == ("381", "RB-000001", "2026-02-10")
    assert (text(of_memo, "b:InvoiceTypeCode"), *corrected(of_memo)) == ("380", rebill.memo.document_number, "2026-02-10")
    assert (breakdown(of_memo), total(of_memo)) == (breakdown(read.invoice), total(read.invoice))
    assert (breakdown(of_rebill), total(of_rebill)) == (breakdown(read.rebill), total(read.rebill))
    assert beside(of_memo) == beside(read.memo) == beside(read.invoice)


def test_vat_is_told_in_a_second_currency(seller, process):
    """20.00 EUR at 11.4523 is 229.05 SEK. The rate is the document's: its memo has the same one a month later."""
    Client.objects.update(tax_currency="sek", tax_currency_rates="EUR 11.4523, USD 10.1")
    seller.refresh_from_db()
    invoice = bill(a_customer(seller), process, JAN_10)
    Client.objects.update(tax_currency_rates="EUR 12")
    memo = memo_of(invoice, process, amount="50.00", today=FEB_10)
    read = checked(invoice=invoice, memo=memo)
    for document, euros, kronor in ((read.invoice, "20.00", "229.05"), (read.memo, "10.00", "114.52")):
        assert text(document, "b:TaxCurrencyCode") == "SEK"
        shown = [(one.get("currencyID"), one.text) for one in document.iterfind("a:TaxTotal/b:TaxAmount", NAMES)]
        assert shown == [("EUR", euros), ("SEK", kronor)]
    assert "VAT in SEK: 229.05 (1 EUR = 11.4523 SEK)" in printed(invoice)
    Client.objects.update(tax_currency_rates="USD 10.1")
    seller.refresh_from_db()
    with pytest.raises(BillingError) as refusal:
        bill(a_customer(seller), process, JAN_10)
    assert refusal.value.detail.startswith("BR-53: The VAT must also be given in SEK, and no exchange rate of EUR is known.")
    krona = a_customer(seller, a_plan(seller, {"phone": "100"}, currency="sek"), "sek")
    assert text(checked(invoice=bill(krona, process, JAN_10)).invoice, "b:TaxCurrencyCode") is None


def test_a_customer_chooses_the_profile(seller, process):
    """One wants none, and lacks what another would need. One is an authority: it gets UBL beside Factur-X for the others."""
    contact = {"contact_name": "Billing", "contact_phone": "+49 30 1", "contact_email": "b@acme.example"}
    Client.objects.update(e_invoice="factur_x", **contact)
    seller.refresh_from_db()
    none = a_customer(seller, e_invoice_profile="none")
    authority = a_customer(seller, e_invoice_profile="xrechnung", electronic_scheme="9914", electronic_address="ATU57194903")
    other = a_customer(seller)
    Account.objects.filter(pk=none.pk).update(tax_exemption="reverse_charge", tax_id="")
    for account in (none, authority, other):
        bill(account, process, JAN_10)
    files = DocumentFile.objects.filter(kind="e_invoice").order_by("invoice_id")
    assert list(files.values_list("invoice__account", "format", "profile")) == [
        (authority.pk, "ubl", "xrechnung"),
        (other.pk, "factur_x", "en16931"),
    ]
    lacks = a_customer(seller, e_invoice_profile="peppol")
    with pytest.raises(BillingError) as refusal:
        bill(lacks, process, JAN_10)
    assert refusal.value.detail.startswith("PEPPOL-EN16931-R010")


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (Service, "unit_code", "PCS"),
        (Service, "item_number", "4012345678902"),
        (Service, "price_units", D(0)),
        (Client, "tax_currency_rates", "EUR 0"),
        (Client, "tax_currency_rates", "EUR 1, EUR 2"),
        (Client, "tax_currency_rates", "euros 1"),
        (Client, "tax_currency", "SEK"),
    ],
)
def test_what_an_electronic_invoice_cannot_say_is_refused_when_it_is_entered(seller, model, field, value):
    row = an_item(seller, "pencils") if model is Service else seller
    setattr(row, field, value)
    with pytest.raises(ValidationError) as refused:
        row.full_clean()
    assert list(refused.value.message_dict) == [field]
