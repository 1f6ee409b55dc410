"""Adjust the lines of pending documents: the builder of rebills, before a document is issued.

The document is always calculated from what was generated and all its current adjustments, by the calculation of rebills. So an
adjustment can be withdrawn, and is applied again when the document is recalculated.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts import receipts
from accounts.callers import Caller
from accounts.models import Client, Service
from accounts.trail import Act, record_acts, refusal
from billing_site.errors import BillingError, Detail, ErrorCode, listed, word
from invoices.calculation import amount_text
from invoices.document import Document
from invoices.kinds import ReasonType, VersionAct
from invoices.models import Adjustment, Comparison, Invoice
from invoices.plan.actions import Action, why_not_decided
from invoices.plan.tax_answers import TaxAnswer
from invoices.services.documents.account_acts import account_act
from invoices.services.documents.comparisons import record_comparisons
from invoices.services.documents.rights import check_may_rebill
from invoices.services.documents.tax_answers import record_tax_answers
from invoices.services.documents.versions import Generated, NewVersion, read_generated, write_versions
from invoices.services.money.ledger.acts import Why, account_of_invoice, check_reason
from invoices.services.planning.adjusting import Adjusted, forget_derived
from rebills.plan import RebillPlan
from rebills.plan.adjusting import (
    ALL_LINES,
    OF_DOCUMENT,
    Wanted,
    adjusted_document,
    changes_of,
    charge_key,
    discount_change,
    line_keys,
    requested_discount,
    requested_line,
    requested_usage,
    stored_change,
    stored_discount,
)
from rebills.plan.corrections import corrected_charges
from rebills.plan.differences import Difference
from rebills.plan.older import basis_of_document
from rebills.plan.requests import UsageCorrection
from rebills.services.facts import Before
from rebills.services.previewing import preview_changes
from rebills.services.requests import RebillRequest, RefusedRebill, RequestedLine, RequestedUsage

ADJUSTED = "invoice.adjusted"
REFUSED = "invoice.adjustment_refused"


class AdjustRequest(NamedTuple):
    """All adjustments that a pending document is to have. Lines are named by their numbers as generated.

    `discount_percent` is taken off all lines that were generated. Adjustments that are not in the request are withdrawn.
    `fingerprint` is of the preview that was seen. `reason_code` may be missing only for a preview.
    """

    invoice_no: int
    lines: tuple[RequestedLine, ...] = ()
    usage_corrections: tuple[RequestedUsage, ...] = ()
    reason_code: int | None = None
    comments: str = ""
    fingerprint: str = ""
    discount_percent: Decimal | None = None


class AdjustPlan(NamedTuple):
    """A pending document as it would be with its adjustments. `plan` is the same as a rebill of the generated document."""

    invoice: Invoice
    generated: Generated
    plan: RebillPlan
    content: Document
    wanted: tuple[Wanted, ...]

    @property
    def fingerprint(self) -> str:
        """Give it to `adjust_document`, so that nothing else is written, and nobody else's change is lost."""
        return fingerprint_of(self.generated.version, self.plan)


def fingerprint_of(version: int, plan: RebillPlan) -> str:
    """Return the fingerprint of a preview: the version that it starts from, and the result."""
    return f"{version}-{plan.fingerprint}"


def moved_since(seen: str, version: int, plan: RebillPlan) -> list[str]:
    """Name what differs from the fingerprint that was seen: the version of the document, or parts of the result."""
    before, _, result = seen.partition("-")
    return ["version"] if before != str(version) else plan.moved(result)


def preview_adjusting(*, client: Client, request: AdjustRequest, today: date) -> AdjustPlan:
    """Return what `adjust_document` would write. Writes nothing, and refuses what it refuses, except rights and reasons."""
    account_of_invoice(client, request.invoice_no)
    return _plan(client, request, today)


