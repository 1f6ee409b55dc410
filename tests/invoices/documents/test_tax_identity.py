"""What documents say of the companies that bill and are billed: as it was when they were made, whatever changes later."""

from decimal import Decimal as D

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.utils.html import strip_tags

from accounts.models import Account, Contact
from invoices.models import Invoice, TaxRate
from invoices.services.statements.statements import resend_statement
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.memos import memo_of
from tests.support.money_api import with_key
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")


def test_a_document_keeps_both_companies(account, seller, process):
    invoice = bill(account, process, JAN_10)
    assert invoice.seller == {
        "name": "Acme Telecom",
        "address1": "1 Main Street",
        "address2": "",
        "city": "Springfield",
        "region": "",
        "postal_code": "90210",
        "country": "DE",
        "tax_id": "ATU57194903",
        "legal_name": "Acme Telekom GmbH",
        "registration_number": "HRB 98765 B",
        "legal_text": "Directors: A. Lovelace\nRegister: Berlin",
        "bank_name": "Commerzbank",
        "iban": "DE89370400440532013000",
        "bic": "COBADEFFXXX",
        "electronic_scheme": "9930",
        "electronic_address": "DE136695976",
    }
    company = ("company", "tax_id", "electronic_scheme", "electronic_address", "buyer_reference")
    assert [invoice.bill_to[name] for name in company] == ["Ötzi & Söhne", "ATU57194903", "9914", "ATU57194903", "Abt. 7"]
    assert "registration_number" not in invoice.bill_to


def test_what_a_contact_says_takes_the_place_of_what_its_account_says(account, process):
    Contact.objects.update(tax_id="DE136695976", registration_number="FN 1 a")
    invoice = bill(account, process, JAN_10)
    assert (invoice.bill_to["tax_id"], invoice.bill_to["registration_number"]) == ("DE136695976", "FN 1 a")
    assert (invoice.bill_to["buyer_reference"], invoice.bill_to["electronic_scheme"]) == ("Abt. 7", "9914")


def test_later_changes_touch_no_document_and_a_rebill_names_the_buyer_as_it_is_now(account, seller, process):
    invoice = bill(account, process, JAN_10)
    Account.objects.update(tax_id="DE136695976")
    seller.iban = seller.bic = ""
    seller.save()
    rebill = rebilled(invoice, process, line(1, rate_per_unit="90"))
    memo = Invoice.objects.get(kind="credit_memo")
    invoice.refresh_from_db()
    assert [one.bill_to["tax_id"] for one in (invoice, memo, rebill)] == ["ATU57194903", "ATU57194903", "DE136695976"]
    assert {one.seller["iban"] for one in (invoice, memo, rebill)} == {"DE89370400440532013000"}


def test_it_is_shown_at_every_door(account, seller, process, admin_client):
    invoice = bill(account, process, JAN_10)
    shown = with_key(seller).get(f"/api/v1/invoices/{invoice.pk}/").json()
    assert (shown["seller"]["tax_id"], shown["bill_to"]["buyer_reference"]) == ("ATU57194903", "Abt. 7")
    resend_statement(client=seller, invoice_no=invoice.pk, caller=process)
    (message,) = mail.outbox
    printed = admin_client.get(f"/invoices/{invoice.pk}/print/").content.decode()
    for text in (message.body, strip_tags(message.alternatives[0][0]), strip_tags(printed)):
        for part in (
            "Acme Telekom GmbH",
            "Tax id ATU57194903",
            "Registration HRB 98765 B",
            "Your reference: Abt. 7",
            "Commerzbank, IBAN DE89 3704 0044 0532 0130 00, BIC COBADEFFXXX",
            "Directors: A. Lovelace",
        ):
            assert part in " ".join(text.split()).replace("&amp;", "&"), (part, text)


@pytest.mark.parametrize(
    ("kind", "reason", "text"),
    [
        ("intra_community", "", "Intra-community supply: exempt from tax"),
        ("intra_community", "Art. 138 Directive 2006/112/EC", "Intra-community supply: Art. 138 Directive 2006/112/EC"),
        ("export", "", "Export outside the EU: exempt from tax"),
        ("not_subject", "", "Not subject to tax"),
        ("reverse_charge", "", "Reverse charge: the customer owes the tax"),
        ("exempt", "§ 4 Nr. 8 UStG", "Exempt from tax: § 4 Nr. 8 UStG"),
    ],
)
def test_a_customer_who_is_charged_no_tax_is_told_why(kind, reason, text, account, seller, process, admin_client):
    Account.objects.update(tax_exemption=kind, tax_exemption_reason=reason)
    invoice = bill(account, process, JAN_10)
    assert (invoice.tax_amount, invoice.total_amount) == (0, D(100))
    assert text in admin_client.get(f"/invoices/{invoice.pk}/print/").content.decode()


def test_the_category_and_the_laws_text_of_a_rate_stay_on_documents_and_their_corrections(
    account, seller, process, admin_client
):
    """A rate of 0 percent says why; a later change of the rate or of the customer's exemption changes no document."""
    rate = TaxRate.objects.get()
    rate.percent, rate.vat_category, rate.exemption_reason = D(0), "AE", "§ 19 (1) UStG"
    rate.full_clean()
    rate.save()
    invoice = bill(account, process, JAN_10)
    TaxRate.objects.update(vat_category="Z", exemption_reason="")
    memo = memo_of(invoice, process)
    for one in (invoice, memo):
        assert list(one.tax_details.values_list("vat_category", "exemption_reason")) == [("AE", "§ 19 (1) UStG")]
        assert "Reverse charge: § 19 (1) UStG" in admin_client.get(f"/invoices/{one.pk}/print/").content.decode()
    Account.objects.update(tax_exemption="export", tax_exemption_reason="§ 7 UStG")
    exported = bill(account, process, FEB_10)
    Account.objects.update(tax_exemption="none", tax_exemption_reason="")
    for one in (exported, memo_of(exported, process, today=FEB_10)):
        assert (one.tax_exemption, one.tax_exemption_reason) == ("export", "§ 7 UStG")
        assert "Export outside the EU: § 7 UStG" in admin_client.get(f"/invoices/{one.pk}/print/").content.decode()


def test_a_rate_has_a_category_that_fits_its_percent(seller):
    rate = TaxRate.objects.get()
    rate.full_clean()
    assert rate.vat_category == "S"
    for percent, category, reason in ((D(20), "AE", ""), (D(0), "S", ""), (D(20), "S", "because")):
        rate.percent, rate.vat_category, rate.exemption_reason = percent, category, reason
        with pytest.raises(ValidationError):
            rate.full_clean()
