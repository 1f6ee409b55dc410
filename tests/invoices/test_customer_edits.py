"""Pages that change a customer: only what the reader has changed is written, over what was seen, and the history has it."""

import re
import secrets

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Account, BillingPause, Contact, PaymentMethod
from accounts.services.changing import change_row
from invoices.services.collecting.starting import methods_of
from tests.support.act_pages import seen_on, send
from tests.support.billing import JAN_10, bill
from tests.support.calling import rows_stored
from tests.support.factories import BY_TEST, AccountFactory, ClientFactory, ContactFactory, a_plan, an_account
from tests.support.invoice_pages import reader

MAY = (
    "view_account",
    "view_invoice",
    *(f"{verb}_{model}" for verb in ("add", "change", "delete") for model in ("account", "contact", "paymentmethod")),
)


@pytest.fixture(autouse=True)
def on_the_last_of_january():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False):
        yield


@pytest.fixture
def account(acme):
    return an_account(acme, a_plan(acme, {"phone": "30.00"}), client_acct_id="A-77")


@pytest.fixture
def staff(acme):
    return reader(acme, permissions=MAY)


def fields_of(staff, address):
    """Return what the form at an address sends if nothing is typed, with the hidden first values."""
    form = staff.get(address).context["form"]
    sent = {}
    for name in form.fields:
        value = form[name].value()
        if value not in (None, "", False):
            sent[name] = sent[f"initial-{name}"] = str(value)
    return sent


def changed(staff, address, **typed):
    return send(staff, address, **{**fields_of(staff, address), **typed})


def test_settings_of_an_account_are_changed_and_the_history_says_by_whom(account, staff):
    address = reverse("edit-account", args=[account.pk])
    sent = {
        **fields_of(staff, address),
        "payment_terms_days": "45",
        "tags": "Press,  reseller, press",
        "note": "Calls on Mondays",
    }
    before = rows_stored()
    shown = staff.post(address, {**sent, "act": "preview"}).text
    assert rows_stored() == before
    for text in ("Payment terms in days", "45", "Press, reseller", "Calls on Mondays"):
        assert text in shown
    answer = send(staff, address, **sent)
    assert answer.redirect_chain[-1][0] == reverse("account", args=[account.pk])
    account.refresh_from_db()
    assert (account.payment_terms_days, account.tags, account.note) == (45, "Press, reseller", "Calls on Mondays")
    assert "Press</a>" in answer.text and "Calls on Mondays" in answer.text
    history = staff.get(reverse("account-history", args=[account.pk])).text
    assert "reader" in history and "Calls on Mondays" in history and "45" in history
    found = staff.get("/accounts/", {"tag": "PRESS"}).text
    assert "A-77" in found
    assert "A-77" not in staff.get("/accounts/", {"tag": "pres"}).text


def test_what_another_person_changed_meanwhile_is_kept_or_shown(account, staff):
    contact = account.contacts.get()
    address = reverse("edit-contact", args=[account.pk, contact.pk])
    opened = fields_of(staff, address)
    change_row(Contact.objects.get(pk=contact.pk), {"phone": "555-1", "city": "Salem"}, caller=BY_TEST)
    # Another field than theirs: theirs stays.
    assert send(staff, address, **{**opened, "email": "ada@example.org"}).redirect_chain
    contact.refresh_from_db()
    assert (contact.phone, contact.city, contact.email) == ("555-1", "Salem", "ada@example.org")
    # Seen, then changed by another person, then confirmed: refused, and shown again.
    sent = {**fields_of(staff, address), "city": "Reno"}
    seen = seen_on(staff.post(address, {**sent, "act": "preview"}))
    change_row(Contact.objects.get(pk=contact.pk), {"city": "Boise"}, caller=BY_TEST)
    answer = staff.post(address, {**sent, "seen": seen, "once": secrets.token_hex(16)})
    assert (answer.status_code, "Nothing was written yet." in answer.text, "Boise" in answer.text) == (409, True, True)
    contact.refresh_from_db()
    assert contact.city == "Boise"
    again = staff.post(address, {**sent, "seen": seen_on(answer), "once": secrets.token_hex(16)}, follow=True)
    contact.refresh_from_db()
    assert (again.status_code, contact.city) == (200, "Reno")


