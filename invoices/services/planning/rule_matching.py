"""Find the approval rule that decides about a pending document, and check an approval against it.

The rules are those of the version that is on. The first rule whose conditions all apply decides. A document to which no rule
applies is approved by one person with the right to approve.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib.auth.models import Group
from django.db.models import Case, DateTimeField, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When

from accounts.callers import Caller
from accounts.models import Client
from accounts.models.tags import tagged
from accounts.staff import works_for
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO
from invoices.fingerprints import fingerprint
from invoices.kinds import Flag, InvoiceKind, InvoiceStatus
from invoices.models import Adjustment, ApprovalRule, DocumentVersion, GivenApproval, Invoice, InvoiceLine, StandIn
from invoices.services.documents.approval_rules import needs_another_person
from invoices.services.documents.document_storage import stored_contents
from invoices.services.planning.flags import NEVER, any_of, flag_rules

AUTOMATIC = Caller(process="approval rules")
"""Who approves where a rule lets documents approve by themselves."""

TRIED_AGAIN = (ErrorCode.IN_PROGRESS, ErrorCode.NO_AUTOMATIC_APPROVAL, ErrorCode.NOT_PENDING)
"""Refusals of an automatic approval that say nothing about the document: it is approved a little later, or somebody has decided
on it. They are not recorded, because each pass may meet them again."""


class Ruled(NamedTuple):
    """The rule that decides about a pending document. `approves_at` is None if it does not approve by itself.

    `needs_person`: four eyes apply to it, or it was adjusted, so it never approves by itself.
    """

    rule: ApprovalRule
    approves_at: datetime | None
    needs_person: bool
    stopped_at: datetime | None
    stopped_by: str
    reason: str
    escalated_at: datetime | None

    @property
    def version(self) -> int:
        return self.rule.rules.version

    @property
    def is_automatic(self) -> bool:
        return self.approves_at is not None and self.stopped_at is None


def rules_on(client: Client) -> list[ApprovalRule]:
    """Return the rules of the version that is on, in their order. One query."""
    rows = ApprovalRule.objects.filter(rules__client=client, rules__is_on=True)
    return list(rows.select_related("rules", "plan").order_by("position"))


def matched_rule(rules: Iterable[ApprovalRule], client: Client, *, decided: bool = False) -> Case:
    """Return the column with the position of the first rule that applies to a document, null if none does.

    `decided` is for documents that are no longer pending: they are not out of date.
    """
    flags = flag_rules(client)
    if decided:
        flags[Flag.OUT_OF_DATE] = NEVER
    cases = [When(_condition(rule, flags), then=Value(rule.position)) for rule in rules]
    return Case(*cases, default=None, output_field=IntegerField())


def _condition(rule: ApprovalRule, flags: Mapping[Flag, Q]) -> Q:
    applies = Q(kind__in=rule.kinds.split(",")) if rule.kinds else ~Q(kind=InvoiceKind.REBILL)
    if rule.is_clean is not None:
        flagged = any_of(flags.values())
        applies &= ~flagged if rule.is_clean else flagged
    if rule.flags:
        applies &= any_of(flags[Flag(flag)] for flag in rule.flags.split(","))
    if rule.is_zero:
        applies &= Q(total_amount=ZERO) & ~_original_total(gt=ZERO)
    if rule.currency:
        applies &= Q(currency=rule.currency)
    if rule.total_above is not None:
        applies &= Q(total_amount__gt=rule.total_above) | _original_total(gt=rule.total_above)
    if rule.total_below is not None:
        applies &= Q(total_amount__lt=rule.total_below) & ~_original_total(gte=rule.total_below)
    if rule.change_below_percent is not None:
        limit = rule.change_below_percent
        small = Q(comparison__change_percent__gt=-limit, comparison__change_percent__lt=limit)
        applies &= small | Q(comparison__change_percent=None, comparison__change_amount=ZERO)
    if rule.account_days is not None:
        applies &= Q(account__created_at__lte=F("generated_at") - timedelta(days=rule.account_days))
    if rule.tag:
        applies &= tagged(rule.tag, "account__tags")
    if rule.plan_id is not None:
        applies &= Q(Exists(InvoiceLine.objects.filter(invoice=OuterRef("pk"), plan_instance__plan=rule.plan_id)))
    return applies


def _original_total(**limit: Decimal) -> Q:
    """Select rebills of documents with such a total. The total of a rebill is the larger one of both, as for four eyes."""
    return Q(kind=InvoiceKind.REBILL, **{f"corrects__total_amount__{compared}": amount for compared, amount in limit.items()})


def with_rules(rows: QuerySet[Any, Any], rules: Sequence[ApprovalRule], client: Client) -> QuerySet[Any, Any]:
    """Annotate pending documents with `rule_position`, `needs_person` and `made_at`, and read what has happened to them under
    rules. A document that was recalculated was made when its newest version was."""
    newest = DocumentVersion.objects.filter(invoice=OuterRef("pk")).order_by("-version_no").values("made_at")[:1]
    annotated: QuerySet[Any, Any] = rows.select_related("approval_progress").annotate(
        rule_position=matched_rule(rules, client),
        needs_person=person_needed(client),
        made_at=Case(When(version__gt=1, then=Subquery(newest)), default=F("generated_at"), output_field=DateTimeField()),
    )
    return annotated


def person_needed(client: Client) -> Case:
    """Return the column that is 1 for a document that cannot approve by itself, because four eyes apply to it or it was
    adjusted, else 0."""
    adjusted = Q(Exists(Adjustment.objects.filter(invoice=OuterRef("pk"))))
    return Case(When(needs_another_person(client) | adjusted, then=Value(1)), default=Value(0), output_field=IntegerField())


def ruled_documents(client: Client, invoice_nos: Collection[int]) -> dict[int, Ruled]:
    """Return the rule of each pending document that has one, by number. No query without documents, one without rules, else
    two."""
    rules = rules_on(client) if invoice_nos else []
    if not rules:
        return {}
    pending = Invoice.objects.filter(pk__in=invoice_nos, status=InvoiceStatus.PENDING)
    by_position = {rule.position: rule for rule in rules}
    found = with_rules(pending, rules, client).filter(rule_position__isnull=False)
    return {one.pk: ruled_of(one, by_position[one.rule_position]) for one in found}


def ruled_of(invoice: Any, rule: ApprovalRule) -> Ruled:
    """Return what a rule says of a document that was read by `with_rules`."""
    progress = getattr(invoice, "approval_progress", None)
    approves_at = None
    if rule.approves_after_hours is not None and not invoice.needs_person:
        since = max(invoice.made_at, rule.rules.switched_at or invoice.made_at)
        approves_at = since + timedelta(hours=rule.approves_after_hours)
    return Ruled(
        rule,
        approves_at,
        bool(invoice.needs_person),
        progress.stopped_at if progress else None,
        progress.stopped_by if progress else "",
        progress.reason if progress else "",
        progress.escalated_at if progress else None,
    )


def roles_of(client: Client, caller: Caller, today: date) -> frozenset[str]:
    """Return the roles of a member of staff, those that they stand in for on the day included. A key has none.

    Who has lost the access to the client lends no role."""
    if caller.staff is None:
        return frozenset()
    away = StandIn.objects.filter(client=client, stand_in=caller.staff, first_day__lte=today, last_day__gte=today)
    lending = away.filter(works_for(client, "person__"))
    groups = Group.objects.filter(Q(user=caller.staff.pk) | Q(user__in=lending.values("person")))
    return frozenset(groups.values_list("name", flat=True))


def roles_for(ruled: Mapping[int, Ruled], client: Client, caller: Caller, today: date) -> frozenset[str]:
    """Return the roles of a caller, if a rule of these documents asks for one. At most one query."""
    return roles_of(client, caller, today) if any(one.rule.role for one in ruled.values()) else frozenset()


def check_role(ruled: Ruled | None, roles: Collection[str]) -> None:
    """Refuse (90250) an approval by a person without the role that the document's rule asks for."""
    if ruled is not None and ruled.rule.role and ruled.rule.role not in roles:
        detail = Detail(
            "rule {rule} of version {version} asks for the role {role}",
            rule=ruled.rule.name,
            version=ruled.version,
            role=ruled.rule.role,
        )
        raise BillingError(ErrorCode.ROLE_NEEDED, detail)


def check_by_itself(ruled: Ruled | None, at: datetime) -> None:
    """Refuse (90253) that a document approves by itself now: no rule says so any more, it was stopped, or its time has not
    come."""
    if ruled is None or not ruled.is_automatic or ruled.approves_at is None or ruled.approves_at > at:
        raise BillingError(ErrorCode.NO_AUTOMATIC_APPROVAL)


def given_approvals(invoice_nos: Collection[int]) -> dict[int, list[GivenApproval]]:
    """Return the approvals that count for documents as they are now, by number and in order."""
    given: dict[int, list[GivenApproval]] = defaultdict(list)
    for one in GivenApproval.objects.filter(invoice__in=invoice_nos).order_by("pk"):
        given[one.invoice_id].append(one)
    contents = stored_contents(list(given)) if given else {}
    marks = {number: fingerprint(content) for number, content in contents.items()}
    return {number: [one for one in mine if one.fingerprint == marks[number]] for number, mine in given.items()}
