"""Flags that say why an approver should look at a pending document. Their thresholds are in the client's settings."""

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from accounts.models import Client
from invoices.calculation import ZERO
from invoices.kinds import LASTING_FLAGS, Flag, InvoiceKind, InvoiceStatus
from invoices.models import Invoice
from invoices.plan import InvoicePlan
from invoices.services.documents.comparisons import Compared
from invoices.services.planning.out_of_date import out_of_date

NEVER = Q(pk=None)
FLAG_SETTINGS = ("flag_first", "flag_change_percent", "flag_lines", "flag_missing_po")
"""The client's settings that decide the conditions of flags."""


def flag_rules(client: Client) -> dict[Flag, Q]:
    """Return the condition of each flag. A total that was 0 and is not any more counts as changed, whatever the threshold."""
    percent = client.flag_change_percent
    changed = NEVER
    if percent is not None:
        beyond = Q(comparison__change_percent__gt=percent) | Q(comparison__change_percent__lt=-percent)
        from_nothing = Q(comparison__change_percent=None) & ~Q(comparison__change_amount=ZERO)
        changed = Q(comparison__previous__isnull=False) & (beyond | from_nothing)
    return {
        Flag.FIRST: Q(comparison__previous=None) & ~Q(kind=InvoiceKind.ONE_OFF) if client.flag_first else NEVER,
        Flag.CHANGED: changed,
        Flag.NEW_LINES: Q(comparison__new_lines__gt=0) if client.flag_lines else NEVER,
        Flag.MISSING_LINES: Q(comparison__missing_lines__gt=0) if client.flag_lines else NEVER,
        Flag.NOT_POSITIVE: Q(total_amount__lte=ZERO),
        Flag.NO_PO: ~Q(comparison__has_po=True) if client.flag_missing_po else NEVER,
        Flag.OUT_OF_DATE: out_of_date(),
        Flag.NO_ADDRESS: Q(tax_answer__no_address=True),
        Flag.NO_RATE: Q(tax_answer__no_rate=True),
    }


def flags_of_plan(client: Client, plan: InvoicePlan, compared: Compared) -> list[Flag]:
    """The flags that the document of a plan would have as pending, in the order of Flag. It cannot be out of date yet."""
    percent, change = client.flag_change_percent, compared.change_percent
    has_previous = compared.previous_no is not None
    changed = abs(change) > (percent or ZERO) if change is not None else bool(compared.change_amount)
    answer = plan.tax_answer
    rules = {
        Flag.FIRST: client.flag_first and not has_previous and plan.kind is not InvoiceKind.ONE_OFF,
        Flag.CHANGED: percent is not None and has_previous and changed,
        Flag.NEW_LINES: client.flag_lines and compared.new_lines > 0,
        Flag.MISSING_LINES: client.flag_lines and compared.missing_lines > 0,
        Flag.NOT_POSITIVE: plan.total_amount <= ZERO,
        Flag.NO_PO: client.flag_missing_po and not any(line.po_num for line in plan.lines),
        Flag.NO_ADDRESS: answer.no_address,
        Flag.NO_RATE: answer.no_rate,
    }
    return [flag for flag in Flag if rules.get(flag)]


def is_flagged(client: Client) -> Q:
    return any_of(flag_rules(client).values())


def any_of(rules: Iterable[Q]) -> Q:
    """Return the condition that at least one of the conditions applies."""
    found = NEVER
    for rule in rules:
        found |= rule
    return found


def with_flags(rows: QuerySet[Any, Any], client: Client) -> QuerySet[Any, Any]:
    """Annotate with one column per flag: `flag_first`, `flag_changed` and so on."""
    annotated: QuerySet[Any, Any] = rows.annotate(
        **{f"flag_{flag}": ExpressionWrapper(rule, BooleanField()) for flag, rule in flag_rules(client).items()}
    )
    return annotated


def flags_of(invoice: Invoice) -> list[Flag]:
    """Return the flags of a document that was read by `with_flags`, in the order of Flag. Documents that are not pending have
    only the lasting ones."""
    shown = Flag if invoice.status == InvoiceStatus.PENDING else LASTING_FLAGS
    return [flag for flag in shown if getattr(invoice, f"flag_{flag}")]


def flagged_as(client: Client, flags: Collection[Flag]) -> Q:
    """Select documents that have one of these flags."""
    rules = flag_rules(client)
    return any_of(rules[flag] if flag in LASTING_FLAGS else rules[flag] & Q(status=InvoiceStatus.PENDING) for flag in flags)
