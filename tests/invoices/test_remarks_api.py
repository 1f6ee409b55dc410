"""The note and the statuses beside a document: over REST and on its page."""

import pytest
from django.contrib.auth import get_user_model

from accounts.models import Event
from invoices.fingerprints import fingerprint
from invoices.models import Invoice
from invoices.services.correcting.remarks import remarks_version
from invoices.services.documents.document_storage import stored_contents
from tests.support.billing import JAN_10, bill
from tests.support.factories import an_account
from tests.support.money_api import with_key

pytestmark = pytest.mark.usefixtures("audited")


def patch(api, invoice, body, **headers):
    answer = api.patch(f"/api/v1/invoices/{invoice.pk}/", body, format="json", headers=headers)
    return answer.status_code, answer.json()


def remarked(invoice):
    return list(Event.objects.filter(type="invoice.remarked", invoice_no=invoice.pk).order_by("pk"))


def test_a_custom_status_is_set_alone_and_found(umbra, process):
    """The document stays pending, with an event; a key without the right and an unknown member are refused."""
    pending, other = (bill(an_account(umbra), process, JAN_10) for _ in range(2))
    api = with_key(umbra, may_approve=True)
    status, shown = patch(api, pending, {"custom_status_label": "ask Sales"})
    assert (status, shown["custom_status_label"], shown["status"]) == (200, "ask Sales", "pending")
    found = api.get("/api/v1/invoices/", {"custom_status_label": "ask Sales"}).json()["results"]
    assert [row["invoice_no"] for row in found] == [pending.pk]
    assert len(remarked(pending)) == 1
    status, refused = patch(with_key(umbra), other, {"client_notes": "x"})
    assert (status, refused["error_code"]) == (403, 90001)
    status, unknown = patch(api, other, {"notes": "x"})
    assert (status, "client_notes" in unknown["error_msg"]) == (400, True)


def test_accounting_marks_an_issued_document_as_posted_and_its_content_stays(acme, process):
    invoice = bill(an_account(acme), process, JAN_10)
    content = fingerprint(stored_contents([invoice.pk])[invoice.pk])
    api = with_key(acme, may_approve=True)
    status, shown = patch(api, invoice, {"posting_status": "posted", "client_notes": "in the books", "reason": "month end"})
    key = f"key:{api_key_no(acme)}"
    assert (status, shown["posting_status"], shown["posting_user"], shown["client_notes"]) == (
        200,
        "posted",
        key,
        "in the books",
    )
    assert shown["posting_at"] is not None
    (event,) = remarked(invoice)
    assert event.before == {"posting_status": "unposted", "client_notes": ""}
    assert event.after == {"posting_status": "posted", "client_notes": "in the books", "reason": "month end"}
    found = api.get("/api/v1/invoices/", {"posting_status": "posted"}).json()["results"]
    assert [row["invoice_no"] for row in found] == [invoice.pk]
    status, shown = patch(api, invoice, {"posting_status": "unposted", "client_notes": ""})
    assert (shown["posting_status"], shown["posting_user"], shown["posting_at"], shown["client_notes"]) == (
        "unposted",
        "",
        None,
        "",
    )
    assert fingerprint(stored_contents([invoice.pk])[invoice.pk]) == content


def api_key_no(client):
    return client.api_keys.get().pk


def test_the_same_values_again_write_no_event(acme, process):
    invoice = bill(an_account(acme), process, JAN_10)
    api = with_key(acme, may_approve=True)
    for _ in range(2):
        assert patch(api, invoice, {"posting_status": "posted"}, **{"Idempotency-Key": "posting-1"})[0] == 200
    assert patch(api, invoice, {"posting_status": "posted"}, **{"Idempotency-Key": "posting-2"})[0] == 200
    assert len(remarked(invoice)) == 1


def test_a_pending_document_is_not_posted(umbra, process):
    pending = bill(an_account(umbra), process, JAN_10)
    status, refused = patch(with_key(umbra, may_approve=True), pending, {"posting_status": "posted"})
    assert (status, refused["error_code"], list(refused["errors"])) == (409, 90017, ["posting_status"])
    assert Invoice.objects.get().posting_status == "unposted"


def test_a_change_of_an_old_version_is_refused(acme, process):
    invoice = bill(an_account(acme), process, JAN_10)
    api = with_key(acme, may_approve=True)
    version = api.get(f"/api/v1/invoices/{invoice.pk}/")["ETag"]
    assert patch(api, invoice, {"client_notes": "mine"}, **{"If-Match": version})[0] == 200
    status, refused = patch(api, invoice, {"client_notes": "yours"}, **{"If-Match": version})
    assert (status, refused["error_code"]) == (412, 90162)
    assert Invoice.objects.get().client_notes == "mine"


@pytest.mark.parametrize(
    ("body", "code"),
    [({"client_notes": "x" * 1001}, 3044), ({"custom_status_label": "x" * 101}, 1012), ({"posting_status": "booked"}, 1016)],
)
def test_what_cannot_be_stored_is_refused(acme, process, body, code):
    invoice = bill(an_account(acme), process, JAN_10)
    status, refused = patch(with_key(acme, may_approve=True), invoice, body)
    assert (status, refused["error_code"], list(refused["errors"])) == (400, code, list(body))


def test_staff_save_note_and_statuses_on_the_page_of_an_issued_document(acme, process, client):
    invoice = bill(an_account(acme), process, JAN_10)
    client.force_login(get_user_model().objects.create(username="boss", is_staff=True, is_superuser=True))
    page = client.get(f"/invoices/{invoice.pk}/").content.decode()
    version = remarks_version(invoice)
    assert f'value="{version}"' in page and "Save note and statuses" in page
    form = {"once": "a" * 32, "version": version, "client_notes": "call <b>Ann</b>", "posting_status": "posted"}
    saved = client.post(f"/invoices/{invoice.pk}/act/remark/", form, follow=True).content.decode()
    assert "Note and statuses are saved." in saved and "call &lt;b&gt;Ann&lt;/b&gt;" in saved and "Posted, boss" in saved
    late = client.post(f"/invoices/{invoice.pk}/act/remark/", {**form, "once": "b" * 32, "client_notes": "late"}, follow=True)
    assert "This has been changed since you opened the page" in late.content.decode()
    assert Invoice.objects.get().client_notes == "call <b>Ann</b>"
