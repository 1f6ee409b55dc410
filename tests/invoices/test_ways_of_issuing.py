"""However a document is issued: one event `invoice.issued`, one PDF is owed, and collection and statement are requested by
one policy."""

import pytest

from accounts.models import Contact, Event
from invoices.kinds import DecisionAct, InvoiceStatus
from invoices.models import CollectionAttempt, DocumentFile, Invoice, Statement
from invoices.plan.facts import BillingRequest
from invoices.services.approving.deciding import decide
from invoices.services.billing.generating import generate_invoice
from invoices.services.runs.runs import continue_run, start_run
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.memos import memo_of, void
from tests.support.paying import paying
from tests.support.pending import a_pending
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")

SETTINGS = ("collect_on_approval", "collect_on_rebill", "statement_on_issue")


def approve(documents, caller):
    numbers = [document.pk for document in documents]
    decide(DecisionAct.APPROVE, client=documents[0].client, invoice_nos=numbers, caller=caller, today=JAN_31)


def at_once(account, process, alice):
    return bill(account, process, JAN_10)


def in_advance(account, process, alice):
    bill(account, process, JAN_10)
    return bill(account, process, JAN_31, advance=True)


def in_a_run(account, process, alice):
    continue_run(start_run(client=account.client, today=JAN_10, caller=process), caller=process)
    return Invoice.objects.get()


def approved(account, process, alice):
    invoice = a_pending(account.client, process, account)
    approve([invoice], alice)
    return invoice


def regenerated_and_approved(account, process, alice):
    invoice = a_pending(account.client, process, account)
    outcomes = decide(
        DecisionAct.REGENERATE, client=account.client, invoice_nos=[invoice.pk], caller=alice, today=JAN_31
    ).values()
    (new,) = (Invoice.objects.get(pk=outcome.invoice_no) for outcome in outcomes)
    approve([new], alice)
    return new


def billed_again(account, process, alice):
    january = bill(account, process, JAN_10, force_pending=False)
    bill(account, process, FEB_10)
    void(january, process, today=FEB_10)
    number = generate_invoice(
        client=account.client, account_no=account.pk, request=BillingRequest(FEB_10, again_for=january.pk), caller=process
    )
    return Invoice.objects.get(pk=number)


def by_credit_memo(account, process, alice):
    return memo_of(bill(account, process, JAN_10), process, amount="12.00")


def by_rebill(account, process, alice):
    return rebilled(bill(account, process, JAN_10), process, line(1, amount="45.00"))


def by_memo_of_a_rebill(account, process, alice):
    return by_rebill(account, process, alice).memo


def by_approved_rebill(account, process, alice):
    invoice = bill(account, process, JAN_10)
    account.client.rebill_approval_required = True
    account.client.save()
    pending = rebilled(invoice, process, line(1, amount="45.00"))
    assert pending.status == InvoiceStatus.PENDING
    approve([pending], alice)
    return pending


BILLING_A_CYCLE = (at_once, in_advance, in_a_run, approved, regenerated_and_approved, billed_again)
REBILLING = (by_rebill, by_approved_rebill)
CREDITING = (by_credit_memo, by_memo_of_a_rebill)


@pytest.fixture
def account(acme):
    account = paying(acme)
    Contact.objects.filter(account=account).update(email="ada@example.com")
    return account


def written_of(document):
    """Return the numbers of events of its issue, of its PDFs, statements and collections."""
    attempts = CollectionAttempt.objects.filter(invoice=document, at_issue=True).count()
    files = DocumentFile.objects.filter(invoice=document, kind="pdf").count()
    statements = Statement.objects.filter(invoice=document).count()
    return Event.objects.filter(act="invoice.issued", invoice_no=document.pk).count(), files, statements, attempts


def given(client, **settings):
    for name in SETTINGS:
        setattr(client, name, settings.get(name, False))
    client.save()


@pytest.mark.parametrize("way", [*BILLING_A_CYCLE, *REBILLING, *CREDITING])
def test_by_default_it_has_an_event_and_a_pdf(account, process, alice, way):
    given(account.client)
    document = way(account, process, alice)
    document.refresh_from_db()
    assert document.status == InvoiceStatus.APPROVED
    assert written_of(document) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("way", "written"),
    [
        *((way, (1, 1, 1, 1)) for way in BILLING_A_CYCLE if way is not billed_again),
        # What the voided invoice had collected pays it.
        (billed_again, (1, 1, 1, 0)),
        *((way, (1, 1, 1, 0)) for way in REBILLING),
        *((way, (1, 1, 0, 0)) for way in CREDITING),
    ],
)
def test_the_settings_of_invoices_ask_for_statement_and_collection(account, process, alice, way, written):
    given(account.client, statement_on_issue=True, collect_on_approval=True)
    assert written_of(way(account, process, alice)) == written


@pytest.mark.parametrize(
    ("way", "written"),
    [
        *((way, (1, 1, 0, 0)) for way in BILLING_A_CYCLE),
        *((way, (1, 1, 0, 1)) for way in REBILLING),
        *((way, (1, 1, 0, 0)) for way in CREDITING),
    ],
)
def test_the_setting_of_rebills_asks_for_collection_of_rebills_alone(account, process, alice, way, written):
    given(account.client, collect_on_rebill=True)
    assert written_of(way(account, process, alice)) == written
