"""A rule on what may be done with a document knows the client's day: one rule in the table holds for every service."""

from datetime import date

import pytest

from billing_site.errors import ErrorCode
from invoices.models import Invoice
from invoices.plan.actions import RULES, Action, Refusal
from invoices.services.actions import available_actions
from invoices.services.approving.acts import approve_invoices
from invoices.services.correcting.credit_memos import preview_credit_memo
from tests.support.memos import ALL, memo_of, void
from tests.support.outcomes import error_of
from tests.support.payments import refused_as
from tests.support.rebilling import a_request, line, previewed, rebilled

pytestmark = pytest.mark.usefixtures("audited")

LAST_DAY, TOO_LATE = date(2028, 1, 10), date(2028, 1, 11)
TOO_OLD = (ErrorCode.INVALID_INPUT.number, "invoice_no")


def not_older_than_24_months(facts):
    issued = facts.invoice_date
    if issued is not None and facts.today > issued.replace(year=issued.year + 2):
        yield Refusal(ErrorCode.INVALID_INPUT, f"{facts.name} is of {issued}")


@pytest.fixture(autouse=True)
def ruled(monkeypatch):
    """Invoices older than 24 months are neither rebilled nor credited nor voided. The invoice is of 10 January 2026."""
    for action in (Action.REBILL, Action.CREDIT, Action.VOID):
        monkeypatch.setitem(RULES, action, (*RULES[action], not_older_than_24_months))


def offered(invoice, caller, today):
    (shown,) = available_actions(invoice.client, [invoice.pk], caller, today).values()
    return {one.action for one in shown if one.error is None}


def test_what_is_offered_depends_on_the_day(invoice, process):
    ruled = {Action.REBILL, Action.CREDIT, Action.VOID}
    assert offered(invoice, process, LAST_DAY) >= ruled
    assert offered(invoice, process, TOO_LATE) == offered(invoice, process, LAST_DAY) - ruled


def test_a_rebill_is_previewed_and_made_up_to_that_day(invoice, process):
    wanted = a_request(invoice, line(1, rate_per_unit="29.00"), 2)
    assert refused_as(previewed, wanted, invoice.client, today=TOO_LATE) == TOO_OLD
    assert refused_as(rebilled, invoice, process, 1, 2, today=TOO_LATE) == TOO_OLD
    assert previewed(wanted, invoice.client, today=LAST_DAY).rebill.net == 49
    assert rebilled(invoice, process, 1, 2, today=LAST_DAY).corrects == invoice


def test_a_memo_is_previewed_and_made_up_to_that_day(invoice, process):
    given = {"client": invoice.client, "invoice_no": invoice.pk, "credit": ALL}
    assert refused_as(preview_credit_memo, **given, today=TOO_LATE) == TOO_OLD
    assert refused_as(memo_of, invoice, process, today=TOO_LATE) == TOO_OLD
    assert preview_credit_memo(**given, today=LAST_DAY).total_amount == 110
    assert memo_of(invoice, process, today=LAST_DAY).total_amount == -110


def test_an_invoice_is_voided_up_to_that_day(invoice, process):
    assert refused_as(void, invoice, process, today=TOO_LATE) == TOO_OLD
    void(invoice, process, today=LAST_DAY)
    assert Invoice.objects.get(pk=invoice.pk).status == "voided"


def test_a_pending_rebill_is_not_approved_once_its_original_is_too_old(invoice, process, bob):
    invoice.client.rebill_approval_required = True
    invoice.client.save()
    pending = rebilled(invoice, process, 1, 2, today=LAST_DAY)
    given = {"client": invoice.client, "invoice_nos": [pending.pk], "caller": bob}
    (late,) = approve_invoices(**given, today=TOO_LATE)
    assert (error_of(late).code, error_of(late).field) == (ErrorCode.INVALID_INPUT, "invoice_no")
    (in_time,) = approve_invoices(**given, today=LAST_DAY)
    assert error_of(in_time) is None
