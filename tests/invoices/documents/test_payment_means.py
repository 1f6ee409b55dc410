"""Documents that are paid by direct debit or card name the mandate or the card, in electronic invoices, PDFs and e-mails."""

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Account, Client, PaymentMethod
from billing_site.errors import BillingError
from invoices.models import Invoice
from invoices.services.money.payment_methods import add_payment_method
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.e_invoices import NAMES, a_customer, checked, in_cii, printed, text, texts
from tests.support.factories import a_plan
from tests.support.money_api import with_key
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")

CREDITOR_ID = "DE98ZZZ09999999999"
MANDATE = {"mandate_reference": "M-2026/17", "debited_account": "AT611904300234573201"}
CARD = {"card_digits": "4242", "card_network": "VISA", "card_holder": "Ada Ötzi"}
SEPA = "a:AccountingSupplierParty/a:Party/a:PartyIdentification/b:ID[@schemeID='SEPA']"
OF_MANDATE = "a:PaymentMeans/a:PaymentMandate"


@pytest.fixture
def seller(seller):
    """A German company that sends electronic invoices, and collects by direct debit."""
    Client.objects.update(e_invoice="ubl", creditor_id=CREDITOR_ID)
    seller.refresh_from_db()
    return seller


def pays(account, process, type, **fields):
    return add_payment_method(
        client=account.client, account_no=account.pk, caller=process, type=type, token="sandbox_approved", **fields
    )


def code(read):
    return text(read, "a:PaymentMeans/b:PaymentMeansCode")


def test_a_direct_debit_names_mandate_creditor_and_account(seller, process):
    account = a_customer(seller)
    pays(account, process, "bank_transfer", **MANDATE)
    invoice = bill(account, process, JAN_10)
    # Another mandate later changes no document, but the corrected invoice is collected by it. Its memo is as its original.
    pays(account, process, "bank_transfer", **{**MANDATE, "mandate_reference": "M-2"})
    rebill = rebilled(invoice, process, line(1, rate_per_unit="90"), today=FEB_10)
    read = checked(invoice=invoice, memo=rebill.memo, rebill=rebill)
    named = {
        name: (code(one), *texts(one, OF_MANDATE, "b:ID", "a:PayerFinancialAccount/b:ID")) for name, one in vars(read).items()
    }
    first, second = ("59", ("M-2026/17", "AT611904300234573201")), ("59", ("M-2", "AT611904300234573201"))
    assert named == {"invoice": first, "memo": first, "rebill": second}
    assert text(read.invoice, SEPA) == CREDITOR_ID
    assert read.invoice.find("a:PaymentMeans/a:PayeeFinancialAccount", NAMES) is None
    cii = in_cii(invoice).decode()
    for said in ("<ram:TypeCode>59<", f">{CREDITOR_ID}<", ">M-2026/17<", ">AT611904300234573201<"):
        assert said in cii
    page = printed(invoice)
    assert f"By direct debit from the account ending in 3201. Mandate: M-2026/17. Our creditor id: {CREDITOR_ID}." in page
    assert "DE89 3704" not in page, "nobody may pay it twice"
    assert "app of your bank" not in page


def test_a_card_is_named_by_its_last_digits(seller, process):
    account = a_customer(seller)
    pays(account, process, "card", **CARD)
    invoice = bill(account, process, JAN_10)
    read = checked(invoice=invoice).invoice
    card = texts(read, "a:PaymentMeans/a:CardAccount", "b:PrimaryAccountNumberID", "b:NetworkID", "b:HolderName")
    assert (code(read), card) == ("48", [("4242", "VISA", "Ada Ötzi")])
    assert "By card: VISA ending in 4242" in printed(invoice)


def test_the_code_follows_currency_creditor_id_and_the_method_that_collects(seller, process):
    """By what is chosen for collections; by a transfer where neither mandate nor card is known, or the method is disabled."""
    chosen, plain, disabled, dollars = (
        a_customer(seller), a_customer(seller), a_customer(seller),
        a_customer(seller, a_plan(seller, {"phone": "100"}, currency="usd"), "usd"),
    )  # fmt: skip
    pays(chosen, process, "card", is_default=True, **CARD)
    pays(chosen, process, "bank_transfer", **MANDATE)
    pays(plain, process, "card")
    pays(disabled, process, "bank_transfer", is_disabled=True, **MANDATE)
    pays(dollars, process, "bank_transfer", **MANDATE)
    read = checked(**{f"n{one.pk}": bill(one, process, JAN_10) for one in (chosen, plain, disabled, dollars)})
    assert [code(one) for one in vars(read).values()] == ["48", "58", "58", "49"]
    Client.objects.update(creditor_id="", iban="", bic="")
    account = a_customer(Client.objects.get())
    none = checked(invoice=bill(account, process, JAN_10)).invoice
    pays(account, process, "bank_transfer", **MANDATE)
    later = checked(invoice=bill(Account.objects.get(pk=account.pk), process, FEB_10)).invoice
    assert (code(none), code(later), text(later, SEPA)) == (None, "49", None)


