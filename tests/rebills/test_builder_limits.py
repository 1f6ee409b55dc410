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
    assert len(fields) > 8 * LINES_AT_ONCE
    added = {"added": "2001", "line-2001-service_no": str(service.pk), "line-2001-amount": "5.00"}
    sent |= {"line-2000-units": "0.5", "reason_code": "1", **added}
    review = page.post(address, {**sent, "act": "review"})
    assert review.status_code == 200
    made = page.post(address, {**dict(review.context["kept"]), "fingerprint": review.context["fingerprint"], "act": "commit"})
    assert made.status_code == 302
    assert Invoice.objects.get(kind="rebill").total_amount == invoice.total_amount - D("0.50") + 5


def test_the_form_has_room_for_every_field_of_the_most_lines(page):
    assert 20 * (LINES_AT_ONCE + MOST_ADDED) <= settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
