"""Collecting the open invoices of a list in a real browser: what will happen, progress on the open page, and the results."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from invoices.models import Decision
from tests.browser.conftest import check_looks
from tests.support.factories import BY_TEST, ClientFactory
from tests.support.paying import billed, books


@pytest.fixture
def cleo(transactional_db):
    """A person who may collect for a client with two open invoices: one can be paid, one is declined."""
    client = ClientFactory()
    user = get_user_model().objects.create(username="cleo", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_invoice", "view_account", "collect_money"]))
    client.staff.add(user)
    billed(client, BY_TEST)
    billed(client, BY_TEST, token="sandbox_declined")
    return user


def test_open_invoices_are_collected_from_their_list(opened, cleo):
    page = opened(cleo)
    page.goto("/invoices/?open=true")
    page.get_by_role("button", name="Collect open invoices of this list").click()
    text = page.locator("main").inner_text()
    assert "2 invoices" in text and "$60.00" in text
    page.get_by_role("button", name="Collect", exact=True).click()
    page.wait_for_url("**/invoices/decisions/*/")
    page.get_by_text("2 of 2 are done").wait_for()
    text = page.locator("main").inner_text()
    assert "Collected: $30.00" in text and "The card was declined" in text
    assert len(books()) == 1


def test_the_pages_of_collecting_look_well(opened, cleo):
    page = opened(cleo)
    check_looks(page, "/invoices/?open=true")
    page.get_by_role("button", name="Collect open invoices of this list").click()
    page.get_by_role("button", name="Collect", exact=True).click()
    page.wait_for_url("**/invoices/decisions/*/")
    check_looks(page, f"/invoices/decisions/{Decision.objects.get().pk}/")
