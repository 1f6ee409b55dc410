"""Recalculate pending documents in place: the number stays, and the earlier version is kept."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import NamedTuple

from django.utils import timezone

from accounts import receipts
from accounts.callers import Caller
from accounts.models import Client
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import amount_text
from invoices.document import Document
from invoices.kinds import InvoiceStatus, VersionAct
from invoices.models import CouponUse, CreditUse, Invoice, UnusedCredit
from invoices.plan import InvoicePlan
from invoices.plan.facts import BillingState
from invoices.services.billing.recording import Recording, check_unchanged, record_left_out
from invoices.services.documents.batches import in_halves
from invoices.services.documents.comparisons import record_comparisons
from invoices.services.documents.document_storage import content_of
from invoices.services.documents.outcomes import Planned, Recorded, Refused
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.tax_answers import record_tax_answers
from invoices.services.documents.versions import NewVersion, write_versions
from invoices.services.issuing.issuing import IssuePolicy
from invoices.services.money.ledger.entries import account_positions
from invoices.services.planning.adjusting import Adjusted, adjust_again, forget_derived, record_adjusted
from invoices.services.planning.facts import lock_states
from invoices.services.planning.holds import hold_claims, release_claims
from invoices.services.planning.previewing import preview_invoices, regenerations

RECALCULATED = "invoice.recalculated"


class _Ready(NamedTuple):
    """A pending document to recalculate: the version that was read, its new plan and content, and the same content with the
    document's adjustments, if it has any."""

    invoice_no: int
    account_no: int
    version: int
    plan: InvoicePlan
    generated: Document
    adjusted: Adjusted | None

    @property
    def content(self) -> Document:
        return self.generated if self.adjusted is None else self.adjusted.content


def recalculate_pending(
    client: Client, accounts: Mapping[int, int], caller: Caller, today: date, remarks: Remarks
) -> list[Recorded | Refused]:
    """Recalculate pending documents of cycles, given with their accounts, and return one outcome for each.

    Refused: nothing is left to bill (90240), another call has changed the document since it was read (3108), and what
    regenerating refuses.
    """
    versions = dict(Invoice.objects.filter(pk__in=accounts).values_list("pk", "version"))
    batches = regenerations(list(accounts), today)
    planned_nos = {invoice_no for replacing in batches.values() for invoice_no in replacing.values()}
    done: list[Recorded | Refused] = [
        # Another call has decided on it since it was read.
        _refused(BillingError(ErrorCode.NOT_PENDING, Detail("invoice {invoice_no}", invoice_no=number)), number, account_no)
        for number, account_no in accounts.items()
        if number not in planned_nos
    ]
    for request, replacing in batches.items():
        recording = Recording(IssuePolicy(client), caller, request, replacing, remarks)
        ready, refused = _planned(recording, versions)
        done += refused
        done += in_halves(
            ready,
            partial(_write, recording),
            lambda one, error: _refused(error, one.invoice_no, one.account_no),
        )
    return done


def _refused(error: BillingError, invoice_no: int, account_no: int) -> Refused:
    return Refused(account_no, error, invoice_no)


def _planned(recording: Recording, versions: Mapping[int, int]) -> tuple[list[_Ready], list[Refused]]:
    """Plan documents as they would be generated now, with their adjustments."""
    replacing, client = recording.replacing, recording.client
    outcomes = preview_invoices(client=client, account_nos=replacing, request=recording.request, replacing=replacing.values())
    refused: list[Refused] = []
    plans: dict[int, Planned] = {}
    for one in outcomes:
        assert one.account_no is not None
        invoice_no = replacing[one.account_no]
        if isinstance(one, Refused):
            refused.append(_refused(one.error, invoice_no, one.account_no))
        elif not one.plan.lines:
            detail = Detail("invoice {invoice_no}", invoice_no=invoice_no)
            refused.append(_refused(BillingError(ErrorCode.NOTHING_LEFT_TO_BILL, detail), invoice_no, one.account_no))
        else:
            plans[invoice_no] = one
    generated = {number: content_of(client, one.plan) for number, one in plans.items()}
    answers = {number: one.plan.tax_answer for number, one in plans.items()}
    adjusted = adjust_again(client, generated, answers, recording.request.today)
    ready = []
    for number, one in plans.items():
        with_changes = adjusted.get(number)
        if isinstance(with_changes, BillingError):
            refused.append(_refused(with_changes, number, one.account_no))
        else:
            ready.append(_Ready(number, one.account_no, versions[number], one.plan, generated[number], with_changes))
    return ready, refused