def adjust_document(*, client: Client, request: AdjustRequest, caller: Caller, today: date) -> int:
    """Give a pending document these adjustments, and return its number. Its earlier version is kept.

    Who adjusts a document may not approve it where four eyes apply. Refuses a caller who may not rebill (90028), a document
    that is not pending (3015) or a rebill (90041), a wrong reason (3024), a document that is not as in the preview (90003), a
    request that changes nothing (90243), a total below 0 (90242), and lines as a rebill does.
    """
    account_no = account_of_invoice(client, request.invoice_no)
    try:
        check_may_rebill(caller)
        plan = _plan(client, request, today)  # Outside the transaction, because the tax engine may be asked.
    except BillingError as error:
        record_acts(client, caller, [refusal(REFUSED, error, account_no=account_no, invoice_no=request.invoice_no)])
        raise
    with account_act(client, account_no, caller, REFUSED, invoice_no=request.invoice_no):
        invoice = Invoice.objects.select_for_update(no_key=True).get(pk=request.invoice_no)
        _check(client, request, plan, invoice)
        receipts.use(client, caller.receipt, invoice_no=invoice.pk)
        _write(client, plan._replace(invoice=invoice), request, caller)
    return request.invoice_no


class AdjustState(NamedTuple):
    """A document as it was generated, and its current adjustments."""

    generated: Generated
    adjustments: list[Adjustment]


def read_state(invoice: Invoice) -> AdjustState:
    """Return what a document was generated as, and its current adjustments, in their order."""
    return AdjustState(read_generated([invoice])[invoice.pk], current_adjustments(invoice.pk))


def current_adjustments(invoice_no: int) -> list[Adjustment]:
    """Return the current adjustments of a document, in their order."""
    return list(Adjustment.objects.filter(invoice=invoice_no, through_version=None).order_by("place", "pk"))


def is_of_usage(row: Adjustment) -> bool:
    """Return whether an adjustment is of the units of a metered charge."""
    return row.line is not None and "charge" in row.line


def requested_again(rows: Iterable[Adjustment], generated: Document) -> AdjustRequest:
    """Return current adjustments of a document as a request, with the lines of what was generated. Those that no longer fit are
    left out."""
    request = _fitting(rows, generated, 0).request
    return AdjustRequest(0, request.lines, request.usage_corrections, discount_percent=request.discount_percent)


def _plan(client: Client, request: AdjustRequest, today: date) -> AdjustPlan:
    invoice = Invoice.objects.get(pk=request.invoice_no)
    _check_pending(invoice)
    generated = read_generated([invoice])[invoice.pk]
    request = _with_services(client, request)
    wanted = _wanted(request, generated.content)
    plan = _planned(client, request, generated, today)
    return AdjustPlan(invoice, generated, plan, adjusted_document(generated.content, plan), wanted)


def _with_services(client: Client, request: AdjustRequest) -> AdjustRequest:
    """Return the request with services by number. A name that does not exist is left for the plan to refuse."""
    names = {one.client_service_id for one in request.lines if one.client_service_id is not None}
    numbers = dict(Service.objects.filter(client=client, client_service_id__in=names).values_list("client_service_id", "pk"))
    lines = tuple(
        one._replace(service_no=numbers[one.client_service_id], client_service_id=None)
        if one.service_no is None and one.client_service_id in numbers
        else one
        for one in request.lines
    )
    return request._replace(lines=lines)


def _planned(client: Client, request: AdjustRequest, generated: Generated, today: date) -> RebillPlan:
    rebill = RebillRequest(
        request.invoice_no,
        None,
        request.lines,
        carries_unlisted=True,
        usage_corrections=request.usage_corrections,
        discount_percent=request.discount_percent,
    )
    before = Before({request.invoice_no: generated.content}, {request.invoice_no: generated.tax_answer})
    (outcome,) = preview_changes(client=client, requests=[rebill], today=today, before=before)
    if isinstance(outcome, RefusedRebill):
        raise _as_refusal(outcome.error)
    return outcome.plan


def _as_refusal(error: BillingError) -> BillingError:
    """Return the refusal of a rebill as one of an invoice that is not issued yet."""
    if error.code is not ErrorCode.REBILL_BELOW_ZERO:
        return error
    return BillingError(ErrorCode.ADJUSTED_BELOW_ZERO, error.detail, field=error.field)


def _check_pending(invoice: Invoice) -> None:
    why = why_not_decided(Action.ADJUST, invoice.pk, invoice.kind, invoice.status)
    if why is not None:
        raise why.error


