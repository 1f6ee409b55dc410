"""Check that unused days are credited once, on the line that charged them, and not beyond what was charged."""

from collections.abc import Iterator
from datetime import date

from django.db.models import Exists, F, Min, OuterRef, Q

from accounts.models import PlanInstance
from billing_site.common.currencies import currency_of
from invoices.audit.amounts import shown
from invoices.audit.reports import AuditReport
from invoices.audit.rules import Rule, differ
from invoices.audit.scopes import Scope, of_client
from invoices.calculation import ZERO
from invoices.kinds import LIVE_STATUSES
from invoices.models import InvoiceLine, UnusedCredit
from invoices.plan.unused import SourceLine, unused_value
from invoices.services.planning.charged_days import read_charged_days

CHARGED = InvoiceLine.objects.filter(
    invoice=OuterRef("source"),
    line_no=OuterRef("source_line_no"),
    plan_instance=OuterRef("plan_instance"),
    amount__gt=0,
    period_start__lte=OuterRef("first_day"),
    period_end__gte=OuterRef("last_day"),
)

RULES = (
    Rule(
        UnusedCredit,
        "invoice__client",
        ~Exists(CHARGED),
        "invoice {invoice_id}: line {line_no} credits {amount} for {first_day} to {last_day} of plan instance "
        "{plan_instance_id}, which line {source_line_no} of invoice {source_id} does not charge",
    ),
    Rule(
        UnusedCredit,
        "invoice__client",
        differ("invoice__account", "source__account"),
        "invoice {invoice_id}: credits unused days that invoice {source_id} of another account charged",
    ),
    Rule(
        PlanInstance,
        "account__client",
        Q(end_date=None) | Q(credited_from__lte=F("end_date")),
        "plan instance {pk}: unused days from {credited_from} are to be credited, but its last day is {end_date}",
        checked=Q(credited_from__isnull=False),
    ),
)


def given_back(scope: Scope) -> AuditReport:
    """Check that the credits of a line are between zero and the value of its unused days.

    A line that is no longer valid is not checked against that value: the next invoice charges what was credited on it.
    """
    rows = of_client(UnusedCredit, "invoice__client", scope)
    accounts = dict(rows.order_by().values_list("source__account_id", "source__currency").distinct())
    findings: list[str] = []
    for start in range(0, len(accounts), ACCOUNTS_AT_ONCE):
        chunk = sorted(accounts)[start : start + ACCOUNTS_AT_ONCE]
        for account_no, lines in sorted(read_charged_days(chunk).items()):
            first_days = _first_days(account_no)
            for line in lines:
                findings += _overcredited(line, first_days.get(line.plan_instance_no), accounts[account_no])
    return AuditReport("Unused days are credited once", rows.count(), findings)


def _first_days(account_no: int) -> dict[int, date]:
    """Return the first credited day of each plan instance of an account, over live documents."""
    rows = UnusedCredit.objects.filter(source__account=account_no, amount__gt=0, invoice__status__in=LIVE_STATUSES)
    return dict(rows.order_by().values_list("plan_instance_id").annotate(Min("first_day")))


def _overcredited(line: SourceLine, first_day: date | None, currency: str) -> Iterator[str]:
    value = unused_value(line._replace(credited_from=first_day), currency_of(currency))
    if line.given_back < ZERO or (line.is_in_force and line.given_back > value):
        yield (
            f"invoice {line.invoice_no}: line {line.line_no} charges {shown(value)} for its unused days, but "
            f"{shown(line.given_back)} is credited for them"
        )


ACCOUNTS_AT_ONCE = 500
