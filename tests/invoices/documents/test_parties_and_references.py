"""Documents that name what the standard's public examples name: payees, tax representatives, several numbers of a company,
references to contracts and deliveries, item numbers, list prices. Each is checked by the official rules in both syntaxes."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Account, Client, Contact, Service
from accounts.rates import RateTerms
from accounts.services.prices import add_price
from billing_site.errors import BillingError
from invoices.models import Invoice
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.e_invoices import NAMES, a_customer, checked, in_cii, printed, text, texts
from tests.support.money_api import with_key
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")

GLN, OTHER_GLN = "0088:4012345000009", "0088:4000001123452"


@pytest.fixture
def seller(seller):
    """A German company that sends electronic invoices."""
    Client.objects.update(e_invoice="ubl")
    seller.refresh_from_db()
    return seller


def changed(row, **fields):
    for name, value in fields.items():
        setattr(row, name, value)
    row.full_clean()
    row.save()
    return row


def numbers(document, path):
    return [(one.get("schemeID"), one.text) for one in document.iterfind(path, NAMES)]


REFERENCES = {
    "project_reference": ("PRJ-1", "a:ProjectReference/b:ID"),
    "contract_reference": ("C-2026/17", "a:ContractDocumentReference/b:ID"),
    "sales_order_reference": ("SO-9", "a:OrderReference/b:SalesOrderID"),
    "receiving_reference": ("GR-4", "a:ReceiptDocumentReference/b:ID"),
    "despatch_reference": ("DN-5", "a:DespatchDocumentReference/b:ID"),
    "tender_reference": ("LOT-3", "a:OriginatorDocumentReference/b:ID"),
    "accounting_reference": ("4025:123:4343", "b:AccountingCost"),
}


def test_a_document_names_what_it_refers_to(seller, process):
    account = a_customer(seller)
    changed(account, object_reference="ave: 12 345", **{name: value for name, (value, _path) in REFERENCES.items()})
    invoice = bill(account, process, JAN_10)
    # What the account says later changes no document.
    changed(account, contract_reference="C-2027", despatch_reference="")
    memo = rebilled(invoice, process, line(1, rate_per_unit="90"), today=FEB_10).memo
    read = checked(invoice=invoice, memo=memo)
    for name, (value, path) in REFERENCES.items():
        assert (name, text(read.invoice, path)) == (name, value)
    assert text(read.invoice, "a:OrderReference/b:ID") == "NA", "UBL has no place for a seller's order without the buyer's"
    found = texts(read.invoice, "a:AdditionalDocumentReference", "b:ID", "b:DocumentTypeCode")
    assert found == [("12 345", "130")]
    assert numbers(read.invoice, "a:AdditionalDocumentReference/b:ID") == [("AVE", "12 345")]
    assert text(read.memo, "a:ContractDocumentReference/b:ID") == "C-2026/17"
    of_memo = texts(read.memo, "a:AdditionalDocumentReference", "b:ID", "b:DocumentTypeCode")
    assert sorted(of_memo) == [("12 345", "130"), ("PRJ-1", "50")]
    page = printed(invoice)
    for shown in ("Contract: C-2026/17", "Project: PRJ-1", "Delivery note: DN-5", "Invoiced object: AVE:12 345"):
        assert shown in page
    cii = in_cii(invoice).decode()
    for value in ("PRJ-1", "C-2026/17", "SO-9", "GR-4", "DN-5", "LOT-3", "4025:123:4343", "12 345"):
        assert f">{value}<" in cii


def test_a_supporting_document_is_named_with_its_address(seller, process):
    link = "https://portal.example.com/timesheets/7?month=1"
    account = changed(a_customer(seller), supporting_reference="TS-7", supporting_description="Timesheet", supporting_link=link)
    invoice = bill(account, process, JAN_10)
    read = checked(invoice=invoice).invoice
    columns = ("b:ID", "b:DocumentDescription", "a:Attachment/a:ExternalReference/b:URI")
    assert texts(read, "a:AdditionalDocumentReference", *columns) == [("TS-7", "Timesheet", link)]
    assert f"Supporting document: TS-7, Timesheet, {link}" in printed(invoice)


def test_a_contact_takes_the_place_of_its_account_and_an_object_needs_no_kind(seller, process):
    account = changed(a_customer(seller), contract_reference="C-1", project_reference="P-1", object_reference="Meter: 7")
    Contact.objects.update(contract_reference="C-2")
    read = checked(invoice=bill(account, process, JAN_10)).invoice
    assert text(read, "a:ContractDocumentReference/b:ID") == "C-2"
    assert text(read, "a:ProjectReference/b:ID") == "P-1"
    assert numbers(read, "a:AdditionalDocumentReference/b:ID") == [(None, "Meter: 7")]


def test_companies_have_several_numbers(seller, process):
    changed(
        seller,
        party_numbers=f"{GLN}, 0060: 123456789, 4711",
        registration_scheme="0199",
        tax_number="21/815/08150",
        payee_name="Factor AG",
        payee_number=OTHER_GLN,
        payee_registration_number="HRB 1",
    )
    account = changed(
        a_customer(seller), party_number=OTHER_GLN, registration_number="FN 1 a", registration_scheme="0002",
        delivery_name="Warehouse", delivery_location=GLN,
    )  # fmt: skip
    read = checked(invoice=bill(account, process, JAN_10)).invoice
    ours, theirs = "a:AccountingSupplierParty/a:Party", "a:AccountingCustomerParty/a:Party"
    gln, other = ("0088", "4012345000009"), ("0088", "4000001123452")
    assert numbers(read, f"{ours}/a:PartyIdentification/b:ID") == [gln, ("0060", "123456789"), (None, "4711")]
    assert numbers(read, f"{ours}/a:PartyLegalEntity/b:CompanyID") == [("0199", "HRB 98765 B")]
    schemes = texts(read, f"{ours}/a:PartyTaxScheme", "b:CompanyID", "a:TaxScheme/b:ID")
    assert schemes == [("ATU57194903", "VAT"), ("21/815/08150", "LOC")]
    assert numbers(read, f"{theirs}/a:PartyIdentification/b:ID") == [other]
    assert numbers(read, f"{theirs}/a:PartyLegalEntity/b:CompanyID") == [("0002", "FN 1 a")]
    assert text(read, "a:PayeeParty/a:PartyName/b:Name") == "Factor AG"
    assert "Please pay to: Factor AG" in printed(Invoice.objects.get())
    assert numbers(read, "a:PayeeParty/a:PartyIdentification/b:ID") == [other]
    assert text(read, "a:PayeeParty/a:PartyLegalEntity/b:CompanyID") == "HRB 1"
    assert text(read, "a:Delivery/a:DeliveryParty/a:PartyName/b:Name") == "Warehouse"
    assert numbers(read, "a:Delivery/a:DeliveryLocation/b:ID") == [gln]


def test_a_tax_representative_stands_in_for_the_own_tax_id(seller, process):
    """Where nothing is subject to tax, the standard forbids tax ids, and so the representative."""
    changed(
        seller,
        tax_ids="",
        representative_name="Steuer & Rat",
        representative_tax_id="AT U57194903",
        representative_address1="Ring 1",
        representative_postal_code="1010",
        representative_city="Wien",
        representative_country="Austria",
    )
    invoice = bill(a_customer(seller), process, JAN_10)
    assert "Tax representative: Steuer & Rat, Ring 1, 1010, Wien, AT, ATU57194903" in printed(invoice)
    read = checked(invoice=invoice).invoice
    path = "a:TaxRepresentativeParty"
    assert text(read, f"{path}/a:PartyName/b:Name") == "Steuer & Rat"
    assert text(read, f"{path}/a:PartyTaxScheme/b:CompanyID") == "ATU57194903"
    place = texts(
        read, f"{path}/a:PostalAddress", "b:StreetName", "b:CityName", "b:PostalZone", "a:Country/b:IdentificationCode"
    )
    assert place == [("Ring 1", "Wien", "1010", "AT")]
    outside = a_customer(seller)
    Account.objects.filter(pk=outside.pk).update(tax_exemption="not_subject")
    assert checked(invoice=bill(outside, process, JAN_10)).invoice.find(path, NAMES) is None


def test_the_number_of_the_tax_office_at_home_is_enough_at_home(seller, process):
    """But not for a supply to another country of the EU."""
    changed(seller, tax_ids="", tax_number="21/815/08150")
    at_home = a_customer(seller)
    checked(invoice=bill(at_home, process, JAN_10))
    abroad = a_customer(seller)
    Account.objects.filter(pk=abroad.pk).update(tax_exemption="intra_community")
    with pytest.raises(BillingError) as refusal:
        bill(abroad, process, JAN_10)
    assert refusal.value.detail.startswith("BR-IC-02: Your company has no tax id")


def test_a_seller_is_known_by_some_number_also_where_tax_ids_are_forbidden(seller, process):
    changed(seller, registration_number="")
    account = a_customer(seller)
    Account.objects.filter(pk=account.pk).update(tax_exemption="not_subject")
    with pytest.raises(BillingError) as refusal:
        bill(account, process, JAN_10)
    assert refusal.value.detail.startswith("BR-CO-26: ")
    changed(seller, party_numbers=GLN)
    account = Account.objects.get(pk=account.pk)
    checked(invoice=bill(account, process, JAN_10))


def test_items_are_known_by_numbers_and_lists(seller, process):
    account = a_customer(seller)
    phone = Service.objects.get(client_service_id="phone")
    changed(
        phone,
        item_number="0173:02-BAA120",
        buyer_item_number="B-77",
        classifications="sti: 65434568, HS:8517",
        origin_country="China",
    )
    read = checked(invoice=bill(account, process, JAN_10)).invoice
    item = "a:InvoiceLine/a:Item"
    assert text(read, f"{item}/a:BuyersItemIdentification/b:ID") == "B-77"
    assert text(read, f"{item}/a:SellersItemIdentification/b:ID") == "phone"
    assert numbers(read, f"{item}/a:StandardItemIdentification/b:ID") == [("0173", "02-BAA120")]
    codes = read.iterfind(f"{item}/a:CommodityClassification/b:ItemClassificationCode", NAMES)
    assert [(one.get("listID"), one.text) for one in codes] == [("STI", "65434568"), ("HS", "8517")]
    assert text(read, f"{item}/a:OriginCountry/b:IdentificationCode") == "CN"


def test_a_lower_price_of_a_customer_names_the_list_price(seller, process):
    account = a_customer(seller)
    instance = account.plan_instances.get()
    add_price(
        instance.plan.charges.get(),
        RateTerms("eur", D(80), valid_from=date(2026, 1, 1)),
        instance,
        caller=process,
    )
    read = checked(invoice=bill(account, process, JAN_10)).invoice
    columns = ("b:PriceAmount", "a:AllowanceCharge/b:Amount", "a:AllowanceCharge/b:BaseAmount")
    price = texts(read, "a:InvoiceLine/a:Price", *columns)
    assert price == [("80", "20", "100")]
    assert texts(read, "a:InvoiceLine", "b:LineExtensionAmount") == [("80.00",)]


@pytest.mark.parametrize(
    ("model", "fields", "named"),
    [
        (Client, {"payee_number": GLN}, "payee_name"),
        (Client, {"representative_name": "A"}, "representative_country"),
        (Client, {"party_numbers": f"{GLN}, {OTHER_GLN}"}, "party_numbers"),
        (Client, {"party_numbers": "0088:4012345000008"}, "party_numbers"),
        (Client, {"registration_scheme": "9999"}, "registration_scheme"),
        (Client, {"registration_scheme": "0192"}, "registration_number"),
        (Client, {"electronic_scheme": "0089"}, "electronic_scheme"),
        (Account, {"party_number": "8888:1"}, "party_number"),
        (Account, {"supporting_link": "https://example.com"}, "supporting_reference"),
        (Account, {"supporting_reference": "1", "supporting_link": "file:///etc/passwd"}, "supporting_link"),
        (Account, {"registration_scheme": "0002"}, "registration_number"),
        (Account, {"electronic_scheme": "0151", "electronic_address": "51824753557"}, "electronic_address"),
        (Account, {"electronic_scheme": "0211", "electronic_address": "IT00743110158"}, "electronic_address"),
        (Service, {"item_number": "9999:1"}, "item_number"),
        (Service, {"classifications": "65434568"}, "classifications"),
        (Service, {"classifications": "HS:1, HS:2"}, "classifications"),
        (Service, {"origin_country": "Atlantis"}, "origin_country"),
    ],
)
def test_what_no_document_could_say_is_refused_when_it_is_entered(seller, model, fields, named):
    account = a_customer(seller)
    row = {Client: seller, Account: account, Service: Service.objects.get(client_service_id="phone")}[model]
    with pytest.raises(ValidationError) as refused:
        changed(row, **fields)
    assert named in refused.value.message_dict


def test_they_are_read_and_changed_over_rest(seller, process):
    account, api = a_customer(seller), with_key(seller)
    answer = api.patch(f"/api/v1/accounts/{account.pk}/", {"contract_reference": "C-1", "party_number": GLN}, format="json")
    assert (answer.status_code, answer.json()["contract_reference"], answer.json()["party_number"]) == (200, "C-1", GLN)
    settings = f"/api/v1/e-invoice-settings/{seller.pk}/"
    answer = api.patch(settings, {"payee_name": "Factor AG", "party_numbers": "0060:1"}, format="json")
    assert (answer.status_code, answer.json()["payee_name"], answer.json()["party_numbers"]) == (200, "Factor AG", "0060:1")
    assert api.patch(settings, {"payee_name": "", "payee_number": GLN}, format="json").json()["errors"].keys() == {"payee_name"}
    invoice = bill(Account.objects.get(pk=account.pk), process, JAN_10)
    buyer, ours = invoice.bill_to, invoice.seller
    assert (buyer["contract_reference"], buyer["party_number"], ours["payee_name"]) == ("C-1", GLN, "Factor AG")
    assert Invoice.objects.count() == 1
