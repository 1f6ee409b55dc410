"""What the audits found is kept, and read in the admin; calls of the API are found there."""

from datetime import date

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import ApiCall
from billing_site.common.guards import lifted
from invoices.models import AuditRun, Invoice
from tests.support.admin_pages import add_url, change_url, errors, list_url
from tests.support.billing import bill
from tests.support.factories import an_account


@pytest.fixture
def wrong(acme, process):
    """Create an invoice whose total differs from the sum of its lines."""
    invoice = bill(an_account(acme), process, date(2026, 1, 10))
    with lifted():
        Invoice.objects.filter(pk=invoice.pk).update(total_amount=31)
    return invoice


def test_a_command_keeps_what_it_found(wrong, acme, umbra):
    with pytest.raises(CommandError):
        call_command("audit")
    call_command("audit", client=umbra.pk)
    clean, found = AuditRun.objects.all()
    assert (found.client, found.asked_by, found.rows > 0) == (None, "process:audit", True)
    assert found.findings_count == found.findings.count() > 0
    assert (clean.client, clean.findings_count) == (umbra, 0)


def test_an_audit_is_run_and_read_in_the_admin(admin_client, admin_user, wrong, acme):
    response = admin_client.post(add_url(AuditRun), {"client": acme.pk, "_continue": "1"}, follow=True)
    run = AuditRun.objects.get()
    assert (run.client, run.asked_by) == (acme, f"staff:{admin_user.pk}")
    assert "Totals are the sums of lines and taxes" in response.content.decode()
    assert admin_client.post(change_url(run), {}).status_code == 403
    assert len(admin_client.get(list_url(AuditRun), {"found": "some"}).context["cl"].result_list) == 1
    assert len(admin_client.get(list_url(AuditRun), {"found": "none"}).context["cl"].result_list) == 0


def test_staff_audit_their_own_clients(client, acme, umbra):
    user = get_user_model().objects.create(username="biller", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_auditrun", "view_auditrun", "view_client"]))
    umbra.staff.add(user)
    client.force_login(user)
    for posted in ({}, {"client": acme.pk}):
        assert "client" in errors(client.post(add_url(AuditRun), posted))
    assert client.post(add_url(AuditRun), {"client": umbra.pk}).status_code == 302
    AuditRun.objects.create(asked_by="all", started_at=timezone.now(), finished_at=timezone.now(), rows=0, findings_count=0)
    assert [run.client for run in client.get(list_url(AuditRun)).context["cl"].result_list] == [umbra]


@pytest.mark.parametrize("asked", ["rq-77", "receipt-9", "4711", "gen_invoice", "no such account", "1004"])
def test_a_call_is_found_by_what_is_known_of_it(admin_client, acme, asked):
    call = {"client": acme, "at": timezone.now(), "http_status": 200, "milliseconds": 5}
    ApiCall.objects.create(**call, method="get_plans", request_id="rq-1")
    found = ApiCall.objects.create(
        **call,
        method="gen_invoice",
        request_id="rq-77",
        receipt_id="receipt-9",
        account_no=4711,
        error_code=1004,
        message="no such account",
    )
    assert list(admin_client.get(list_url(ApiCall), {"q": asked}).context["cl"].result_list) == [found]
    for refused, expected in (("yes", 1), ("no", 1)):
        assert len(admin_client.get(list_url(ApiCall), {"refused": refused}).context["cl"].result_list) == expected
