"""Electronic invoices keep the official rules, and have the amounts of their documents to the cent."""

import io
from decimal import Decimal as D

import pytest
from django.core import mail
from lxml import etree
from pypdf import PdfReader

from accounts.kinds import ChargeType
from accounts.models import Account, Client, Contact, Service
from accounts.services.plans import change_plan
from billing_site.errors import BillingError, ErrorCode
from invoices.audit.files import stored_files
from invoices.audit.scopes import Scope
from invoices.models import DocumentFile, Invoice, OneTimeCharge, Surcharge, TaxRate
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoices
from invoices.services.documents.outcomes import Refused
from invoices.services.printing.files import FilesMade, file_of_document, make_owed_files
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.e_invoices import a_customer, beside, breakdown, checked, corrected, in_cii, in_ubl, text, texts, total
from tests.support.factories import ServiceFactory, TaxRateFactory, a_charge, a_plan, some_usage
from tests.support.invoice_pages import reader
from tests.support.memos import memo_of
from tests.support.money_api import with_key
from tests.support.official_rules import broken_rules
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled
from tests.support.service_credits import credit

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def seller(seller):
    """A German company that sends electronic invoices. It has two rates in Austria."""
    Client.objects.update(e_invoice="ubl")
    TaxRateFactory(client=seller, country="AT", region="", name="USt", percent=D(10), category="reduced")
    seller.refresh_from_db()
    return seller


@pytest.fixture
def office(seller):
    """Every type of line, three VAT categories: 20 %, 10 % and exempt."""
    plan = a_plan(seller, {"line": "30.00"}, name="Office", currency="eur")
    a_charge(plan, "support", "12.00", ChargeType.ARREARS, currency="eur")
    a_charge(plan, "calls", None, ChargeType.USAGE, tiers={"0": "0.10", "100": "0.05"}, currency="eur")
    a_charge(plan, "books", "50.00", currency="eur")
    a_charge(plan, "course", "99.00", ChargeType.ACTIVATION, currency="eur")
    Service.objects.filter(client_service_id="books").update(tax_category="reduced")
    Service.objects.filter(client_service_id="course").update(tax_category="exempt")
    account = a_customer(seller, plan)
    some_usage(account.plan_instances.get(), "calls", "120", JAN_31)
    router = ServiceFactory(client=seller, client_service_id="router")
    OneTimeCharge.objects.create(account=account, service=router, rate_per_unit=D("79.90"), charge_date=JAN_10)
    fee = ServiceFactory(client=seller, client_service_id="fee")
    Surcharge.objects.create(client=seller, service=fee, name="Recovery fee", percent=D(2), valid_from=JAN_10)
    a_coupon(seller)
    redeem(account)
    credit(account, "20.00")
    return account


def test_every_type_of_line_and_every_correction_keeps_the_rules(office, process):
    """An invoice, its memo and rebill, the rebill of the rebill with its memo, and a memo in part of that."""
    bill(office, process, JAN_10)
    invoice = bill(office, process, FEB_10)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="25"), carries_unlisted=True, today=FEB_10)
    again = rebilled(rebill, process, line(1, rate_per_unit="28"), carries_unlisted=True, today=FEB_10)
    part = memo_of(again, process, {1: "5.00"}, today=FEB_10)
    read = checked(invoice=invoice, memo=rebill.memo, rebill=rebill, of_rebill=again.memo, again=again, part=part)
    coupon = "Ten percent off"
    assert breakdown(read.invoice) == [("S", "10", "45.00", "4.50"), ("S", "20", "49.55", "9.91")]
    reductions = [("false", coupon, "5.51", "20"), ("false", coupon, "5.00", "10"), ("true", "Recovery fee", "2.06", "20")]
    assert beside(read.invoice) == beside(read.memo) == reductions
    assert total(read.invoice) == total(read.memo) == [(None, "108.96")]
    assert breakdown(read.again) == [("S", "10", "45.00", "4.50"), ("S", "20", "47.72", "9.54")]
    assert (total(read.rebill), total(read.again), total(read.part)) == (
        [(None, "103.45")],
        [(None, "106.76")],
        [(None, "6.00")],
    )
    types = ("b:InvoiceTypeCode", "b:CreditNoteTypeCode")
    assert [(text(one, types[0]), text(one, types[1]), *corrected(one)) for one in vars(read).values()] == [
        ("380", None, None, None),
        (None, "381", "INV-000002", "2026-02-10"),
        ("384", None, "INV-000002", "2026-02-10"),
        (None, "381", "RB-000001", "2026-02-10"),
        ("384", None, "RB-000001", "2026-02-10"),
        (None, "381", "RB-000002", "2026-02-10"),
    ]
    lines = texts(read.invoice, "a:InvoiceLine", "a:Item/b:Name", "b:InvoicedQuantity", "a:Price/b:PriceAmount")
    assert lines == [
        ("Line", "1", "30"),
        ("Books", "1", "50"),
        ("Support", "1", "12"),
        ("Calls", "100", "0.1"),
        ("Calls", "20", "0.05"),
    ]


