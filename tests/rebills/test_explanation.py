"""The explanation of changes: on a page of its own in a rebill's PDF, and alone."""

import io
from decimal import Decimal

import pytest
from pypdf import PdfReader

from accounts.models import Account, Client
from invoices.models import DocumentFile, Invoice
from invoices.services.approving.acts import discard_invoices
from invoices.services.printing.files import file_of_document
from rebills.services.explaining import PaymentsMoved, payments_moved
from tests.support.billing import JAN_10, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.money_api import with_key
from tests.support.payments import pay
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def invoice(acme, process):
    """Phone 30.00, tv 20.00, and tax of 10 %: 55.00."""
    TaxRateFactory(client=acme)
    return bill(an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"})), process, JAN_10)


def pages_of(content):
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(content)).pages]


def test_the_pdf_of_a_rebill_ends_with_each_line_before_and_after_why_and_what_was_paid(acme, invoice, process):
    pay(invoice.account, process, "55.00")
    rebill = rebilled(invoice, process, line(1, rate_per_unit="10", comments="As promised"), 2, comments="We are sorry")
    first, second = pages_of(file_of_document(acme, rebill.pk).content)
    assert "Explanation of changes" not in first
    for part in (
        "Explanation of changes RB-000001 replaces INV-000001 of Jan 10, 2026.",
        "Reason: Wrong price or quantity.",
        "We are sorry",
        "1. Phone rate 30 → 10",
        "As promised $33.00 $11.00 -$22.00",
        "2. Tv as before $22.00 $22.00 –",
        "Total $55.00 $33.00 -$22.00",
        "Paid on INV-000001 until then $55.00",
        "Of these, used for RB-000001 $33.00",
        "Kept as your credit, or used for your other open invoices $22.00",
        "Left to pay on RB-000001 $0.00",
    ):
        assert part in second, (part, second)
    assert "Other credit used" not in second


def test_lines_that_are_left_out_or_added_have_one_amount(acme, invoice, process):
    tv = invoice.lines.get(line_no=2).service_id
    rebill = rebilled(invoice, process, line(1), line(2, exclude=True), line(9, service_no=tv, amount="5.00"))
    page = pages_of(file_of_document(acme, rebill.pk).content)[1]
    assert "2. Tv left out $22.00 – -$22.00" in page
    assert "Tv added – $5.50 +$5.50" in page


@pytest.mark.parametrize(
    ("paid", "rate", "moved"),
    [
        ("0", "40", ("0", "0", "0", "66")),
        ("55", "40", ("55", "55", "0", "11")),
        ("75", "40", ("55", "55", "11", "0")),
        ("20", "10", ("20", "20", "0", "13")),
        ("55", "0", ("55", "22", "0", "0")),
    ],
)
def test_payments_of_the_original_pay_the_rebill_first(invoice, process, paid, rate, moved):
    if paid != "0":
        pay(invoice.account, process, paid)
    rebill = rebilled(invoice, process, line(1, rate_per_unit=rate), 2)
    assert payments_moved(Invoice.objects.get(pk=rebill.pk)) == PaymentsMoved(*map(Decimal, moved))


def test_it_is_downloaded_alone_in_the_language_of_the_customer(acme, invoice, process, admin_client):
    Account.objects.filter(pk=invoice.account_id).update(language="de")
    rebill = rebilled(invoice, process, line(1, rate_per_unit="10"), 2)
    by_page = admin_client.get(f"/rebills/{rebill.pk}/explanation.pdf")
    by_api = with_key(acme).get(f"/api/v1/rebills/{rebill.pk}/explanation/")
    for answer in (by_page, by_api):
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert answer["Content-Disposition"] == 'attachment; filename="RB-000001-changes.pdf"'
        (page,) = pages_of(answer.content)
        assert "Erläuterung der Änderungen" in page
        assert "1. Phone" in page
    assert DocumentFile.objects.filter(invoice=rebill, state="made").count() == 0


def test_a_pending_rebill_is_explained_as_a_draft_without_payments(acme, invoice, process):
    Client.objects.filter(pk=acme.pk).update(rebill_approval_required=True)
    pay(invoice.account, process, "55.00")
    rebill = rebilled(invoice, process, line(1, rate_per_unit="10"), 2)
    (page,) = pages_of(with_key(acme).get(f"/api/v1/rebills/{rebill.pk}/explanation/").content)
    assert "This draft would replace INV-000001" in page
    assert "Your payments" not in page


def test_a_discarded_rebill_is_not_explained(acme, invoice, process, alice, admin_client):
    Client.objects.filter(pk=acme.pk).update(rebill_approval_required=True)
    rebill = rebilled(invoice, process, line(1, rate_per_unit="10"), 2)
    discard_invoices(client=acme, invoice_nos=[rebill.pk], caller=alice)
    refused = with_key(acme).get(f"/api/v1/rebills/{rebill.pk}/explanation/")
    assert (refused.status_code, refused.json()["error_code"]) == (409, 90017)
    page = admin_client.get(f"/rebills/{rebill.pk}/explanation.pdf", follow=True)
    assert "is discarded" in page.content.decode()


def test_only_rebills_have_one(acme, invoice, admin_client):
    assert with_key(acme).get(f"/api/v1/rebills/{invoice.pk}/explanation/").status_code == 404
    assert admin_client.get(f"/rebills/{invoice.pk}/explanation.pdf").status_code == 404