def _check(client: Client, request: AdjustRequest, plan: AdjustPlan, invoice: Invoice) -> None:
    """Check again under the lock what the plan was made from."""
    _check_pending(invoice)
    check_reason(client, ReasonType.REBILL, Why(request.reason_code or 0, request.comments))
    moved = moved_since(request.fingerprint, plan.generated.version, plan.plan)
    if invoice.version != plan.generated.version:
        moved = ["version"]
    if moved:
        detail = Detail("invoice {invoice_no}, moved: {parts}", invoice_no=invoice.pk, parts=listed(map(word, moved)))
        raise BillingError(ErrorCode.DOCUMENT_MOVED, detail, field="fingerprint")


def _wanted(request: AdjustRequest, generated: Document) -> tuple[Wanted, ...]:
    """Return the adjustments of a request as they are stored: those of lines and added lines, of usage, of the document."""
    keys = line_keys(generated.lines)
    charges = basis_of_document(generated).charges
    lines = sorted(request.lines, key=lambda one: one.line_no)
    wanted = [Wanted({"line": keys[one.line_no]} if one.line_no in keys else None, stored_change(one)) for one in lines]
    corrections = [
        UsageCorrection(one.units, one.path, one.line_no, one.plan_instance_no, one.service_no, one.period_start, one.comments)
        for one in request.usage_corrections
    ]
    places = {id(correction): place for place, correction in corrected_charges(corrections, charges).items()}
    wanted += [
        Wanted(charge_key(charges[places[id(correction)]]), stored_change(one))
        for correction, one in zip(corrections, request.usage_corrections, strict=True)
    ]
    if request.discount_percent is not None:
        wanted.append(Wanted(OF_DOCUMENT, stored_discount(request.discount_percent)))
    return tuple(wanted)


class _Fitting(NamedTuple):
    """Adjustments as a request of newly generated lines. `of_line` and `of_usage` are the adjustments of its lines and usage
    corrections, in their order, `of_document` its discount on all lines, and `unfit` those that name a line or charge that is
    not there, with the reason."""

    request: RebillRequest
    of_line: Sequence[Adjustment]
    of_usage: Sequence[Adjustment]
    of_document: Sequence[Adjustment]
    unfit: Mapping[int, str]


NOT_GENERATED = gettext_noop("The line is not on the recalculated document.")


def _fitting(rows: Iterable[Adjustment], generated: Document, invoice_no: int) -> _Fitting:
    numbers = {str(key): number for number, key in line_keys(generated.lines).items()}
    charges = {str(charge_key(one)) for one in basis_of_document(generated).charges}
    added_no = max(line.line_no for line in generated.lines)
    lines: list[RequestedLine] = []
    usage: list[RequestedUsage] = []
    of_line, of_usage, of_document, unfit = [], [], [], {}
    for row in rows:
        if row.line is None:
            added_no += 1
            lines.append(requested_line(row.change, added_no, f"lines[{len(lines)}]"))
            of_line.append(row)
        elif "line" in row.line and (number := numbers.get(str(_ordered(row.line["line"])))) is not None:
            lines.append(requested_line(row.change, number, f"lines[{len(lines)}]"))
            of_line.append(row)
        elif "charge" in row.line and str(_ordered_charge(row.line)) in charges:
            usage.append(requested_usage(row.line, row.change, f"usage_corrections[{len(usage)}]"))
            of_usage.append(row)
        elif row.line == OF_DOCUMENT:
            of_document.append(row)
        else:
            unfit[row.pk] = NOT_GENERATED
    request = RebillRequest(
        invoice_no,
        None,
        tuple(lines),
        carries_unlisted=True,
        usage_corrections=tuple(usage),
        discount_percent=requested_discount(of_document[0].change) if of_document else None,
    )
    return _Fitting(request, of_line, of_usage, of_document, unfit)


