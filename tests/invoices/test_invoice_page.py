"""The page of a document: the ways on that it offers."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from tests.factories import an_account
from tests.invoices.billing import JAN_10, bill


@pytest.fixture
def page_for(acme, client, process):
    """`page_for(*permissions)`: what the page of an invoice that is due says to staff who have them."""
    invoice = bill(an_account(acme), process, JAN_10)

    def page_for(*permissions):
        user = get_user_model().objects.create(username="reader", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=("view_invoice", *permissions)))
        acme.staff.add(user)
        client.force_login(user)
        return client.get(f"/invoices/{invoice.pk}/").content.decode(), invoice.account_id

    return page_for


def test_who_collects_is_led_to_what_is_missing(page_for):
    text, account_no = page_for("collect_money", "add_paymentmethod")
    assert f"/admin/accounts/paymentmethod/add/?account={account_no}" in text
    assert f"/admin/invoices/payment/add/?account={account_no}" in text
    assert "Nothing: below is why." not in text


def test_who_only_looks_is_led_nowhere(page_for):
    text, _account_no = page_for()
    assert "/add/" not in text and "Nothing: below is why." in text