def test_the_official_rules_find_what_is_wrong(office, process):
    """Otherwise the other tests prove nothing."""
    invoice = bill(office, process, JAN_10)
    for xml in (in_ubl(invoice), in_cii(invoice)):
        assert any(rule.startswith("BR-CO-") for rule in broken_rules(xml.replace(b"217.67", b"217.66", 1)))


def test_prices_with_tax_other_currencies_and_amounts_below_zero(seller, process):
    gross = a_plan(seller, {"gross": "119.99"}, currency="eur")
    Service.objects.filter(client_service_id="gross").update(tax_inclusive=True)
    including = a_customer(seller, gross)
    a_coupon(seller)
    redeem(including)
    inclusive = bill(including, process, JAN_10)
    changed = a_customer(seller)
    bill(changed, process, JAN_10)
    instance = changed.plan_instances.select_related("account").get()
    change_plan(instance=instance, plan=a_plan(seller, {"phone": "70"}, currency="eur"), start_date=JAN_31, caller=process)
    paid = a_customer(seller)
    pay(paid, process, "50.00", today=JAN_10)
    read = checked(
        inclusive=inclusive,
        memo=memo_of(inclusive, process, amount="10"),
        yen=bill(a_customer(seller, a_plan(seller, {"phone": "1999"}, currency="jpy"), "jpy"), process, JAN_10),
        dinar=bill(a_customer(seller, a_plan(seller, {"phone": "10.500"}, currency="kwd"), "kwd"), process, JAN_10),
        zero=bill(a_customer(seller, a_plan(seller, {"phone": "0"}, currency="eur")), process, JAN_10),
        advance=bill(a_customer(seller), process, JAN_10, advance=True),
        prepaid=bill(paid, process, JAN_10),
        back=bill(changed, process, FEB_10),
    )
    assert beside(read.inclusive) == [("false", "Ten percent off", "10.00", "20")]
    assert {name: (breakdown(one), total(one)) for name, one in vars(read).items()} == {
        "inclusive": ([("S", "20", "89.99", "18.00")], [(None, "107.99")]),
        "memo": ([("S", "20", "8.33", "1.67")], [(None, "10.00")]),
        "yen": ([("S", "20", "1999", "400")], [(None, "2399")]),
        "dinar": ([("S", "20", "10.50", "2.10")], [(None, "12.60")]),
        "zero": ([("S", "20", "0.00", "0.00")], [(None, "0.00")]),
        "advance": ([("S", "20", "100.00", "20.00")], [(None, "120.00")]),
        "prepaid": ([("S", "20", "100.00", "20.00")], [("50.00", "70.00")]),
        "back": ([("S", "20", "60.32", "12.07")], [(None, "72.39")]),
    }
    lines = texts(read.back, "a:InvoiceLine", "b:InvoicedQuantity", "a:Price/b:PriceAmount", "b:LineExtensionAmount")
    assert lines == [("1", "22.58", "22.58"), ("1", "70", "70.00"), ("-1", "32.26", "-32.26")]


def test_customers_who_are_charged_no_tax(seller, process):
    reasons = {
        "exempt": ("E", "0", None, "Exempt from tax: § 4"),
        "reverse_charge": ("AE", "0", "VATEX-EU-AE", "Reverse charge: § 4"),
        "intra_community": ("K", "0", "VATEX-EU-IC", "Intra-community supply: § 4"),
        "export": ("G", "0", "VATEX-EU-G", "Export outside the EU: § 4"),
        "not_subject": ("O", None, "VATEX-EU-O", "Not subject to tax: § 4"),
    }
    for exemption, expected in reasons.items():
        invoice = bill(a_customer(seller, tax_exemption=exemption, tax_exemption_reason="§ 4"), process, JAN_10)
        read = checked(invoice=invoice, memo=memo_of(invoice, process, amount="10"))
        for document, net in ((read.invoice, "100.00"), (read.memo, "10.00")):
            names = ("ID", "Percent", "TaxExemptionReasonCode", "TaxExemptionReason")
            subtotal = "a:TaxTotal/a:TaxSubtotal"
            assert texts(document, f"{subtotal}/a:TaxCategory", *(f"b:{name}" for name in names)) == [expected]
            assert texts(document, subtotal, "b:TaxableAmount", "b:TaxAmount") == [(net, "0.00")]


# Profiles, and what is refused before issue.

XRECHNUNG = {
    "e_invoice_profile": "xrechnung",
    "contact_name": "Billing",
    "contact_phone": "+49 30 1",
    "contact_email": "b@acme.example",
}