def _write(client: Client, plan: AdjustPlan, request: AdjustRequest, caller: Caller) -> None:
    invoice, at = plan.invoice, timezone.now()
    existing = current_adjustments(invoice.pk)
    kept, gone, new = _compared(existing, plan.wanted)
    if not gone and not new:
        raise BillingError(ErrorCode.NOTHING_ADJUSTED, field="lines")
    Adjustment.objects.filter(pk__in=[row.pk for row in gone]).update(through_version=invoice.version)
    _write_rows(plan, request, kept, new, caller, at)
    content = plan.content if plan.wanted else plan.generated.content
    version = NewVersion(
        invoice,
        VersionAct.ADJUSTED,
        content,
        plan.generated.tax_answer,
        plan.generated.content if plan.wanted else None,
        request.reason_code,
        request.comments,
    )
    write_versions([version], caller.identity, at)
    read_at = Comparison.objects.filter(pk=invoice.pk).values_list("facts_read_at", flat=True).first()
    forget_derived([invoice.pk])
    record_comparisons([(invoice.pk, content)], {invoice.pk: read_at})
    record_tax_answers([(invoice.pk, plan.plan.tax_answer if plan.wanted else plan.generated.tax_answer)])
    record_acts(client, caller, [_act(plan, content, request)], at)


def _compared(
    existing: Sequence[Adjustment], wanted: Sequence[Wanted]
) -> tuple[dict[int, Adjustment], list[Adjustment], list[int]]:
    """Return which stored adjustments stay, by place of the wanted ones, those that are withdrawn, and the places of new
    ones."""
    left = list(existing)
    kept: dict[int, Adjustment] = {}
    for place, one in enumerate(wanted):
        same = next((row for row in left if (row.line, row.change) == (one.line, one.change)), None)
        if same is not None:
            kept[place] = same
            left.remove(same)
    return kept, left, [place for place in range(len(wanted)) if place not in kept]


def _write_rows(
    plan: AdjustPlan,
    request: AdjustRequest,
    kept: Mapping[int, Adjustment],
    new: Sequence[int],
    caller: Caller,
    at: Any,
) -> None:
    """Write new adjustments with author and reason, and where those that stay are now."""
    found = _found(plan.plan, request.lines, plan.wanted)
    why = {"reason_code": request.reason_code, "made_by": caller.identity, "made_at": at}
    comments = _comments(request, plan.wanted)
    for place, row in kept.items():
        row.place, row.line_no, row.title, row.changes, row.why_not = place + 1, *found[place], ""
        row.save(update_fields=["place", "line_no", "title", "changes", "why_not"])
    Adjustment.objects.bulk_create(
        Adjustment(
            invoice=plan.invoice,
            place=place + 1,
            line=plan.wanted[place].line,
            change=plan.wanted[place].change,
            line_no=found[place][0],
            title=found[place][1],
            changes=found[place][2],
            comments=comments[place],
            from_version=plan.invoice.version + 1,
            **why,
        )
        for place in new
    )


def _comments(request: AdjustRequest, wanted: Sequence[Wanted]) -> list[str]:
    """Return the comment of each adjustment: its own, else that of the request."""
    return [one.change.get("comments") or request.comments for one in wanted]


Found = tuple[int | None, str, list[dict[str, Any]]]
"""The line number of an adjustment, the text of its line, and what it changes."""


def _found(plan: RebillPlan, lines: Sequence[RequestedLine], wanted: Sequence[Wanted]) -> list[Found]:
    """Return, for each adjustment, its line and what it changes there."""
    rows = {row.line_no: row for row in plan.differences if row.line_no is not None}
    added = iter([row for row in plan.differences if row.line_no is None and not row.is_recounted])
    ordered = iter(sorted(lines, key=lambda one: one.line_no))
    found: list[Found] = []
    for one in wanted:
        if one.is_of_document:
            found.append((ALL_LINES, "", discount_change(one.change)))
        elif one.is_of_usage:
            found.append(_of_usage(one, plan))
        else:
            found.append(_of_line(one, next(ordered).line_no, rows, added, plan))
    return found


def _of_line(one: Wanted, line_no: int, rows: Mapping[int, Difference], added: Any, plan: RebillPlan) -> Found:
    row = next(added) if one.line is None else rows[line_no]
    return line_no, row.description, [*discount_change(one.change), *changes_of(row, plan.facts.names)]


def _of_usage(one: Wanted, plan: RebillPlan) -> Found:
    """Return what corrected units change: the units and amount of the charge, on all its lines together."""
    assert one.line is not None
    key = str(_ordered_charge(one.line))
    before = next(charge for charge in basis_of_document(plan.facts.original).charges if str(charge_key(charge)) == key)
    name = plan.facts.names.get(("service", before.service_no), "")
    units = {"column": "units", "before": f"{before.billed.units.normalize():f}", "after": one.change["units"]}
    return next(iter(before.line_nos), 0), name, [units]


