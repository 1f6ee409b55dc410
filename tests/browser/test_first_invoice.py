"""README's first invoice by page: an administrator and an empty database, from the catalogue to a rebill."""

import re

import pytest
from django.core.management import call_command

from accounts.models import Account, Contact, Plan, PlanCharge, PlanInstance, RateSchedule, Service
from invoices.audit import run_audits
from invoices.models import Invoice


@pytest.fixture
def admin(opened, boss):
    call_command("create_client", "Acme Telecom", "--country", "US", "--region", "CA")
    return opened(boss)


def choose(page, field, text):
    """Take a row in a field of the admin that searches."""
    page.locator(f".field-{field} .select2-selection, .form-row.field-{field} .select2-selection").first.click()
    page.keyboard.type(text)
    page.locator(".select2-results__option", has_text=text).first.click()


def add(page, menu, fields, chosen):
    """Add a row by a link of the admin's menu, and save it."""
    page.goto("/admin/")
    page.get_by_role("link", name=menu, exact=True).first.click()
    page.get_by_role("link", name=re.compile("^Add|add$")).first.click()
    for name, text in chosen.items():
        choose(page, name, text)
    for name, text in fields.items():
        field = page.locator(f"[name={name}]")
        if field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(label=text)
        else:
            field.fill(text)


def save(page, button="Save"):
    page.get_by_role("button", name=button, exact=True).first.click()
    page.wait_for_load_state()
    assert page.locator(".errorlist").count() == 0


def test_the_first_invoice_by_page(admin):
    page = admin
    add(page, "Services", {"client_service_id": "phone", "name": "Telephone", "gl_code": "4000"}, {"client": "Acme"})
    save(page)
    assert Service.objects.get().name == "Telephone"

    add(page, "Plans", {"client_plan_id": "basic", "name": "Basic"}, {"client": "Acme"})
    page.get_by_role("link", name=re.compile("Add another", re.I)).first.click()
    choose(page, "service", "Telephone")
    page.locator("[name=charges-0-line_type]").select_option(label="Recurring, in advance")
    save(page, "Save and continue editing")
    page.get_by_role("link", name="Prices", exact=True).last.click()
    page.get_by_role("link", name="Add a price").click()
    page.locator("[name=currency]").fill("usd")
    page.locator("[name=rate_per_unit]").fill("30")
    save(page)
    assert RateSchedule.objects.get().charge == PlanCharge.objects.get()

    add(page, "Accounts", {"client_acct_id": "A-1", "currency": "usd"}, {"client": "Acme"})
    save(page)
    place = {"address1": "5 Main Street", "address2": "Flat 3", "city": "Oakland", "region": "CA", "country": "US"}
    add(page, "Contacts", {"contact_no": "1", "role": "Account", "name": "Ada Miller", **place}, {"account": "A-1"})
    save(page)
    assert Contact.objects.get().account == Account.objects.get()
    add(page, "Plan instances", {"start_date": "2026-01-01"}, {"account": "A-1", "plan": "Basic"})
    save(page)
    assert PlanInstance.objects.get().plan == Plan.objects.get()

    page.goto("/accounts/")
    page.get_by_role("link", name="A-1").first.click()
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
