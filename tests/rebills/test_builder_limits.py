"""The builder takes as many lines as the API, without JavaScript too: every field of its page is sent."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.conf import settings

from billing_site.common.limits import LINES_AT_ONCE
from invoices.models import Invoice, OneTimeCharge
from rebills.pages.submitted import MOST_ADDED
from tests.support.billing import JAN_10, bill
from tests.support.factories import ServiceFactory, a_plan, an_account
from tests.support.reading_pages import fields_of

pytestmark = pytest.mark.usefixtures("audited", "end_of_january")


def test_an_invoice_of_2000_lines_is_rebilled_in_the_builder(acme, process, page):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    service = ServiceFactory(client=acme, client_service_id="router")
    OneTimeCharge.objects.bulk_create(
        OneTimeCharge(account=account, service=service, rate_per_unit=1, charge_date=date(2026, 1, 1))
        for _ in range(LINES_AT_ONCE - 1)
    )
    invoice = bill(account, process, JAN_10)
    assert invoice.lines.count() == LINES_AT_ONCE
    address = f"/invoices/{invoice.pk}/rebill/"
    fields = fields_of(page.get(address))
    sent = dict(fields)
    assert len(fields) > 6 * LINES_AT_ONCE
    added = {"added": "2001", "line-2001-service_no": str(service.pk), "line-2001-amount": "5.00"}
    sent |= {"line-2000-units": "0.5", "reason_code": "1", **added}
    review = page.post(address, {**sent, "act": "review"})
    assert review.status_code == 200
    made = page.post(address, {**dict(review.context["kept"]), "fingerprint": review.context["fingerprint"], "act": "commit"})
    assert made.status_code == 302
    assert Invoice.objects.get(kind="rebill").total_amount == invoice.total_amount - D("0.50") + 5


@pytest.fixture
def of_200_lines(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}))
    for number in range(40):
        ServiceFactory(client=acme, client_service_id=f"s-{number}", name=f"Service of the catalogue {number}")
    service = ServiceFactory(client=acme, client_service_id="router", name="Router")
    OneTimeCharge.objects.bulk_create(
        OneTimeCharge(account=account, service=service, rate_per_unit=1, charge_date=date(2026, 1, 1)) for _ in range(199)
    )
    return bill(account, process, JAN_10)


def test_pages_of_200_lines_are_small(of_200_lines, page):
    """Each line with all its fields and services made 1.6 MB of the builder."""
    builder = page.get(f"/invoices/{of_200_lines.pk}/rebill/").content
    assert len(builder) < 650_000
    assert builder.count(b"Service of the catalogue 7<") < 5
    assert len(page.get(f"/invoices/{of_200_lines.pk}/").content) < 200_000


def test_the_details_of_a_line_are_there_when_they_are_asked_for(of_200_lines, page):
    address = f"/invoices/{of_200_lines.pk}/rebill/"
    assert b"line-7-description" not in page.get(address).content
    part = page.get(address, {"line": "7"}).content.decode()
    assert 'name="line-7-description"' in part and "<html" not in part
    for wrong in ("0", "201", "x", "9" * 20):
        assert page.get(address, {"line": wrong}).status_code == 404


def test_without_scripts_a_button_opens_a_line_and_keeps_what_is_typed(of_200_lines, page):
    address = f"/invoices/{of_200_lines.pk}/rebill/"
    sent = {"line-3-units": "2", "reason_code": "1"}
    opened = page.post(address, {**sent, "act": "open-7"})
    fields = dict(fields_of(opened))
    assert fields["line-7-description"] and fields["line-3-units"] == "2" and fields["open"] == "7"
    assert "line-8-description" not in fields
    again = dict(fields_of(page.post(address, {**fields, "line-7-description": "Router, repaired", "act": "recalculate"})))
    assert again["line-7-description"] == "Router, repaired"
    both = page.post(address, {**fields, "act": "open-8"}).content.decode()
    assert 'name="line-7-description"' in both and 'name="line-8-description"' in both


def test_the_form_has_room_for_every_field_of_the_most_lines(page):
    assert 20 * (LINES_AT_ONCE + MOST_ADDED) <= settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
