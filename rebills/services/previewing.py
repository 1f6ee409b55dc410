"""Plan rebills from requests: read the originals, plan the lines, get tax quotes for changed lines. Writes nothing."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import NamedTuple

from accounts.kinds import TaxExemption
from accounts.models import Client
from billing_site.common.compiled_reads import read_ahead
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import ReasonType
from invoices.plan.action_facts import DocumentFacts
from invoices.plan.actions import Action, why_not
from invoices.plan.tax_answers import Exemption, TaxAnswer, answer_to, exempt_answer, joined
from invoices.services.documents.tax_answers import check_tax_data
from invoices.services.money.ledger.acts import Why, check_reason, reason_rows
from invoices.services.planning.taxation import ask_engine
from invoices.tax_engines.protocol import TaxableLine, TaxQuote, TaxRequest
from rebills.plan import plan_rebill
from rebills.plan.counting import plan_lines
from rebills.plan.discounts import with_discounts
from rebills.plan.lines import PlannedLines
from rebills.plan.requests import RebillFacts
from rebills.plan.taxing import LineTaxing, TaxedBefore, with_contacts
from rebills.services.facts import Before, Originals, original_readings, read_originals
from rebills.services.requests import PlannedRebill, RebillRequest, RefusedRebill

NOT_ASKED = TaxQuote((), charges_tax=False)
"""The quote of a rebill whose lines all keep their tax. The engine is not asked, and no tax answer is missing."""

logger = logging.getLogger(__name__)


def preview_rebills(*, client: Client, requests: Sequence[RebillRequest], today: date) -> list[PlannedRebill | RefusedRebill]:
    """Return one outcome per request, in their order: the exact plan, or the error that refuses it.

    Writes nothing, not even an event.
    """
    codes = {request.reason_code for request in requests if request.reason_code is not None}
    with read_ahead(
        *original_readings(client, [request.invoice_no for request in requests]),
        *(reason_rows.of(client.pk, ReasonType.REBILL.value, code) for code in sorted(codes)),
    ):
        originals = read_originals(client, requests, today)
        check = _rebill_check(client)
        drafts = [_drafted(request, originals, check) for request in requests]
    return _quoted(client, drafts)


def preview_changes(
    *, client: Client, requests: Sequence[RebillRequest], today: date, before: Before
) -> list[PlannedRebill | RefusedRebill]:
    """Return for pending documents what a rebill of `before` would be, one outcome per request, in their order.

    Writes nothing, and does not check whether the documents may be changed.
    """
    originals = read_originals(client, requests, today, before)
    return _quoted(client, [_drafted(request, originals, _no_check) for request in requests])


def _quoted(client: Client, drafts: Sequence["_Draft | RefusedRebill"]) -> list[PlannedRebill | RefusedRebill]:
    """Ask the tax engine about all drafts at once, and return the finished plans."""
    asking = {
        place: draft.taxed
        for place, draft in enumerate(drafts)
        if isinstance(draft, _Draft) and draft.taxed is not None and draft.exemption is None
    }
    quotes = dict(zip(asking, ask_engine(client, list(asking.values())), strict=True))
    return [
        draft if isinstance(draft, RefusedRebill) else _planned(client, draft, quotes.get(place, NOT_ASKED))
        for place, draft in enumerate(drafts)
    ]


class _Draft(NamedTuple):
    """A rebill before tax with its tax request, which is None if all lines keep their tax."""

    request: RebillRequest
    account_no: int
    facts: RebillFacts
    lines: PlannedLines
    before: TaxedBefore
    taxing: Mapping[int, LineTaxing]
    taxed: TaxRequest | None
    exemption: Exemption | None
    stored: TaxAnswer


Check = Callable[[DocumentFacts, RebillRequest], None]
"""Refuses what may not be changed, or not as requested."""


def _no_check(document: DocumentFacts, request: RebillRequest) -> None:
    return None


def _rebill_check(client: Client) -> Check:
    """Return a check of rebills that looks each reason code up only once."""

    @cache
    def refused(reason_code: int) -> BillingError | None:
        try:
            check_reason(client, ReasonType.REBILL, Why(reason_code))
        except BillingError as error:
            return error
        return None

    def check(document: DocumentFacts, request: RebillRequest) -> None:
        refusal = why_not(Action.REBILL, document)
        if refusal is not None:
            raise refusal.error
        error = refused(request.reason_code) if request.reason_code is not None else None
        if error is not None:
            raise error

    return check


def _drafted(request: RebillRequest, originals: Originals, check: Check) -> _Draft | RefusedRebill:
    known = originals.documents.get(request.invoice_no)
    account_no = known.account_no if known is not None else None
    try:
        document = originals.document(request)
        check(document, request)
        facts = originals.facts(request)
        lines = with_discounts(facts.original, request.lines, request.discount_percent, carries_unlisted=facts.carries_unlisted)
        changes = [originals.change(line, document) for line in lines]
        before = TaxedBefore(facts.original, facts.tax)
        planned = plan_lines(
            facts.original,
            changes,
            before.is_gross,
            facts.currency,
            carries_unlisted=facts.carries_unlisted,
            corrections=[originals.correction(one) for one in request.usage_corrections],
            services=originals.services,
        )
        planned = with_contacts(planned, facts.bill_to_contact, facts.taxed_contact)
        taxing = {
            one.line.line_no: before.taxing(one, retax=facts.retax or one.retax)
            for one in planned.lines
            if one.line.line_no in planned.left
        }
        return _Draft(
            request,
            document.account_no,
            facts,
            planned,
            before,
            taxing,
            _tax_request(facts, planned, before, taxing),
            originals.exemption(request),
            originals.answers.get(request.invoice_no, TaxAnswer()),
        )
    except BillingError as error:
        return RefusedRebill(request, account_no, error)
    except Exception:
        logger.exception("planning the rebill of invoice %s failed", request.invoice_no)
        return RefusedRebill(request, account_no, BillingError(ErrorCode.UNEXPECTED))


def _tax_request(
    facts: RebillFacts, planned: PlannedLines, before: TaxedBefore, taxing: Mapping[int, LineTaxing]
) -> TaxRequest | None:
    """Return the request for the lines whose rates the document does not have, or None if there are none."""
    lines = tuple(
        TaxableLine(
            one.line.line_no, planned.left[one.line.line_no], one.line.tax_category, one.inclusive, before.now(one.line)
        )
        for one in planned.lines
        if one.line.line_no in taxing and taxing[one.line.line_no].like is None
    )
    if not lines:
        return None
    return TaxRequest(facts.currency, facts.original.terms.tax_date, before.taxes.per_line, lines)


def _answered(draft: _Draft, quote: TaxQuote, *, has_buyer: bool) -> TaxAnswer:
    """Return the tax answer of a rebill: the original's for lines that keep its rates, the engine's for the others."""
    kept = [number for number, one in draft.taxing.items() if one.like in draft.stored.unanswered]
    before = draft.stored._replace(
        no_address=draft.stored.no_address and bool(kept), no_rate=draft.stored.no_rate and bool(kept), unanswered=tuple(kept)
    )
    if not kept:
        before = before._replace(missing="")
    is_exempt = draft.stored.exemption != TaxExemption.NONE or draft.taxed is not None
    if draft.exemption is not None and is_exempt:
        return joined([before, exempt_answer(draft.exemption, has_buyer=has_buyer)])
    asked = draft.taxed.lines if draft.taxed is not None else ()
    return joined([before, answer_to(asked, quote, has_buyer=has_buyer)])


def _planned(client: Client, draft: _Draft, quote: TaxQuote | BillingError) -> PlannedRebill | RefusedRebill:
    try:
        if isinstance(quote, BillingError):
            raise quote
        plan = plan_rebill(draft.facts, draft.lines, draft.before, draft.taxing, quote.taxes)
        answer = _answered(draft, quote, has_buyer=bool(plan.content.parties.bill_to))
        check_tax_data(client, answer)
        return PlannedRebill(draft.request, draft.account_no, plan.with_answer(answer))
    except BillingError as error:
        return RefusedRebill(draft.request, draft.account_no, error)
