"""Decisions on selected documents: one page announces what will happen, another shows the result of each."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin.rows import page_link
from accounts.callers import Caller
from accounts.clock import today
from accounts.models import Client
from billing_site.common.languages import within_sentence
from billing_site.errors import shown_message
from invoices.admin.amounts import amount
from invoices.admin.batches import RESULT_TEXTS, outcomes_by_client
from invoices.kinds import DecisionAct, StatementStatus
from invoices.models import Invoice
from invoices.plan.actions import Action
from invoices.services.approving.deciding import decide as decide_on
from invoices.services.approving.preview import DecisionPreview, RefusedDocument, preview_collecting, preview_decision
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.documents.collection_results import Collected
from invoices.services.documents.outcomes import NothingToBill, Outcome, Refused
from invoices.services.documents.rights import APPROVE_PERMISSION

NUMBERS = "numbers"


class ResultRow(NamedTuple):
    """The result of one document: done with its consequences, or refused and why."""

    document: SafeString | str
    is_done: bool
    words: str


class Decision(NamedTuple):
    """The texts of a decision."""

    question: Any
    what_follows: Any
    button: Any
    done: Any


DECISIONS = {
    Action.APPROVE: Decision(
        _("Approve these documents?"),
        _(
            "The documents are issued. They get the next numbers of their series and today's date, and "
            "their amounts are added to the accounts' balances."
        ),
        _("Approve"),
        _("approved"),
    ),
    Action.DISCARD: Decision(
        _("Discard these documents?"),
        _(
            "Their usage, charges, coupons and credits are released, and their cycles can be billed again. "
            "No document number is lost."
        ),
        _("Discard"),
        _("discarded"),
    ),
    Action.RECALCULATE: Decision(
        _("Recalculate these documents?"),
        _("Each document is calculated again from today's data. Its invoice number and adjustments stay."),
        _("Recalculate"),
        _("recalculated"),
    ),
    Action.REGENERATE: Decision(
        _("Regenerate these documents?"),
        _("Each document is discarded, and a new pending one is generated for the same cycle from today's data."),
        _("Regenerate"),
        _("regenerated"),
    ),
    Action.COLLECT: Decision(
        _("Collect these documents?"),
        _("The open amounts are charged through the payment gateway."),
        _("Collect"),
        _("collected"),
    ),
}


def decide(pages: Any, request: HttpRequest, chosen: QuerySet[Any], action: Action) -> TemplateResponse:
    """Ask for confirmation first. The decision applies to the documents that were shown, even if the list has changed since."""
    if NUMBERS not in request.POST:
        return _ask(pages, request, chosen, action)
    shown = [int(number) for number in request.POST[NUMBERS].split(",") if number.isdecimal()]
    caller = Caller(staff=request.user)
    own = pages.get_queryset(request).filter(pk__in=shown)
    outcomes = outcomes_by_client(own, lambda client, numbers: _take(action, client, numbers, caller))
    return _tell(pages, request, outcomes, action)


def _take(action: Action, client: Client, numbers: list[int], caller: Caller) -> Iterable[Outcome | Collected]:
    by: dict[str, Any] = {"client": client, "invoice_nos": numbers, "caller": caller, "today": today(client)}
    if action is Action.COLLECT:
        return collect_invoices(**by)
    return decide_on(DecisionAct(action.value), **by).values()


def _preview(action: Action, client: Client, numbers: list[int], caller: Caller) -> DecisionPreview:
    by: dict[str, Any] = {"client": client, "caller": caller, "today": today(client)}
    if action is Action.COLLECT:
        return preview_collecting(invoice_nos=numbers, **by)
    return preview_decision(DecisionAct(action.value), invoices=Invoice.objects.filter(pk__in=numbers), **by)


def _ask(pages: Any, request: HttpRequest, chosen: QuerySet[Any], action: Action) -> TemplateResponse:
    caller = Caller(staff=request.user)
    numbers = list(chosen.values_list("pk", flat=True))
    parts = outcomes_by_client(chosen, lambda client, numbers: [_preview(action, client, numbers, caller)])
    refused = [one for part in parts for one in part.refused]
    return _page(
        pages,
        request,
        "admin/invoices/decide.html",
        action,
        {
            "count": len(numbers) - len(refused),
            "numbers": ",".join(map(str, sorted(set(numbers) - {one.invoice_no for one in refused}))),
            "action": request.POST["action"],
            "ticked": next(iter(numbers), ""),
            "totals": _totals(parts),
            "consequences": _consequences(parts, action),
            "refused": [(_named(one), one.error.code.number, one.error.shown) for one in refused],
        },
    )


def _totals(parts: Sequence[DecisionPreview]) -> list[tuple[str, int, SafeString]]:
    sums: dict[str, tuple[int, Decimal]] = {}
    for part in parts:
        for currency, (count, total) in part.totals.items():
            before = sums.get(currency, (0, Decimal(0)))
            sums[currency] = (before[0] + count, before[1] + total)
    return [(currency, count, amount(total, currency)) for currency, (count, total) in sorted(sums.items())]


def _consequences(parts: Sequence[DecisionPreview], action: Action) -> list[Any]:
    collected, statements = sum(part.collected for part in parts), sum(part.statements for part in parts)
    texts = [DECISIONS[action].what_follows]
    if collected:
        one, more = (
            "The open amount of %d document is collected at once.",
            "The open amounts of %d documents are collected at once.",
        )
        texts.append(ngettext(one, more, collected) % collected)
    if statements:
        texts.append(ngettext("%d statement is sent.", "%d statements are sent.", statements) % statements)
    return texts


def _named(refused: RefusedDocument) -> SafeString:
    return page_link(Invoice(pk=refused.invoice_no), refused.name)


def _tell(pages: Any, request: HttpRequest, outcomes: Sequence[Outcome | Collected], action: Action) -> TemplateResponse:
    documents = _documents(number for one in outcomes if (number := _number_of(one)) is not None)
    rows = [_collection_row(one, documents) if isinstance(one, Collected) else _row(one, documents, action) for one in outcomes]
    done = sum(row.is_done for row in rows)
    counts = {"done": done, "not_done": len(rows) - done, "rows": sorted(rows, key=lambda row: row.is_done)}
    return _page(pages, request, "admin/invoices/decided.html", action, counts)


def _documents(numbers: Iterable[int]) -> dict[int, Invoice]:
    return Invoice.objects.in_bulk(list(numbers))


def _row(outcome: Outcome, documents: dict[int, Invoice], action: Action) -> ResultRow:
    number = _number_of(outcome)
    document = None if number is None else documents.get(number)
    name = page_link(document) if document is not None else str(outcome.account_no)
    if isinstance(outcome, Refused):
        return ResultRow(name, False, f"{outcome.error.code.number} {outcome.error.shown}")
    words = [str(DECISIONS[action].done)]
    if isinstance(outcome, NothingToBill):
        return ResultRow(name, True, words[0])
    if outcome.collection is not None:
        words.append(_collected_words(outcome.collection))
    if outcome.statement is not None:
        words.append(_statement_words(outcome.statement))
    return ResultRow(name, True, "; ".join(words))


def _number_of(outcome: Outcome | Collected) -> int | None:
    return None if isinstance(outcome, NothingToBill) else outcome.invoice_no


def _collection_row(collected: Collected, documents: dict[int, Invoice]) -> ResultRow:
    document = documents.get(collected.invoice_no)
    name = page_link(document) if document is not None else str(collected.invoice_no)
    return ResultRow(name, collected.error is None, _collected_words(collected))


def _collected_words(collected: Collected) -> str:
    if collected.error is not None:
        return f"{collected.error_code} {collected.shown}"
    return within_sentence(RESULT_TEXTS[collected.result])


def _statement_words(statement: Any) -> str:
    if statement.status == StatementStatus.SENT:
        return str(_("statement sent to %(email)s") % {"email": statement.email})
    return str(_("statement not sent: %(why)s") % {"why": shown_message(statement.error_code, statement.message)})


def _page(pages: Any, request: HttpRequest, template: str, action: Action, context: dict[str, Any]) -> TemplateResponse:
    decision = DECISIONS[action]
    common = {"title": decision.question, "decision": decision, "opts": pages.model._meta}
    return TemplateResponse(request, template, {**pages.admin_site.each_context(request), **common, **context})


class DecidedInList:
    """The decisions on pending documents."""

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(APPROVE_PERMISSION)

    @admin.action(description=_("Approve selected"), permissions=["approve"])
    def approve_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> TemplateResponse:
        return decide(self, request, queryset, Action.APPROVE)

    @admin.action(description=_("Discard selected"), permissions=["approve"])
    def discard_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> TemplateResponse:
        return decide(self, request, queryset, Action.DISCARD)
