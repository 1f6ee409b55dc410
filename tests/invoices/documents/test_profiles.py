"""The rules of XRechnung and of the Peppol network that a document of ours could break are checked before it is issued.

Their official schematron comes with no library that we use. Each rule is tested by its number, and the documents that keep them
also keep the rules of the standard itself.
"""

from datetime import date
from decimal import Decimal as D

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Account, Client, Contact
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice, InvoiceLine
from tests.support.billing import JAN_10, bill
from tests.support.e_invoices import a_customer, breakdown, checked, text, texts
from tests.support.factories import TaxRateFactory
from tests.support.memos import memo_of
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")

COMPLETE = {
    "e_invoice": "ubl",
    "contact_name": "Billing",
    "contact_phone": "+49 30 1",
    "contact_email": "b@acme.example",
    "electronic_scheme": "9930",
    "electronic_address": "DE136695976",
}
BUYER = {"electronic_scheme": "0088", "electronic_address": "4012345000009", "buyer_reference": "04011000-12345-67"}


@pytest.fixture
def customer(seller):
    """A German customer of the German company, at 19 percent."""
    TaxRateFactory(client=seller, country="DE", region="", name="USt", percent=D(19))
    Client.objects.update(**COMPLETE)
    seller.refresh_from_db()
    account = a_customer(seller, **BUYER)
    Contact.objects.filter(account=account).update(country="DE", city="Berlin", postal_code="10115")
    return account


@pytest.fixture(params=["xrechnung", "peppol"])
def profile(request, customer):
    Client.objects.update(e_invoice_profile=request.param)
    customer.client.refresh_from_db()
    return request.param


def refused(account, process):
    account.client.refresh_from_db()
    with pytest.raises(BillingError) as refusal:
        bill(account, process, JAN_10)
    assert (refusal.value.code, Invoice.objects.count()) == (ErrorCode.E_INVOICE_NOT_VALID, 0)
    return refusal.value.detail


def test_a_complete_document_and_its_corrections_are_issued(customer, profile, process):
    invoice = bill(customer, process, JAN_10)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="90"))
    read = checked(invoice=invoice, memo=rebill.memo, rebill=rebill, part=memo_of(rebill, process, amount="10"))
    address = "a:Delivery/a:DeliveryLocation/a:Address"
    for document in vars(read).values():
        assert texts(document, address, "b:CityName", "b:PostalZone") == [("Berlin", "10115")]
    assert text(read.rebill, "b:InvoiceTypeCode") == "384"


@pytest.mark.parametrize(
    ("change", "number", "of_peppol", "start"),
    [
        (lambda: Client.objects.update(city=""), "BR-DE-3", "DE-R-003", "German electronic invoices need city"),
        (lambda: Client.objects.update(postal_code=""), "BR-DE-4", "DE-R-004", "German electronic invoices need postal_code"),
        (lambda: Client.objects.update(contact_name=""), "BR-DE-5", "DE-R-005", "German electronic invoices need contact_name"),
        (lambda: Client.objects.update(contact_phone="n/a"), "BR-DE-27", "DE-R-027", "n/a has fewer than three digits."),
        (lambda: Client.objects.update(iban="", bic=""), "BR-DE-1", "DE-R-001", "German electronic invoices need iban"),
        (
            lambda: Account.objects.update(buyer_reference=""),
            "BR-DE-15",
            "DE-R-015",
            "German electronic invoices need buyer_ref",
        ),
        (lambda: Contact.objects.update(city=""), "BR-DE-8", "DE-R-008", "German electronic invoices need city of the account"),
        (
            lambda: Account.objects.update(electronic_address="4012345000008"),
            *("PEPPOL-COMMON-R040", "PEPPOL-COMMON-R040", "4012345000008 is not a valid number of the scheme 0088."),
        ),
        (
            lambda: Client.objects.update(electronic_scheme="", electronic_address=""),
            *("PEPPOL-EN16931-R020", "PEPPOL-EN16931-R020", "Your company has no electronic address."),
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_number(customer, profile, change, number, of_peppol, start, process):
    change()
    detail = refused(customer, process)
    assert detail.startswith(f"{of_peppol if profile == 'peppol' else number}: {start}")


def test_between_other_countries_the_network_has_no_german_rules(customer, process):
    Client.objects.update(e_invoice_profile="peppol", contact_name="", iban="", bic="")
    Contact.objects.update(country="AT")
    customer.client.refresh_from_db()
    checked(invoice=bill(customer, process, JAN_10))


def test_what_is_not_subject_to_tax_has_a_rate_in_xrechnung_only(customer, profile, process):
    """BR-DE-14, and R110 and R111: the days of lines are within those of the document."""
    Account.objects.update(tax_exemption="not_subject")
    customer.client.refresh_from_db()
    invoice = bill(customer, process, JAN_10)
    rate = "0" if profile == "xrechnung" else None
    assert breakdown(checked(invoice=invoice).invoice) == [("O", rate, "100.00", "0.00")]


def test_the_days_of_lines_are_within_those_of_the_document(customer, profile, process):
    """R110 and R111: a rebill may move the days of a line."""
    invoice = bill(customer, process, JAN_10)
    moved = line(1, period_start=date(2025, 12, 1), period_end=date(2026, 3, 1))
    rebill = rebilled(invoice, process, moved)
    assert InvoiceLine.objects.get(invoice=rebill, line_no=1).period_start == date(2025, 12, 1)
    days = texts(checked(rebill=rebill).rebill, "a:InvoicePeriod", "b:StartDate", "b:EndDate")
    assert days == [("2025-12-01", "2026-03-01")]


@pytest.mark.parametrize(
    ("scheme", "address"), [("0088", "4012345000008"), ("0192", "991825828"), ("0208", "0202239952"), ("0007", "5567037486")]
)
def test_an_electronic_address_with_wrong_digits_is_refused_when_it_is_entered(customer, scheme, address):
    customer.refresh_from_db()
    customer.electronic_scheme, customer.electronic_address = scheme, address
    with pytest.raises(ValidationError) as refused:
        customer.full_clean()
    assert list(refused.value.message_dict) == ["electronic_address"]
