"""Every kind of document, as it leaves the house: the PDF says what the database says, is an archive that everyone can read,
and has an electronic invoice in it that keeps the official rules and has the same amounts. Each is also checked as UBL."""

import io
import resource
from decimal import Decimal as D

import pytest
from lxml import etree
from pypdf import PdfReader

from accounts.kinds import ChargeType
from accounts.models import Client, Service
from invoices.calculation import ZERO
from invoices.models import Invoice, OneTimeCharge, Surcharge
from invoices.services.printing.files import file_of_document
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.coupons import a_coupon, redeem
from tests.support.e_invoices import a_customer
from tests.support.factories import ServiceFactory, TaxRateFactory, a_charge, a_plan, some_usage
from tests.support.memos import memo_of
from tests.support.official_rules import broken_rules
from tests.support.pictures import keep_pictures
from tests.support.rebilling import line, rebilled
from tests.support.service_credits import credit

pytestmark = pytest.mark.usefixtures("audited")

MOST_LINES = 2000
MOST_MEGABYTES = 900
CII = {"r": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"}


@pytest.fixture
def seller(seller):
    Client.objects.update(e_invoice="factur_x")
    TaxRateFactory(client=seller, country="AT", region="", name="USt", percent=D(10), category="reduced")
    seller.refresh_from_db()
    return seller


def nine_line_types(seller):
    plan = a_plan(seller, {"line": "30.00"}, name="Office", currency="eur")
    a_charge(plan, "support", "12.00", ChargeType.ARREARS, currency="eur")
    a_charge(plan, "calls", None, ChargeType.USAGE, tiers={"0": "0.10", "100": "0.05"}, currency="eur")
    a_charge(plan, "books", "50.00", currency="eur")
    a_charge(plan, "course", "99.00", ChargeType.ACTIVATION, currency="eur")
    Service.objects.filter(client_service_id="books").update(tax_category="reduced")
    account = a_customer(seller, plan)
    some_usage(account.plan_instances.get(), "calls", "120", JAN_31)
    router = ServiceFactory(client=seller, client_service_id="router", name="Router")
    OneTimeCharge.objects.create(account=account, service=router, rate_per_unit=D("79.90"), charge_date=JAN_31)
    fee = ServiceFactory(client=seller, client_service_id="fee")
    Surcharge.objects.create(client=seller, service=fee, name="Recovery fee", percent=D(2), valid_from=JAN_10)
    a_coupon(seller)
    redeem(account)
    credit(account, "20.00")
    return account


def of_nine_line_types(seller, process):
    account = nine_line_types(seller)
    return [bill(account, process, JAN_10), bill(account, process, FEB_10)]


def corrected(seller, process):
    """A memo in part of an invoice; the rebill of another with its memo, and the rebill of that with its memo."""
    credited = bill(a_customer(seller), process, JAN_10)
    invoice = bill(a_customer(seller), process, JAN_10)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="90"))
    again = rebilled(rebill, process, line(1, rate_per_unit="80"))
    return [memo_of(credited, process, amount="10.00"), rebill, rebill.memo, again, again.memo]


def with_inclusive_prices(seller, process):
    account = a_customer(seller, a_plan(seller, {"gross": "119.99"}, currency="eur"))
    Service.objects.filter(client_service_id="gross").update(tax_inclusive=True)
    a_coupon(seller)
    redeem(account)
    return [bill(account, process, JAN_10)]


def in_currency(currency, price):
    def of(seller, process):
        return [bill(a_customer(seller, a_plan(seller, {"phone": price}, currency=currency), currency), process, JAN_10)]

    return of


def exempt(kind):
    def of(seller, process):
        return [bill(a_customer(seller, tax_exemption=kind, tax_exemption_reason="§ 4"), process, JAN_10)]

    return of


WORLDS = {
    "recurring": lambda seller, process: [bill(a_customer(seller), process, JAN_10)],
    "advance": lambda seller, process: [bill(a_customer(seller), process, JAN_10, advance=True)],
    "nine line types": of_nine_line_types,
    "corrections": corrected,
    "zero": in_currency("eur", "0"),
    "inclusive prices": with_inclusive_prices,
    "yen": in_currency("jpy", "1999"),
    "dinar": in_currency("kwd", "10.500"),
    "reverse charge": exempt("reverse_charge"),
    "exempt": exempt("exempt"),
}

TITLES = {
    "recurring": "Invoice INV-",
    "advance": "Invoice INV-",
    "credit_memo": "Credit memo CM-",
    "rebill": "Corrected invoice RB-",
}


@pytest.mark.parametrize("world", WORLDS)
def test_pdf_and_electronic_invoice_say_what_the_database_says(world, seller, process):
    for invoice in WORLDS[world](seller, process):
        check(invoice, world)


def check(invoice, world):
    content = file_of_document(invoice.client, invoice.pk).content
    keep_pictures(f"{world}-{invoice.document_number}", content)
    read = PdfReader(io.BytesIO(content))
    check_archive(read, invoice)
    head = read.pages[0].extract_text(extraction_mode="layout")
    assert head.index("Registration HRB 98765 B") < head.index("For") < head.index("Line"), "nothing is printed over another"
    words = words_of(read)
    assert TITLES[invoice.kind] + invoice.document_number.partition("-")[2] in words
    for one in invoice.lines.exclude(line_type=6):
        assert one.description in words, one.line_no
    for amount in (invoice.net_amount, invoice.total_amount):
        assert printed_amount(amount, invoice.currency) in words.replace("-€", "€-")
    if invoice.corrects is not None:
        assert invoice.corrects.document_number in words
    check_inside(read, invoice)