def test_nothing_typed_changes_nothing(account, staff):
    contact = account.contacts.get()
    versions = Contact.history.filter(id=contact.pk).count()
    address = reverse("edit-contact", args=[account.pk, contact.pk])
    assert "Nothing is changed yet." in staff.get(address).text
    assert "Nothing was changed." in changed(staff, address).text
    assert Contact.history.filter(id=contact.pk).count() == versions


def test_a_wrong_value_is_refused_at_its_field(account, staff):
    address = reverse("edit-account", args=[account.pk])
    AccountFactory(client=account.client, client_acct_id="taken")
    for typed, words in (
        ({"tax_id": "DE1"}, "is not a valid tax id of DE"),
        ({"electronic_scheme": "0088"}, "Give the electronic address together with its scheme"),
        ({"client_acct_id": "taken"}, "already exists"),
        ({"tax_exemption_from": "2026-03-01", "tax_exemption": "exempt", "tax_exemption_to": "2026-02-01"}, "ends before"),
        ({"tags": "x" * 201}, "at most 200"),
    ):
        sent = {**fields_of(staff, address), **typed}
        shown = staff.post(address, {**sent, "act": "preview"}).text
        assert words in shown, (typed, re.findall(r"invalid-feedback[^>]*>([^<]*)", shown))
        answer = staff.post(address, {**sent, "once": secrets.token_hex(16)})
        assert answer.status_code in (200, 422)
    assert Account.objects.get(pk=account.pk).tax_id == ""


def test_a_status_that_is_not_billed_pauses_billing_and_says_so(account, staff):
    address = reverse("edit-account", args=[account.pk])
    sent = {**fields_of(staff, address), "status": "-1"}
    assert "Billing is paused from today" in staff.post(address, {**sent, "act": "preview"}).text
    send(staff, address, **sent)
    assert BillingPause.objects.get(account=account).by_status
    sent = {**fields_of(staff, address), "status": "1"}
    assert "The account is billed again" in staff.post(address, {**sent, "act": "preview"}).text


def test_a_contact_is_added_and_the_page_says_which_address_is_taxed(account, staff):
    address = reverse("add-contact", args=[account.pk])
    account.client.taxable_address_order = "billing,account"
    account.client.save()
    sent = {**fields_of(staff, address), "name": "Bill Payer", "role": "billing", "city": "Boston", "country": "United States"}
    shown = staff.post(address, {**sent, "act": "preview"}).text
    assert re.search(r"Bill Payer</strong>.*?decides the tax", shown)
    assert not re.search(r"Ada Byron</strong>[^\n]*decides the tax", shown)
    send(staff, address, **sent)
    contact = Contact.objects.get(name="Bill Payer")
    assert (contact.contact_no, contact.role, contact.country) == (2, "billing", "US")
    page = staff.get(reverse("account", args=[account.pk])).text
    assert re.search(r"Bill Payer</strong>[^\n]*on documents[^\n]*decides the tax", page)


def test_a_copy_of_statements_is_chosen_and_a_contact_is_removed(account, staff):
    contact = account.contacts.get()
    Contact.objects.filter(pk=contact.pk).update(email="ada@example.org")
    other = ContactFactory(account=account, contact_no=2, role="other", name="Eve")
    address = reverse("edit-contact", args=[account.pk, other.pk])
    answer = changed(staff, address, email="eve@example.org", copy_of_statements="on")
    assert re.search(r"Eve</strong>[^\n]*gets copies", answer.text)
    remove = reverse("remove-contact", args=[account.pk, other.pk])
    assert "The contact is removed." in staff.post(remove, {"once": "a" * 32}, follow=True).text
    assert not Contact.objects.filter(pk=other.pk).exists()
    history = staff.get(reverse("account-history", args=[account.pk])).text
    assert re.search(r"Contact Eve</strong> <span class=\"tag bad\">removed", history)