def refused(account, process, **request):
    with pytest.raises(BillingError) as refusal:
        bill(account, process, JAN_10, **request)
    assert refusal.value.code == ErrorCode.E_INVOICE_NOT_VALID
    return refusal.value.detail


@pytest.mark.parametrize(
    ("change", "start"),
    [
        (lambda: Client.objects.update(tax_ids="", registration_number=""), "BR-CO-26: Your company has neither a tax id"),
        (lambda: Client.objects.update(tax_ids=""), "BR-S-02: Your company has no tax id"),
        (lambda: Client.objects.update(country=""), "BR-09: Your company's address has no country"),
        (lambda: Contact.objects.all().delete(), "BR-07: The document names no buyer"),
        (lambda: Account.objects.update(tax_exemption="reverse_charge", tax_id=""), "BR-AE-02: Reverse charge needs"),
        (lambda: Account.objects.update(tax_exemption="intra_community", tax_id=""), "BR-IC-02: An intra-community supply"),
        (lambda: TaxRate.objects.filter(percent=20).delete(), "BR-O-11: Some lines have a VAT rate"),
        (lambda: Client.objects.update(e_invoice_profile="peppol"), "PEPPOL-EN16931-R010: The buyer has no electronic address"),
        (lambda: Client.objects.update(e_invoice_profile="xrechnung"), "BR-DE-5: German electronic invoices need contact_name"),
    ],
)
def test_what_cannot_be_valid_is_refused_before_issue_by_its_rule(change, start, seller, process):
    """A pending document is generated, and approved when the data is complete."""
    plan = a_plan(seller, {"phone": "100", "book": "1"}, currency="eur")
    Service.objects.filter(client_service_id="book").update(tax_category="reduced")
    account = a_customer(seller, plan)
    Client.objects.update(missing_tax_data="allow")
    change()
    account.client.refresh_from_db()
    assert refused(account, process).startswith(start)
    assert Invoice.objects.count() == 0
    pending = bill(account, process, JAN_10, force_pending=True)
    answer = with_key(account.client, may_approve=True).post(f"/api/v1/invoices/{pending.pk}/approve/", {}, format="json")
    assert (answer.status_code, answer.json()["error_code"]) == (409, 90120)
    assert start in answer.json()["error_msg"]
    assert DocumentFile.objects.count() == 0
    Client.objects.update(e_invoice="none")
    assert (
        with_key(account.client, may_approve=True)
        .post(f"/api/v1/invoices/{pending.pk}/approve/", {}, format="json")
        .status_code
        == 200
    )


def test_several_taxes_on_a_line_and_a_third_decimal_cannot_be_expressed(seller, process):
    dinar = a_customer(seller, a_plan(seller, {"phone": "10.505"}, currency="kwd"), "kwd")
    assert refused(dinar, process) == "BR-DEC-23: The amount 10.505 has more than two decimals."
    TaxRateFactory(client=seller, country="AT", region="", name="Levy", percent=D(2))
    assert refused(a_customer(seller), process).startswith("BR-CO-04: Line 1 has several taxes")


def test_one_that_is_refused_harms_no_neighbour_and_a_refused_rebill_writes_nothing(seller, process):
    """Found while a batch is written, too: the buyer of a rebill is the one of today."""
    bad, good = a_customer(seller), a_customer(seller)
    Contact.objects.filter(account=bad).update(country="")
    Client.objects.update(missing_tax_data="allow")
    seller.refresh_from_db()
    made = generate_invoices(client=seller, account_nos=[bad.pk, good.pk], request=BillingRequest(JAN_10), caller=process)
    assert [one.error.code if isinstance(one, Refused) else None for one in made] == [ErrorCode.E_INVOICE_NOT_VALID, None]
    invoice = Invoice.objects.get()
    Contact.objects.filter(account=good).update(name="", company="")
    with pytest.raises(BillingError) as refusal:
        rebilled(invoice, process, line(1, rate_per_unit="90"))
    assert (refusal.value.code, refusal.value.detail[:6]) == (ErrorCode.E_INVOICE_NOT_VALID, "BR-07:")
    assert [(one.kind, one.status) for one in Invoice.objects.all()] == [("recurring", "approved")]


def test_a_tax_alone_is_not_credited_electronically(seller, process):
    invoice = bill(a_customer(seller), process, JAN_10)
    with pytest.raises(BillingError) as refusal:
        memo_of(invoice, process, {2: None})
    assert (refusal.value.code, refusal.value.detail) == (
        ErrorCode.E_INVOICE_NOT_VALID,
        "BR-CO-17: A tax cannot be credited alone electronically. Rebill the invoice and look its tax up again.",
    )


