"""Every page and document is shown for an account that has nothing but its number: no contact, no name, no e-mail address, no
service location, no GL code, no description. The addresses come from the URL resolver, so a new page is covered at once."""

from accounts.pages.languages import FOR_PROGRAMS
from billing_site.api import METHODS
from invoices.models import BillingRun, Invoice
from invoices.services.printing.printed import statement_parts
from invoices.services.statements.statements import statement_mail
from tests.support.bare_pages import (
    ADDRESSES,
    NOT_CSV,
    NOT_FOUND,
    NOT_WALKED,
    READING,
    addresses,
    bare_world,
    filled,
    is_answered,
    on_the_tenth_of_january,
)
from tests.support.calling import caller_of

__all__ = ["bare_world", "on_the_tenth_of_january"]

UNEXPECTED = 1001


# The addresses, and what they may name.


def test_every_address_is_walked_or_has_a_reason():
    assert set(NOT_WALKED) <= set(ADDRESSES), set(NOT_WALKED) - set(ADDRESSES)


def test_every_page_is_shown(bare_world, admin_client):
    """No address fails, and each one shows something for one row at least. What only takes POST says so."""
    admin_client.raise_request_exception = False
    failed, shown = {}, set()
    for pattern, address in addresses():
        response = admin_client.get(address)
        if is_answered(address, response.status_code):
            shown.add(pattern)
            if response.streaming:
                b"".join(response.streaming_content)
        elif response.status_code != NOT_FOUND:
            failed[address] = response.status_code
    assert failed == {}
    assert ADDRESSES.keys() - NOT_WALKED.keys() - shown == set()


def test_every_page_is_shown_in_german(bare_world, admin_client):
    admin_client.raise_request_exception = False
    failed = {}
    for address in (address for _pattern, address in addresses() if not address.startswith(("/admin/", *FOR_PROGRAMS))):
        response = admin_client.get(address, headers={"Accept-Language": "de"})
        if not is_answered(address, response.status_code) and response.status_code != NOT_FOUND:
            failed[address] = response.status_code
        elif response.streaming:
            b"".join(response.streaming_content)
        elif response.status_code == 200 and response["Content-Type"].startswith("text/html"):
            assert '<html lang="de"' in response.text, address
    assert failed == {}


LISTS = ["/accounts/", "/invoices/", "/billing-runs/{run}/"]


def test_lists_are_written_as_csv(bare_world, admin_client):
    run = BillingRun.objects.get()
    for address in LISTS:
        response = admin_client.get(address.format(run=run.pk), {"format": "csv"})
        assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
        assert b"".join(response.streaming_content).count(b"\n") > 1
    failed = {}
    for pattern, one in ADDRESSES.items():
        if pattern.startswith("api/v1/") and (one.name or "").endswith("-list"):
            for address in filled(pattern, one):
                response = admin_client.get("/" + address.replace("^", "").replace("$", ""), headers={"Accept": "text/csv"})
                if response.status_code not in (200, NOT_CSV):
                    failed[address] = response.status_code
                elif response.streaming:
                    b"".join(response.streaming_content)
    assert failed == {}


def test_files_of_the_admin_are_written(bare_world, admin_client):
    exports = [pattern for pattern in ADDRESSES if pattern.endswith("/export/")]
    assert exports
    for pattern in exports:
        page = admin_client.get(f"/{pattern}")
        fields = {name: "on" for name in page.context["form"].fields if name not in ("format", "resource", "export_items")}
        posted = admin_client.post(f"/{pattern}", {"format": "0", **fields})
        assert (posted.status_code, posted["Content-Type"].split(";")[0]) == (200, "text/csv"), pattern


def test_documents_are_shown_with_all_that_can_be_asked_for(bare_world, admin_client):
    for invoice in Invoice.objects.all():
        response = admin_client.get(f"/api/v1/invoices/{invoice.pk}/", {"expand": "lines,available_actions"})
        assert response.status_code == 200


def test_statements_are_written(bare_world):
    for invoice in Invoice.objects.all():
        mail = statement_mail(invoice, statement_parts([invoice])[invoice.pk], {}, "nobody@example.com")
        assert "None" not in mail.body
        assert "None" not in mail.alternatives[0][0]


def test_methods_answer(bare_world, acme, settings):
    """Methods that name no document answer once for each account."""
    settings.VIRTUAL_CLOCK = True
    call = caller_of(acme)
    failed = {}
    for name in READING:
        fields = getattr(METHODS[name], name).method_call.arguments().fields
        for arguments, kind in {naming(invoice, fields): invoice.kind for invoice in Invoice.objects.all()}.items():
            answer = call(name, **dict(arguments))
            if answer["error_code"] == UNEXPECTED:
                failed[name, kind] = answer
    assert failed == {}


def naming(invoice, fields):
    """The arguments of a method that name a document or its account."""
    known = {
        "acct_no": invoice.account_id,
        "account_no": invoice.account_id,
        "invoice_no": invoice.pk,
        "src_transaction_id": invoice.pk,
        "master_plan_instance_no": -1,
        "reason_code_type": "rebill",
    }
    return tuple((field, value) for field, value in known.items() if field in fields)
