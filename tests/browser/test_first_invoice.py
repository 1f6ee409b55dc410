"""README's first invoice by page: an administrator and an empty database, from the catalogue to a rebill."""

import pytest
from django.core.management import call_command

from accounts.models import Contact, Plan, PlanInstance, RateSchedule, Service
from invoices.audit import run_audits
from invoices.models import Invoice


@pytest.fixture
def page(opened, boss):
    call_command("create_client", "Acme Telecom", "--country", "US", "--region", "CA")
    return opened(boss)


def sent(page, button, told, **fields):
    """Fill in the form of an act by the names of its fields, wait until its outcome is shown, and send it."""
    with page.expect_response(lambda response: response.request.method == "POST"):
        for name, text in fields.items():
            field = page.locator(f"[name={name}]:visible").first
            if field.evaluate("one => one.tagName") == "SELECT":
                field.select_option(label=text)
            else:
                field.fill(text)
    page.locator("#outcome input[name=seen]").wait_for(state="attached")
    page.locator(".act-buttons").get_by_role("button", name=button).click()
    page.get_by_text(told).wait_for()


def test_the_first_invoice_by_page(page):
    page.goto("/catalogue/services/")
    page.get_by_role("link", name="New service").click()
    sent(page, "Add service", "The service is added.", client_service_id="phone", name="Telephone", gl_code="4000")
    assert Service.objects.get().name == "Telephone"

    page.goto("/catalogue/")
    page.get_by_role("link", name="New plan").click()
    sent(page, "Add plan", "The plan is added.", client_plan_id="basic", name="Basic")
    sent(
        page,
        "Add charge",
        "The charge is added.",
        service="Telephone",
        currency="usd",
        rate_per_unit="30",
        valid_from="2026-01-01",
    )
    assert (Plan.objects.get().charges.get().line_type, RateSchedule.objects.get().rate_per_unit) == (1, 30)

    page.goto("/accounts/")
    page.get_by_role("link", name="New customer").first.click()
    who = {"client_acct_id": "A-1", "currency": "usd", "name": "Ada Miller"}
    place = {"address1": "5 Main Street", "address2": "Flat 3", "city": "Oakland", "region": "CA", "country": "US"}
    plan = {"plan": "Basic", "units": "1", "start_date": "2026-01-01"}
    sent(page, "Create customer", "Customer A-1 is created.", **who, **place, **plan)
    assert (Contact.objects.get().name, PlanInstance.objects.get().units) == ("Ada Miller", 1)

    page.get_by_role("link", name="Generate invoice").click()
    page.get_by_label("As pending").check()
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Generate pending invoice").click()
    page.locator("summary", has_text="Approve").click()
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("link", name="Rebill", exact=True).click()
    page.locator("select[name=reason_code]").select_option(label="Wrong price or quantity")
    page.locator("#line-1-rate_per_unit").fill("25")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("button", name="Issue rebill").click()
    page.wait_for_url("**/rebills/*/")
    issued = Invoice.objects.order_by("pk").values_list("document_number", "total_amount")
    assert list(issued) == [("INV-000001", 30), ("RB-000001", 25), ("CM-000001", -30)]
    assert [report for report in run_audits() if report.findings] == []