def test_profiles_name_their_rules_and_corrections_keep_the_style_of_their_original(seller, process):
    Client.objects.update(**XRECHNUNG)
    seller.refresh_from_db()
    account = a_customer(seller, electronic_scheme="9914", electronic_address="ATU57194903")
    invoice = bill(account, process, JAN_10)
    Client.objects.update(e_invoice="factur_x", e_invoice_profile="en16931")
    seller.refresh_from_db()
    rebill = rebilled(Invoice.objects.get(), process, line(1, rate_per_unit="90"))
    german = "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
    for document in (invoice, rebill.memo, rebill):
        read = etree.fromstring(in_ubl(document))
        assert (text(read, "b:CustomizationID"), text(read, "b:ProfileID")) == (
            german,
            "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0",
        )
        contact = "a:AccountingSupplierParty/a:Party/a:Contact"
        assert texts(read, contact, "b:Name", "b:Telephone", "b:ElectronicMail") == [("Billing", "+49 30 1", "b@acme.example")]
    Client.objects.update(e_invoice="ubl", e_invoice_profile="peppol")
    account.client.refresh_from_db()
    later = rebilled(bill(account, process, FEB_10), process, line(1, rate_per_unit="90"), today=FEB_10)
    read = etree.fromstring(in_ubl(later))
    assert (text(read, "b:InvoiceTypeCode"), *corrected(read)) == ("380", "INV-000002", "2026-02-10")
    assert text(read, "b:CustomizationID").endswith("poacc:billing:3.0")


# Files and doors.


def test_the_file_is_made_once_kept_and_found_at_every_door(seller, process, settings, umbra):
    Client.objects.filter(pk=seller.pk).update(statement_on_issue=True, attach_pdf=True)
    account = a_customer(Client.objects.get(pk=seller.pk))
    Contact.objects.update(email="o@example.at")
    invoice = bill(account, process, JAN_10)
    (sent,) = mail.outbox
    assert [(name, media_type) for name, _content, media_type in sent.attachments] == [
        ("INV-000001.pdf", "application/pdf"),
        ("INV-000001.xml", "application/xml"),
    ]
    file = DocumentFile.objects.get(kind="e_invoice")
    assert (file.state, file.format, file.profile, file.template_version) == ("made", "ubl", "en16931", "5")
    Service.objects.update(client_service_id="renamed")
    kept = sent.attachments[1].content
    answer = with_key(seller).get(f"/api/v1/invoices/{invoice.pk}/xml/", HTTP_ACCEPT="application/xml")
    assert (answer.status_code, answer["Content-Type"], answer["ETag"]) == (200, "application/xml", f'"{file.sha256}"')
    assert answer.content.decode() == (kept if isinstance(kept, str) else kept.decode())
    pages = reader(seller)
    assert f"/invoices/{invoice.pk}/xml/" in pages.get(f"/invoices/{invoice.pk}/").content.decode()
    assert pages.get(f"/invoices/{invoice.pk}/xml/").content == answer.content
    assert with_key(umbra).get(f"/api/v1/invoices/{invoice.pk}/xml/").status_code == 404
    assert reader(umbra, name="other").get(f"/invoices/{invoice.pk}/xml/").status_code == 404
    assert (stored_files(Scope(seller)).rows, stored_files(Scope(seller)).findings) == (2, [])


def test_factur_x_is_in_the_pdf(seller, process):
    Client.objects.update(e_invoice="factur_x")
    seller.refresh_from_db()
    invoice = bill(a_customer(seller), process, JAN_10)
    assert make_owed_files(seller, limit=10) == FilesMade(2, 0)
    xml, pdf = in_ubl(invoice), file_of_document(seller, invoice.pk).content
    assert broken_rules(xml) == []
    read = PdfReader(io.BytesIO(pdf))
    assert read.attachments == {"factur-x.xml": [xml]}
    metadata = read.root_object["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part>" in metadata and "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>" in metadata
    assert "Total €120.00" in " ".join(read.pages[0].extract_text().split())


def test_a_document_without_one_is_shown_and_not_kept(account, process):
    """Its seller needs no official number. What is issued later with one is not owed for it."""
    Client.objects.update(e_invoice="none", tax_ids="", registration_number="", tax_categories="")
    Account.objects.update(tax_exemption="not_subject")
    account.client.refresh_from_db()
    invoice = bill(account, process, JAN_10)
    assert broken_rules(in_ubl(invoice)) == []
    assert [file.kind for file in DocumentFile.objects.all()] == ["pdf"]
    Client.objects.update(e_invoice="ubl")
    memo = memo_of(Invoice.objects.select_related("client").get(pk=invoice.pk), process, amount="10")
    assert [file.kind for file in memo.files.all()] == ["pdf"]
    assert b"INV-000001" in in_ubl(memo)
    with pytest.raises(BillingError) as refusal:
        in_ubl(bill(account, process, FEB_10, force_pending=True))
    assert refusal.value.code == ErrorCode.NOT_ISSUED
