"""What is printed of a document, on paper, in a PDF and in an e-mail: its heading, parties, lines and amounts. All texts are in
the language of the customer, whoever asks for them."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from babel import Locale
from babel.dates import format_date
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from accounts.unit_codes import unit_name
from billing_site.common.currencies import currency_of
from invoices.calculation import ZERO, rounded
from invoices.document import Document, Line
from invoices.kinds import InvoiceKind, InvoiceStatus
from invoices.models import Invoice, InvoiceLine
from invoices.plan.payment_means import DIRECT_DEBITS, PaymentMeans, payment_means_of
from invoices.plan.vat import tax_in_second_currency, tax_texts
from invoices.services.documents.document_storage import stored_contents
from invoices.services.money.ledger.open_items import charges_of, paid_at_issue


class StatementParts(NamedTuple):
    """What a statement shows of a document beside its row."""

    content: Document
    due: Decimal
    rebill: Invoice | None


def statement_parts(invoices: Collection[Invoice]) -> dict[int, StatementParts]:
    """Return the parts of the statements of documents, by document number. The number of queries is constant."""
    numbers = [invoice.pk for invoice in invoices]
    charges = charges_of(numbers)
    issued_rebills = Invoice.objects.filter(corrects__in=numbers, kind=InvoiceKind.REBILL, status=InvoiceStatus.APPROVED)
    rebills = {rebill.corrects_id: rebill for rebill in issued_rebills}
    return {
        number: StatementParts(
            content,
            charges[number].due if number in charges else ZERO,
            rebills.get(number),
        )
        for number, content in stored_contents(numbers).items()
    }


def parts_at_issue(invoice: Invoice) -> StatementParts:
    """Return the parts of a document as it was issued: without what replaced it later, and with what was due then."""
    parts = statement_parts([invoice])[invoice.pk]
    return parts._replace(due=invoice.total_amount - paid_at_issue(invoice), rebill=None)


def language_of(invoice: Invoice) -> str:
    """Return the language of a document: its account's, else its client's."""
    return invoice.account.language or invoice.client.language


class Heading(NamedTuple):
    """The title and note at the top of a printed document."""

    title: str
    note: str
    is_payable: bool
    """True if the due date and the open amount are printed."""


def heading_of(invoice: Invoice, rebill: Invoice | None, locale: Locale | None) -> Heading:
    """Return the heading of a printed document. `rebill` is the issued rebill that replaces it."""
    number = invoice.document_number or str(invoice.pk or "")
    original = invoice.corrects
    if invoice.status == InvoiceStatus.PENDING:
        return Heading((_("Pro forma %(number)s") % {"number": number}).strip(), "", False)
    if invoice.kind == InvoiceKind.CREDIT_MEMO and original is not None:
        title = _("Credit memo %(number)s for invoice %(original)s of %(date)s") % {
            "number": number,
            "original": original.document_number,
            "date": _day(original.invoice_date, locale),
        }
        return Heading(title, invoice.comments, False)
    if invoice.kind == InvoiceKind.REVERSAL and original is not None:
        title = _("Reversal %(number)s of %(original)s of %(date)s") % {
            "number": number,
            "original": original.document_number,
            "date": _day(original.invoice_date, locale),
        }
        return Heading(title, invoice.comments, False)
    name = _("Corrected invoice") if invoice.kind == InvoiceKind.REBILL else _("Invoice")
    title = f"{name} {number}"
    if invoice.status == InvoiceStatus.VOIDED:
        return Heading(title, _("Voided."), False)
    if rebill is not None:
        replaced = _("Replaced by %(number)s of %(date)s.")
        note = replaced % {"number": rebill.document_number, "date": _day(rebill.invoice_date, locale)}
        return Heading(title, note, False)
    return Heading(title, "", invoice.status == InvoiceStatus.APPROVED)


def statement_context(invoice: Invoice, parts: StatementParts, locale: Locale | None = None) -> dict[str, Any]:
    """Return the context of the statement templates. Amounts are texts with the decimals of their currency, and all texts are
    in the language of the document, `language`.

    Dates have one form: with a `locale`, which pages and PDFs have, the one of their lines (Jan 10, 2026), else numbers.
    """
    language = language_of(invoice)
    with override(language):
        return {"language": language, **_context(invoice, parts, locale)}


def _context(invoice: Invoice, parts: StatementParts, locale: Locale | None) -> dict[str, Any]:
    content, currency = parts.content, invoice.currency
    original = invoice.corrects if invoice.kind == InvoiceKind.REBILL else None
    heading = heading_of(invoice, parts.rebill, locale)

    def amount(value: Decimal) -> str:
        return number_format(rounded(value, currency_of(currency)))

    return {
        "title": heading.title,
        "note": heading.note,
        "is_payable": heading.is_payable,
        "invoice": invoice,
        "currency": currency.upper(),
        "seller": content.parties.seller,
        "bill_to": content.parties.bill_to,
        "references": list(_references(content)),
        "collected_by": _collected_by(content),
        "lines": [_line(line) for line in content.lines],
        "date": _day(invoice.invoice_date, locale),
        "due_date": _day(invoice.due_date, locale),
        "total": amount(invoice.total_amount),
        "tax_texts": tax_texts(content),
        "second_currency": _second_currency(invoice, content),
        "due": amount(parts.due),
        "is_due": parts.due > ZERO,
        "original": original,
        "original_date": _day(original.invoice_date, locale) if original is not None else "",
        "original_total": amount(original.total_amount) if original is not None else "",
        "difference": amount(invoice.total_amount - original.total_amount) if original is not None else "",
    }


class Reference(NamedTuple):
    """Something that a document names beside its parties and lines, with what it is."""

    label: str
    value: str


REFERENCES = {
    "contract_reference": gettext_noop("Contract"),
    "project_reference": gettext_noop("Project"),
    "tender_reference": gettext_noop("Call for tenders"),
    "object_reference": gettext_noop("Invoiced object"),
    "sales_order_reference": gettext_noop("Our order number"),
    "despatch_reference": gettext_noop("Delivery note"),
    "receiving_reference": gettext_noop("Receipt of goods"),
    "accounting_reference": gettext_noop("Your cost centre"),
    "delivery_name": gettext_noop("Delivered to"),
}


def _references(content: Document) -> Iterator[Reference]:
    seller, buyer = content.parties.seller, content.parties.bill_to
    for name, label in REFERENCES.items():
        if buyer.get(name):
            yield Reference(_(label), buyer[name])
    if buyer.get("supporting_reference"):
        names = ("supporting_reference", "supporting_description", "supporting_link")
        yield Reference(_("Supporting document"), ", ".join(filter(None, (buyer.get(name, "") for name in names))))
    if seller.get("payee_name"):
        yield Reference(_("Please pay to"), seller["payee_name"])
    if seller.get("representative_name"):
        named = ("name", "address1", "postal_code", "city", "country", "tax_id")
        parts = (seller.get(f"representative_{name}", "") for name in named)
        yield Reference(_("Tax representative"), ", ".join(filter(None, parts)))


def _collected_by(content: Document) -> str:
    """Say how the seller collects the document. Empty if its customer transfers the money."""
    seller, buyer = content.parties.seller, content.parties.bill_to
    means = payment_means_of(content.parties, content.terms.currency)
    if means == PaymentMeans.CARD:
        return _("By card: %(network)s ending in %(digits)s") % {
            "network": buyer["card_network"],
            "digits": buyer["card_digits"],
        }
    if means not in DIRECT_DEBITS:
        return ""
    text = _("By direct debit from the account ending in %(digits)s. Mandate: %(mandate)s.")
    said = text % {"digits": buyer["debited_account"][-4:], "mandate": buyer["mandate_reference"]}
    if means == PaymentMeans.SEPA_DIRECT_DEBIT:
        said += " " + _("Our creditor id: %(creditor_id)s.") % {"creditor_id": seller["creditor_id"]}
    return said


def _second_currency(invoice: Invoice, content: Document) -> str:
    """Return the VAT in the currency of the seller's VAT accounts, with its rate. Empty if that is the document's currency."""
    told = tax_in_second_currency(content, invoice.tax_amount)
    if told is None:
        return ""
    text = _("VAT in %(currency)s: %(amount)s (1 %(own)s = %(rate)s %(currency)s)")
    return text % {
        "currency": told.currency.code.upper(),
        "amount": number_format(told.amount),
        "own": invoice.currency.upper(),
        "rate": number_format(f"{told.rate.normalize():f}"),
    }


def _line(line: Line) -> Mapping[str, Any]:
    return {
        "line": line,
        "units": "" if line.units is None else _units(line),
        "rate": _price(line),
        "comments": line.comments,
        "references": list(line_references(line)),
    }


REFERENCES_OF_LINES = {
    "order_line": gettext_noop("Line of the order"),
    "accounting_reference": gettext_noop("Your cost centre"),
    "object_reference": gettext_noop("Invoiced object"),
}


def line_references(line: Line | InvoiceLine) -> Iterator[Reference]:
    """Yield what a line refers to, in the active language."""
    for name, label in REFERENCES_OF_LINES.items():
        if getattr(line, name):
            yield Reference(_(label), getattr(line, name))


def _price(line: Line) -> str:
    if line.price is None:
        return ""
    price = number_format(f"{line.price.normalize():f}")
    if line.price_units is None:
        return price
    units = number_format(f"{line.price_units.normalize():f}")
    return _("%(price)s per %(units)s") % {"price": price, "units": units}


def _units(line: Line) -> str:
    assert line.units is not None
    return f"{number_format(f'{line.units.normalize():f}')} {unit_name(line.unit_code)}".rstrip()


def _day(value: date | None, locale: Locale | None) -> str:
    if value is None:
        return ""
    # The format is a text: it has a translation.
    return date_format(value, _("Y-m-d")) if locale is None else format_date(value, "medium", locale=locale)