def _act(plan: AdjustPlan, content: Document, request: AdjustRequest) -> Act:
    invoice = plan.invoice
    after = {
        "version": invoice.version + 1,
        "total_amount": amount_text(content.terms.total_amount, invoice.currency),
        "currency": invoice.currency,
        "adjustments": len(plan.wanted),
        "reason_code": request.reason_code,
        "comments": request.comments,
    }
    total = amount_text(invoice.total_amount, invoice.currency)
    before = {"version": invoice.version, "total_amount": total}
    return Act(ADJUSTED, invoice.account_id, invoice.pk, before=before, after=after)


def adjust_again(
    client: Client, generated: Mapping[int, Document], answers: Mapping[int, TaxAnswer], today: date
) -> dict[int, Adjusted | BillingError]:
    """Apply the current adjustments of documents to newly generated ones (`register_adjusting`). Writes nothing.

    An adjustment of a line that was not generated again, or that is refused now, is left out, and its row says why.
    """
    rows: dict[int, list[Adjustment]] = defaultdict(list)
    for row in Adjustment.objects.filter(invoice__in=generated, through_version=None).order_by("place", "pk"):
        rows[row.invoice_id].append(row)
    fitting = {number: _fitting(rows[number], content, number) for number, content in generated.items()}
    done: dict[int, Adjusted | BillingError] = {}
    left = list(generated)
    while left:
        requests = [fitting[number].request for number in left]
        outcomes = preview_changes(client=client, requests=requests, today=today, before=Before(generated, answers))
        again = []
        for number, outcome in zip(left, outcomes, strict=True):
            if not isinstance(outcome, RefusedRebill):
                done[number] = _adjusted_again(generated[number], outcome.plan, fitting[number])
                continue
            refused = _refused_row(outcome.error, fitting[number])
            if refused is None:
                done[number] = _as_refusal(outcome.error)
                continue
            rows_left = [row for row in rows[number] if row.pk != refused.pk and row.pk not in fitting[number].unfit]
            unfit = {**fitting[number].unfit, refused.pk: outcome.error.message}
            fitting[number] = _fitting(rows_left, generated[number], number)._replace(unfit=unfit)
            again.append(number)
        left = again
    return done


def _refused_row(error: BillingError, fitting: _Fitting) -> Adjustment | None:
    """Return the adjustment that a refusal is about, or None if it is about the whole document."""
    named = re.match(r"(lines|usage_corrections)\[(\d+)\]", error.field or "")
    if named is None:
        return None
    return (fitting.of_line if named[1] == "lines" else fitting.of_usage)[int(named[2])]


def _adjusted_again(content: Document, plan: RebillPlan, fitting: _Fitting) -> Adjusted:
    applied = [*fitting.of_line, *fitting.of_usage, *fitting.of_document]
    wanted = [Wanted(row.line, row.change) for row in applied]
    # `_found` takes lines by their numbers, so adjustments are in this order too.
    order = sorted(range(len(fitting.of_line)), key=lambda place: fitting.request.lines[place].line_no)
    places = [*order, *range(len(fitting.of_line), len(applied))]
    found = _found(plan, fitting.request.lines, [wanted[place] for place in places])
    stored = [(applied[place].pk, line_no, changes, "") for place, (line_no, _, changes) in zip(places, found, strict=True)]
    stored += [(number, None, [], why) for number, why in fitting.unfit.items()]
    return Adjusted(adjusted_document(content, plan), plan.tax_answer, stored)


def _ordered(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored key with its members in the order of `line_keys`. A database may keep another one."""
    names = (
        "line_type",
        "service_no",
        "plan_instance_no",
        "period_start",
        "period_end",
        "tier_no",
        "order_no",
        "coupon_code",
        "nth",
    )
    return {name: key[name] for name in names}


def _ordered_charge(line: Mapping[str, Any]) -> dict[str, Any]:
    return {"charge": {name: line["charge"][name] for name in ("plan_instance_no", "service_no", "period_start")}}
