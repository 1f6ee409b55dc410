"""The roles of staff: what each may do at a page, at the API and in a service, for their own clients only."""

from datetime import date

import pytest

from accounts.callers import Caller
from billing_site.errors import BillingError, ErrorCode
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.documents.rights import (
    check_may_approve,
    check_may_collect,
    check_may_correct,
    check_may_generate,
    check_may_rebill,
)
from rebills.roles import ROLES
from tests.support.factories import ClientFactory, an_account
from tests.support.roles import staff

pytestmark = pytest.mark.django_db

CHECKS = {
    "generate": check_may_generate,
    "approve": check_may_approve,
    "collect": check_may_collect,
    "correct": check_may_correct,
    "rebill": check_may_rebill,
}
MAY = {
    "Viewer": set(),
    "Biller": {"generate", "rebill"},
    "Approver": {"approve"},
    "Collector": {"collect"},
    "Corrector": {"correct"},
    "Administrator": set(CHECKS),
}


def may(user, check):
    try:
        check(Caller(staff=user))
    except BillingError:
        return False
    return True


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_its_own_and_nothing_else(acme, role):
    user = staff(role, acme)
    assert {name for name, check in CHECKS.items() if may(user, check)} == MAY[role]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_sees_the_pages(acme, client, role):
    client.force_login(staff(role, acme))
    for address in ("/", "/accounts/", "/invoices/", "/invoices/pending/", "/rebills/", "/billing-runs/"):
        assert client.get(address).status_code == 200, address


def test_a_viewer_generates_nothing_by_any_door(acme, client):
    account = an_account(acme)
    user = staff("Viewer", acme)
    client.force_login(user)
    assert client.post("/api/v1/invoices/", {"acct_no": account.pk}, "application/json").status_code == 403
    with pytest.raises(BillingError) as refusal:
        request = BillingRequest(date(2026, 1, 10))
        generate_invoice(client=acme, account_no=account.pk, request=request, caller=Caller(staff=user))
    assert refusal.value.code is ErrorCode.PERMISSION
    client.post(f"/accounts/{account.pk}/generate/", {"what": "immediate", "once": "a" * 32})
    assert not acme.invoices.exists()


def test_an_administrator_sees_nothing_of_another_client(acme, client):
    other = an_account(ClientFactory(name="Other"))
    client.force_login(staff("Administrator", acme))
    assert client.get(f"/accounts/{other.pk}/").status_code == 404
    assert client.get(f"/api/v1/accounts/{other.pk}/").status_code == 404
    assert client.get(f"/admin/accounts/account/{other.pk}/change/").status_code in (302, 404)


def test_staff_of_no_client_are_told_so(client):
    client.force_login(staff("Viewer"))
    answer = client.get("/")
    assert answer.status_code == 403
    assert "You are not assigned to any client." in answer.content.decode()


def test_a_biller_gives_a_customer_another_address_from_the_builder(acme, client, process):
    account = an_account(acme)
    number = generate_invoice(client=acme, account_no=account.pk, request=BillingRequest(date(2026, 1, 10)), caller=process)
    client.force_login(staff("Biller", acme))
    address = f"/invoices/{number}/rebill/"
    assert "Ship to a new address" in client.get(address).text
    typed = {"act": "new-address", "new-name": "Ada", "new-region": "oregon", "new-country": "usa"}
    assert "The address was added" in client.post(address, typed).text
    assert account.contacts.filter(contact_no=2, role="other", region="OR", country="US").exists()
