"""Try a version of approval rules on documents of the past: what would it have approved by itself, and was that right?"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.models import Client
from invoices.kinds import ISSUED_STATUSES, InvoiceKind, InvoiceStatus
from invoices.models import ApprovalRule, ApprovalRules, Invoice
from invoices.services.approving.rules import RULED_KINDS
from invoices.services.planning.rule_matching import matched_rule, person_needed

USUAL_DAYS = 90
ROWS_AT_ONCE = 2000


class TriedRule(NamedTuple):
    """What came of the documents that a rule decides about. `rule` is None for those that no rule decides about.

    `by_itself` counts the documents that the rule would have approved without a person. Of these, `rebilled`, `credited` and
    `voided` were corrected later, and a person has not approved but discarded `discarded`.
    """

    rule: ApprovalRule | None
    documents: int = 0
    by_itself: int = 0
    rebilled: int = 0
    credited: int = 0
    voided: int = 0
    discarded: int = 0


class Trial(NamedTuple):
    """A version tried on the documents that were pending in the last `days`. `not_pending` documents were issued without
    approval in these days, so the rules could not be tried on them."""

    days: int
    rules: Sequence[TriedRule]
    not_pending: int

    @property
    def total(self) -> TriedRule:
        return TriedRule(None, *(sum(counts) for counts in zip(*(one[1:] for one in self.rules), strict=True)))


def try_rules(version: ApprovalRules, client: Client, days: int = USUAL_DAYS) -> Trial:
    """Return what a version would have done with the documents that were pending in the last days. Writes nothing.

    Documents that are still pending are left out. Whether a document was out of date when it was approved is not known any
    more: it counts as up to date.
    """
    rules = list(version.rows.select_related("rules").order_by("position"))
    generated = Invoice.objects.filter(
        client=client, generated_at__gte=timezone.now() - timedelta(days=days), kind__in=RULED_KINDS
    ).exclude(status=InvoiceStatus.PENDING)
    corrections = Invoice.objects.filter(corrects=OuterRef("pk"), status=InvoiceStatus.APPROVED)
    rows = generated.filter(comparison__isnull=False).annotate(
        position=matched_rule(rules, client, decided=True),
        needs_person=person_needed(client),
        was_rebilled=Exists(corrections.filter(kind=InvoiceKind.REBILL)),
        was_credited=Exists(corrections.filter(kind=InvoiceKind.CREDIT_MEMO)),
    )
    columns = rows.order_by().values_list("position", "needs_person", "status", "was_rebilled", "was_credited")
    counts: dict[int | None, Counter[str]] = {rule.position: Counter() for rule in rules} | {None: Counter()}
    automatic = {rule.position for rule in rules if rule.approves_after_hours is not None}
    for position, needs_person, status, rebilled, credited in columns.iterator(ROWS_AT_ONCE):
        by_itself = position in automatic and not needs_person
        counts[position].update(_counted(by_itself, status, rebilled=rebilled, credited=credited))
    tried = [TriedRule(rule, **counts[rule.position]) for rule in rules]
    issued_at_once = generated.filter(comparison__isnull=True, status__in=ISSUED_STATUSES)
    return Trial(days, [*tried, TriedRule(None, **counts[None])], issued_at_once.count())


def _counted(by_itself: bool, status: str, *, rebilled: bool, credited: bool) -> list[str]:
    """Return the columns that count a document."""
    if not by_itself:
        return ["documents"]
    found = ["documents", "by_itself"]
    if rebilled:
        return [*found, "rebilled"]
    if status == InvoiceStatus.VOIDED:
        return [*found, "voided"]
    if status == InvoiceStatus.DISCARDED:
        return [*found, "discarded"]
    return [*found, "credited"] if credited else found