def test_xrechnung_needs_a_creditor_id_and_then_no_bank_account(seller, process):
    Client.objects.update(
        e_invoice_profile="xrechnung", contact_name="Billing", contact_phone="+49 30 1", contact_email="b@acme.example",
        city="Berlin", postal_code="10115", creditor_id="", iban="", bic="",
    )  # fmt: skip
    account = a_customer(Client.objects.get(), electronic_scheme="9914", electronic_address="ATU57194903")
    with pytest.raises(BillingError) as refusal:
        bill(account, process, JAN_10)
    assert refusal.value.detail.startswith("BR-DE-1: ")
    pays(account, process, "bank_transfer", **MANDATE)
    with pytest.raises(BillingError) as refusal:
        bill(account, process, JAN_10)
    assert refusal.value.detail.startswith("BR-DE-30: ")
    Client.objects.update(creditor_id=CREDITOR_ID)
    assert code(checked(in_ubl_alone=True, invoice=bill(Account.objects.get(), process, JAN_10)).invoice) == "59"


@pytest.mark.parametrize(
    ("type", "fields", "named"),
    [
        ("bank_transfer", {"mandate_reference": "M-1"}, {"debited_account"}),
        ("bank_transfer", {"debited_account": "AT611904300234573201"}, {"mandate_reference"}),
        ("bank_transfer", {**MANDATE, "debited_account": "AT611904300234573202"}, {"debited_account"}),
        ("bank_transfer", {**MANDATE, "mandate_reference": "Ä" * 3}, {"mandate_reference"}),
        ("bank_transfer", CARD, set(CARD)),
        ("card", MANDATE, set(MANDATE)),
        ("card", {"card_digits": "4242"}, {"card_network"}),
        ("card", {**CARD, "card_digits": "4242424"}, {"card_digits"}),
        ("card", {**CARD, "card_digits": "42 42"}, {"card_digits"}),
        ("card", {**CARD, "card_holder": "4111 1111 1111 1111"}, {"card_holder"}),
        ("card", {**CARD, "card_network": "4111 1111 1111 1111"}, {"card_network"}),
    ],
)
def test_what_no_document_could_name_is_refused_when_it_is_entered(type, fields, named, seller, process):
    account = a_customer(seller)
    with pytest.raises(ValidationError) as refused:
        pays(account, process, type, **fields)
    assert (refused.value.message_dict.keys(), PaymentMethod.objects.count()) == (named, 0)


@pytest.mark.parametrize("value", ["DE99ZZZ09999999999", "ZZZ", "DE98ZZZ0999999999Ä"])
def test_a_creditor_id_with_wrong_digits_is_refused(value, seller):
    seller.creditor_id = value
    with pytest.raises(ValidationError) as refused:
        seller.full_clean()
    assert refused.value.message_dict.keys() == {"creditor_id"}
    seller.creditor_id = " de98 abc0 9999999999 "
    seller.full_clean()
    assert seller.creditor_id == "DE98ABC09999999999", "its own three characters are not among the check digits"


def test_they_are_read_and_changed_over_rest(seller, process):
    account, api = a_customer(seller), with_key(seller)
    sent = {"acct_no": account.pk, "type": "bank_transfer", "token": "sandbox_approved", **MANDATE}
    answer = api.post("/api/v1/payment-methods/", sent, format="json")
    assert (answer.status_code, {name: answer.json()[name] for name in MANDATE}) == (201, MANDATE)
    method = f"/api/v1/payment-methods/{answer.json()['id']}/"
    assert api.patch(method, {"mandate_reference": "M-3"}, format="json").json()["mandate_reference"] == "M-3"
    assert api.patch(method, {"card_digits": "4242"}, format="json").json()["errors"].keys() == {"card_digits"}
    answer = api.patch(f"/api/v1/e-invoice-settings/{seller.pk}/", {"creditor_id": "DE98 ZZZ 0999 9999 999"}, format="json")
    assert (answer.status_code, answer.json()["creditor_id"]) == (200, CREDITOR_ID)
    bill(Account.objects.get(pk=account.pk), process, JAN_10)
    assert Invoice.objects.get().bill_to["mandate_reference"] == "M-3"