def _write(recording: Recording, ready: Sequence[_Ready]) -> list[Recorded | Refused]:
    """Check again under the locks, and write what still holds as new versions."""
    account_nos = [one.account_no for one in ready]
    states = lock_states(account_nos, skip_locked=len(ready) > 1)
    pending = {no: one.pending_invoice_no for no, one in account_positions(account_nos).items()}
    rows = Invoice.objects.select_for_update(no_key=True).filter(pk__in=[one.invoice_no for one in ready], account__in=states)
    invoices = {invoice.pk: invoice for invoice in rows.order_by("pk")}
    good: list[_Ready] = []
    outcomes: list[Recorded | Refused] = []
    for one in ready:
        try:
            _check(recording, one, states.get(one.account_no), pending[one.account_no], invoices.get(one.invoice_no))
            good.append(one)
            outcomes.append(Recorded(one.account_no, one.invoice_no))
        except BillingError as error:
            outcomes.append(_refused(error, one.invoice_no, one.account_no))
    if good:
        receipts.use(recording.client, recording.caller.receipt, invoice_no=good[0].invoice_no)
        _replace(recording, good, invoices)
    return outcomes


def _check(
    recording: Recording, one: _Ready, state: BillingState | None, pending_no: int | None, invoice: Invoice | None
) -> None:
    if state is None or invoice is None:
        raise BillingError(ErrorCode.IN_PROGRESS)
    if invoice.status != InvoiceStatus.PENDING:
        raise BillingError(ErrorCode.NOT_PENDING, Detail("invoice {invoice_no}", invoice_no=one.invoice_no))
    check_unchanged(recording, one.plan, state, pending_no)
    if invoice.version != one.version:
        raise BillingError(ErrorCode.IN_PROGRESS)


def _replace(recording: Recording, good: Sequence[_Ready], invoices: Mapping[int, Invoice]) -> None:
    numbers = [one.invoice_no for one in good]
    at, caller = timezone.now(), recording.caller
    write_versions(
        [
            NewVersion(
                invoices[one.invoice_no],
                VersionAct.RECALCULATED,
                one.content,
                one.plan.tax_answer,
                None if one.adjusted is None else one.generated,
                comments=recording.remarks.reason,
            )
            for one in good
        ],
        caller.identity,
        at,
    )
    noted = recording.remarks.columns()
    if noted:
        Invoice.objects.filter(pk__in=numbers).update(**noted)
    _replace_claims(good)
    forget_derived(numbers)
    record_comparisons(
        [(one.invoice_no, one.content) for one in good], {one.invoice_no: one.plan.facts.read_at for one in good}
    )
    record_tax_answers(
        (one.invoice_no, one.plan.tax_answer if one.adjusted is None else one.adjusted.tax_answer) for one in good
    )
    record_adjusted([one.adjusted for one in good if one.adjusted is not None])
    record_left_out(recording, [one.plan for one in good], {one.account_no: one.invoice_no for one in good}, at)
    record_acts(recording.client, caller, [_act(one, invoices[one.invoice_no], recording.remarks) for one in good], at)


def _replace_claims(good: Sequence[_Ready]) -> None:
    numbers = [one.invoice_no for one in good]
    release_claims(numbers)
    for model in (CouponUse, CreditUse, UnusedCredit):
        model._default_manager.filter(invoice__in=numbers).delete()
    hold_claims([(one.invoice_no, one.plan.claims) for one in good])


def _act(one: _Ready, before: Invoice, remarks: Remarks) -> Act:
    after = {
        "version": one.version + 1,
        "total_amount": amount_text(one.content.terms.total_amount, before.currency),
        "currency": before.currency,
        "reason": remarks.reason,
    }
    total = amount_text(before.total_amount, before.currency)
    return Act(
        RECALCULATED, one.account_no, one.invoice_no, before={"version": one.version, "total_amount": total}, after=after
    )