def words_of(read):
    return " ".join(" ".join(page.extract_text() for page in read.pages).split())


def printed_amount(amount, currency):
    return f"{abs(amount):,.{ {'jpy': 0, 'kwd': 3}.get(currency, 2) }f}"


def check_archive(read, invoice):
    """PDF/A-3b and PDF/UA-1, as far as it can be seen: metadata, language, title, tags, colours, fonts, and nothing active."""
    root = read.root_object
    metadata = etree.fromstring(root["/Metadata"].get_object().get_data().partition(b"?>")[2].rpartition(b"<?xpacket")[0])
    assert (named(metadata, "pdfa", "part"), named(metadata, "pdfa", "conformance")) == (["3"], ["B"])
    assert named(metadata, "pdfua", "part") == ["1"]
    assert [one.text for one in metadata.iter("{http://www.aiim.org/pdfa/ns/schema#}prefix")].count("pdfuaid") == 1
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert read.metadata.title
    assert root["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
    assert "/ID" in read.trailer
    assert not {"/OpenAction", "/AA"} & set(root)
    roles = set(tags(root["/StructTreeRoot"]))
    assert {"/Document", "/H1", "/P", "/Table", "/TR", "/TH", "/TD"} <= roles
    for figure in figures(root["/StructTreeRoot"]):
        assert figure["/Alt"]
    for page in read.pages:
        assert page["/Tabs"] == "/S"
        for font in page["/Resources"].get("/Font", {}).values():
            descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            assert "/FontFile2" in descriptor or "/FontFile3" in descriptor
            assert descriptor["/FontName"][7] == "+", "a subset"
            assert "/ToUnicode" in font.get_object()
    (file,) = root["/AF"]
    assert (file.get_object()["/AFRelationship"], file.get_object()["/UF"]) == ("/Alternative", "factur-x.xml")
    assert invoice.document_number in read.metadata.title


def named(metadata, standard, name):
    """Return the values of a name of a standard, which may be elements or attributes."""
    name = f"{{http://www.aiim.org/{standard}/ns/id/}}{name}"
    found = [one.text for one in metadata.iter(name)]
    return found + [one.get(name) for one in metadata.iter("{*}Description") if one.get(name) is not None]


def elements(node):
    """Yield the elements of the tree of tags."""
    kids = node.get("/K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        one = kid.get_object()
        if isinstance(one, dict) and "/S" in one:
            yield one
            yield from elements(one)


def tags(root):
    return [one["/S"] for one in elements(root)]


def figures(root):
    return [one for one in elements(root) if one["/S"] == "/Figure"]


def check_inside(read, invoice):
    """The electronic invoice in the PDF, and the same document in UBL, keep the official rules and have the amounts."""
    from invoices.services.printing.e_invoices import SHOWN_STYLE, e_invoice_xml

    ((xml,),) = read.attachments.values()
    stored = Invoice.objects.select_related("account", "client").get(pk=invoice.pk)
    assert broken_rules(xml) == []
    assert broken_rules(e_invoice_xml(stored, SHOWN_STYLE)) == []
    found = etree.fromstring(xml)
    sums = found.find(".//r:SpecifiedTradeSettlementHeaderMonetarySummation", CII)
    sign = -1 if invoice.kind == "credit_memo" else 1
    named = {
        "TaxBasisTotalAmount": invoice.net_amount,
        "TaxTotalAmount": invoice.tax_amount,
        "GrandTotalAmount": invoice.total_amount,
    }
    assert {name: sign * D(sums.findtext(f"r:{name}", "0", CII)) for name in named} == {
        name: amount + ZERO for name, amount in named.items()
    }


def test_a_document_of_2000_lines_takes_bounded_memory(seller, process):
    """Its head is repeated on each page, and every line is on it and in the electronic invoice."""
    account = a_customer(seller)
    service = ServiceFactory(client=seller, client_service_id="small", name="Small")
    columns = {"account": account, "service": service, "rate_per_unit": D("1.25"), "charge_date": JAN_10}
    OneTimeCharge.objects.bulk_create(
        OneTimeCharge(**columns, description=f"Part {number}") for number in range(MOST_LINES - 1)
    )
    invoice = bill(account, process, JAN_10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    content = file_of_document(invoice.client, invoice.pk).content
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    keep_pictures("long", content)
    read = PdfReader(io.BytesIO(content))
    pages = [page.extract_text() for page in read.pages]
    assert len(pages) > 50
    assert all(
        "Line Units Rate EUR" in page and f"Page {number} of {len(pages)}" in page for number, page in enumerate(pages[:-1], 1)
    )
    words = " ".join(" ".join(pages).split())
    assert all(f"Part {number} " in words for number in (0, 999, MOST_LINES - 2))
    check_inside(read, invoice)
    ((xml,),) = read.attachments.values()
    assert xml.count(b"<ram:IncludedSupplyChainTradeLineItem>") == MOST_LINES
    assert grown < MOST_MEGABYTES