def test_payment_methods_are_added_chosen_and_disabled(account, staff):
    address = reverse("add-payment-method", args=[account.pk])
    for label in ("first", "second"):
        send(staff, address, type="card", token="sandbox_approved", label=label)
    first, second = PaymentMethod.objects.order_by("pk")
    assert methods_of([account.pk])[account.pk] == second
    answer = changed(staff, reverse("edit-payment-method", args=[account.pk, first.pk]), is_default="on")
    assert re.search(r"first.*?collections use it.*?second", answer.text, re.S)
    assert methods_of([account.pk])[account.pk] == first
    edit_second = reverse("edit-payment-method", args=[account.pk, second.pk])
    changed(staff, edit_second, is_default="on")
    assert list(PaymentMethod.objects.order_by("pk").values_list("is_default", flat=True)) == [False, True]
    sent = {**fields_of(staff, edit_second), "is_disabled": "on"}
    assert "so it cannot be disabled" in staff.post(edit_second, {**sent, "act": "preview"}).text
    del sent["is_default"]
    send(staff, edit_second, **sent)
    assert methods_of([account.pk])[account.pk] == first
    second.refresh_from_db()
    assert (second.is_disabled, second.is_default) == (True, False)


def test_what_cannot_collect_is_not_chosen_and_no_card_number_is_kept(account, staff):
    address = reverse("add-payment-method", args=[account.pk])
    shown = staff.post(address, {"type": "mailed_check", "is_default": "on", "act": "preview"}).text
    assert "Nothing can be collected by it" in shown
    shown = staff.post(address, {"type": "card", "token": "4111 1111 1111 1111", "act": "preview"}).text
    assert "card number" in shown
    assert not PaymentMethod.objects.exists()


@pytest.mark.parametrize("name", ["edit-account", "add-contact", "add-payment-method"])
def test_edits_need_their_right_and_ones_own_client(account, staff, name):
    address = reverse(name, args=[account.pk])
    stranger = reader(ClientFactory(), permissions=MAY, name="stranger")
    viewer = reader(account.client, permissions=MAY[:2], name="viewer")
    assert (stranger.get(address).status_code, stranger.post(address).status_code) == (404, 404)
    assert (viewer.get(address).status_code, viewer.post(address).status_code) == (403, 403)
    assert address not in viewer.get(reverse("account", args=[account.pk])).text
    assert stranger.get(reverse("account-history", args=[account.pk])).status_code == 404


def test_a_row_of_another_account_is_not_found(account, staff):
    other = an_account(account.client)
    contact = other.contacts.get()
    assert staff.get(reverse("edit-contact", args=[account.pk, contact.pk])).status_code == 404


def test_the_history_has_a_constant_number_of_queries_and_pages(account, staff, django_assert_max_num_queries):
    contact = account.contacts.get()
    address = reverse("account-history", args=[account.pk])
    staff.get(address)
    with time_machine.travel("2026-01-31T13:00:00Z") as clock:
        for number in range(40):
            clock.shift(1)
            change_row(Contact.objects.get(pk=contact.pk), {"phone": f"555-{number}"}, caller=BY_TEST)
    with django_assert_max_num_queries(24):
        newest = staff.get(address).text
    assert "555-39" in newest and ">555-3<" not in newest
    earlier = re.search(r'href="(\?before=[^"]+)"', newest).group(1)
    assert ">555-3<" in staff.get(address + earlier).text
    assert staff.get(address, {"before": "yesterday"}, follow=True).status_code == 200


def test_the_top_of_an_account_has_what_is_overdue_by_age(acme):
    account = an_account(acme)
    bill(account, BY_TEST, JAN_10)
    with time_machine.travel("2026-03-15T12:00:00Z", tick=False):
        page = reader(acme, permissions=MAY).get(reverse("account", args=[account.pk])).text
    ages = re.search(r"<caption[^>]*>Open invoices by days.*?</table>", page, re.S).group(0)
    assert re.findall(r"\$[\d.]+", ages) == ["$0.00", "$0.00", "$30.00", "$0.00", "$0.00", "$30.00"]
    assert "Unapplied credit" in page
