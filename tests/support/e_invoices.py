"""Electronic invoices in tests: made in both syntaxes, checked by the official rules, and read."""

import io
from decimal import Decimal as D
from types import SimpleNamespace

from lxml import etree
from pypdf import PdfReader

from accounts.kinds import EInvoiceFormat, EInvoiceProfile
from accounts.models import Account
from invoices.models import Invoice
from invoices.services.printing.e_invoices import EInvoiceStyle, e_invoice_xml
from invoices.services.printing.files import e_invoice_of_document, file_of_document
from tests.support.factories import ContactFactory, a_plan, an_account
from tests.support.official_rules import broken_rules

CII = EInvoiceStyle(EInvoiceFormat.FACTUR_X, EInvoiceProfile.EN16931)
UBL = "urn:oasis:names:specification:ubl:schema:xsd:Common{}Components-2"
NAMES = {"b": UBL.format("Basic"), "a": UBL.format("Aggregate")}


def a_customer(seller, plan=None, currency="eur", **fields):
    plan = plan or a_plan(seller, {"phone": "100"}, currency=currency)
    account = an_account(seller, plan, contact=False, currency=currency)
    Account.objects.filter(pk=account.pk).update(**{"tax_id": "ATU57194903", "buyer_reference": "Abt. 7", **fields})
    ContactFactory(account=account, country="AT", region="", city="Wien", company="Ötzi & Söhne <KG>")
    account.refresh_from_db()
    return account


def in_ubl(invoice):
    return e_invoice_of_document(invoice.client, invoice.pk).content


def in_cii(invoice):
    return e_invoice_xml(Invoice.objects.select_related("account", "client").get(pk=invoice.pk), CII)


def printed(invoice):
    """Return the words of all pages of a document's PDF, one space between them."""
    pages = PdfReader(io.BytesIO(file_of_document(invoice.client, invoice.pk).content)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def checked(*, in_ubl_alone=False, **documents):
    """Check documents in both syntaxes by the official rules, and return them in UBL, by name."""
    read = {}
    for name, invoice in documents.items():
        ubl = in_ubl(invoice)
        assert (name, broken_rules(ubl)) == (name, [])
        assert (name, [] if in_ubl_alone else broken_rules(in_cii(invoice))) == (name, [])
        read[name] = etree.fromstring(ubl)
        sign = -1 if invoice.total_amount < 0 else 1
        amounts = (
            "a:LegalMonetaryTotal/b:TaxExclusiveAmount",
            "a:TaxTotal/b:TaxAmount",
            "a:LegalMonetaryTotal/b:TaxInclusiveAmount",
        )
        shown = [sign * D(text(read[name], path)) for path in amounts]
        assert shown == [invoice.net_amount, invoice.tax_amount, invoice.total_amount], name
    return SimpleNamespace(**read)


def text(document, path):
    return document.findtext(path, namespaces=NAMES)


def texts(document, *paths):
    """Return the texts at several paths below each element that the first path finds."""
    first, *below = paths
    return [tuple(one.findtext(path, namespaces=NAMES) for path in below) for one in document.iterfind(first, NAMES)]


def breakdown(document):
    category = "a:TaxCategory/b:"
    rows = texts(document, "a:TaxTotal/a:TaxSubtotal", f"{category}ID", f"{category}Percent", "b:TaxableAmount", "b:TaxAmount")
    return sorted(rows)


def beside(document):
    return texts(
        document, "a:AllowanceCharge", "b:ChargeIndicator", "b:AllowanceChargeReason", "b:Amount", "a:TaxCategory/b:Percent"
    )


def corrected(document):
    path = "a:BillingReference/a:InvoiceDocumentReference/b:"
    return text(document, f"{path}ID"), text(document, f"{path}IssueDate")


def total(document):
    return texts(document, "a:LegalMonetaryTotal", "b:PrepaidAmount", "b:PayableAmount")
