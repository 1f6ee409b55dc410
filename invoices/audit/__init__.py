"""Check that stored rows keep the rules of the product. Nothing is written, and every total is added up again.

Each audit of a document or an account is a small function. It gets one subject and yields a text for each violation. All
subjects are read once, and each is passed to all of these functions. A rule that SQL can check is a query instead (`rules`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction

from accounts.models import Client
from invoices.audit import (
    accounts,
    amounts,
    bases,
    belonging,
    claims,
    credits,
    files,
    histories,
    ledger,
    limits,
    memos,
    numbers,
    parts,
    periods,
    prices,
    privacy,
    rates,
    rebills,
    requested_acts,
    seals,
    statements,
    taxes,
    trail,
    unused_days,
    versions,
)
from invoices.audit.account_histories import account_histories
from invoices.audit.reports import Audit, AuditReport, Progress, audited, merged, quiet, seldom_collecting, tried
from invoices.audit.rules import RuleAudit, prove
from invoices.audit.scopes import Scope
from invoices.audit.stored_documents import of_bills, of_cycles, stored_documents

__all__ = ["AuditReport", "run_audits"]

DOCUMENT_AUDITS = (
    Audit("Approved documents are numbered and dated, and no others", numbers.numbered_when_approved),
    Audit("Totals are the sums of lines and taxes", amounts.totals),
    Audit("Lines are numbered from 1, and at least one is a charge", of_bills(amounts.line_numbers), rows=amounts.count_lines),
    Audit("Line amounts are rate x units x proration factor", of_bills(rates.line_amounts), rows=rates.count_lines),
    Audit("Units are in the bands that price them", of_cycles(rates.bands), rows=rates.count_bands),
    Audit("Percent lines are their percent of their base amount", of_bills(rates.percents), rows=rates.count_percents),
    Audit("Charges amount to what their stored prices and units say", of_bills(bases.bases), rows=bases.count_bases),
    Audit(
        "Every credit line is spread completely over charges", of_bills(credits.credit_lines), rows=credits.count_credit_lines
    ),
    Audit("No charge is credited beyond its amount", of_bills(credits.credit_details), rows=credits.count_credits),
    Audit("Tax lines are the sums of their details", taxes.tax_lines, rows=taxes.count_tax_lines),
    Audit("Tax details connect a tax line with a charge", of_bills(taxes.tax_details), rows=taxes.count_taxes),
    Audit("Taxes are calculated on charges less credits", of_bills(taxes.taxable_amounts), rows=taxes.count_taxes),
    Audit("Taxes are calculated from the data stored on their document", taxes.tax_basis, rows=taxes.count_bases),
    Audit("No tax is charged on lines without a tax rate or for exempt customers", taxes.tax_answers, rows=taxes.count_answers),
    Audit("Taxes of the tax table are rounded once", taxes.percents, rows=taxes.count_percents),
    Audit("Amounts have no more decimals than their currency", amounts.whole_units, rows=amounts.count_amounts),
    Audit("Lines are within the billed periods of their documents", of_cycles(periods.lines_within), rows=amounts.count_lines),
    Audit("Usage, arrears and orders are not billed before the bill date", periods.ahead_of_their_date),
    Audit("Documents hold the usage that they bill", of_cycles(claims.usage), rows=claims.count_usage),
    Audit("Documents hold the orders that they bill", of_cycles(claims.orders), rows=claims.count_orders),
    Audit("Coupons and credits are used by the lines that show them", of_bills(claims.uses), rows=claims.count_uses),
    Audit("Lines that credit unused days name the line that charged them", claims.unused_days, rows=claims.count_unused_days),
    Audit("Due dates follow the payment terms, or the original's of a rebill", numbers.due_dates),
    Audit("Approved documents have not changed since approval", numbers.unchanged, rows=numbers.count_approved),
    Audit("Changed documents are as their newest version says", versions.newest_version, rows=versions.count_versions),
    Audit("Credit memos credit lines of the document that they correct", memos.memo_lines, rows=memos.count_memo_lines),
    Audit("The audit trail has the events of each document", trail.acts),
)

ACCOUNT_AUDITS = (
    Audit(
        "One pending document per account, one live document per bill date",
        accounts.one_document,
        rows=accounts.count_documents,
    ),
    Audit("No day of a plan instance is billed twice or left out", periods.consecutive, rows=periods.count_periods),
    Audit("No day of a plan instance is charged in arrears twice", periods.arrears, rows=periods.count_arrears),
    Audit("Periods of voided invoices are billed again or due again", periods.voided, rows=periods.count_voided),
    Audit(
        "Plan instances are billed through their last approved period", accounts.billed_through, rows=accounts.count_instances
    ),
    Audit("Accounts have the bill day and last bill date of their newest cycle", accounts.newest_cycle),
    Audit("Arrears are due from the newest recurring cycle", accounts.arrears_due_from),
    Audit("The next bill date of an account is the earliest of its plans", accounts.next_bill_dates),
)

RULE_AUDITS = (
    RuleAudit("Documents and their records belong to one account and client", belonging.DOCUMENTS),
    RuleAudit("Usage and orders are billed to their own account", belonging.USAGE_AND_ORDERS),
    RuleAudit("Coupons and credits are used by their own account", belonging.CREDITS),
    RuleAudit("Plan instances and prices belong to their account's client", belonging.CATALOGUE),
    RuleAudit("Prices have one rate, or bands that start at 0", prices.PRICES),
    RuleAudit("An account and all its documents and plans have one currency", belonging.CURRENCIES),
    RuleAudit("Removed plans are not billed by any live line", accounts.REMOVED_PLANS),
    RuleAudit("Unused days are credited on the line that charged them", unused_days.RULES),
    RuleAudit("Credit memos correct issued documents of their account", memos.RULES),
    RuleAudit("The memo of a rebill is the exact negative of its original", rebills.REBILLS),
    RuleAudit("Rebilled documents hold no collections, coupons or credits", rebills.REBILLED),
    RuleAudit("Issued documents are in the ledger, once, and no others", ledger.IN_LEDGER),
    RuleAudit("A void is the exact negative of the voided transaction", ledger.VOIDS),
    RuleAudit("Debits are paid by credits of the same account and invoice", ledger.PAID),
    RuleAudit("Payments and refunds have the right entries in the ledger", ledger.PAYMENTS),
    RuleAudit("Collection attempts and their payments have the same amount", ledger.ATTEMPTS),
    RuleAudit("Credits, refunds and voids have a reason", ledger.REASONS),
    RuleAudit("The audit trail has an event of each transaction", ledger.TRAIL),
    RuleAudit("Acts approved by a second person did what was requested", requested_acts.RULES),
    RuleAudit("Only issued documents have files", files.RULES),
    RuleAudit("Events name documents that exist", trail.EVENTS),
    RuleAudit("Receipts name invoices of their client", trail.RECEIPTS),
    RuleAudit("Billing runs have the outcome of each account", trail.RUNS),
    RuleAudit("Statements say when they were sent, and with which result", statements.RULES),
)

NUMBER_AUDITS = (
    numbers.gapless,
    numbers.unique_document_numbers,
    numbers.dates_follow_numbers,
    numbers.times_follow_numbers,
)
ACCOUNTS_LIMIT_AUDITS = (
    limits.service_credits,
    limits.coupon_cycles,
    memos.lines_credited,
    memos.taxes_credited,
    memos.credited_invoices,
    unused_days.given_back,
    rebills.paid_originals,
    bases.late_usage,
    ledger.allocations,
    ledger.open_amounts,
)
"""Rules of the rows of one account: they can be tried for some accounts."""
SHARED_LIMIT_AUDITS = (limits.coupon_redemptions, files.stored_files)
WHOLE_AUDITS = (numbers.series_counters, ledger.sums_of_days, privacy.blanked_rows, histories.versions)
"""Rules that need all rows of a client, however few have changed."""


def run_audits(client: Client | None = None, progress: Progress = quiet) -> list[AuditReport]:
    """Run all audits over one client's rows, or over those of one client after the other. Returns one report per audit, always
    in the same order.

    Whatever is stored, it ends: a rule that fails is a finding.
    """
    reports = [report for one in _clients(client) for report in _of_client(one, progress)]
    return merged([*reports, *tried(lambda: [parts.parts_without_document(client)], parts.NAME)])


def _clients(client: Client | None) -> "list[Client | None]":
    """Return whose rows are audited. Without any client, the audits still have their reports."""
    return [client] if client is not None else list(Client.objects.order_by("pk")) or [None]


def _of_client(client: Client | None, progress: Progress) -> list[AuditReport]:
    if client is not None:
        progress(f"client {client.pk}")
    scope = Scope(client)
    with one_moment(), seldom_collecting():
        return [
            *_each(NUMBER_AUDITS, scope),
            *_of_accounts(scope, progress),
            *_each(SHARED_LIMIT_AUDITS, scope),
            *_each(WHOLE_AUDITS, scope),
            *_seals(client),
        ]


def _of_accounts(scope: Scope, progress: Progress) -> list[AuditReport]:
    return [
        *audited("documents", stored_documents(scope), DOCUMENT_AUDITS, progress),
        *audited("accounts", account_histories(scope), ACCOUNT_AUDITS, progress),
        *_each(ACCOUNTS_LIMIT_AUDITS, scope),
        *tried(lambda: ledger.balances(scope), "ledger.balances"),
        *prove(RULE_AUDITS, scope),
    ]


def audit_changed(client: Client | None, since: datetime, progress: Progress = quiet) -> list[AuditReport]:
    """Run the audits over what has changed since a moment, of one client or of all: the accounts with an event, a transaction,
    an allocation, an attempt, a refund, a statement or a version since then, and of these the documents with an event; the
    numbers given since then; receipts, runs and files; and the rows that were sealed since then.

    It finds nothing that was changed in an older row without any of that. The rules that it does not try at all are those of
    `whole_only`.
    """
    return merged(report for one in _clients(client) for report in _changed(one, since, progress))


def _changed(client: Client | None, since: datetime, progress: Progress) -> list[AuditReport]:
    scope = Scope(client, since)
    with one_moment(), seldom_collecting():
        return [
            *_each(NUMBER_AUDITS, scope),
            *(report for part in scope.parts() for report in _of_accounts(part, progress)),
            *_each(SHARED_LIMIT_AUDITS, scope),
            *prove(RULE_AUDITS, scope),
            *_seals(client, since),
        ]


def whole_only() -> list[str]:
    """Return the names of the rules that only a whole audit tries."""
    return [*(" ".join(str(audit.__doc__).partition(".")[0].split()) for audit in WHOLE_AUDITS), parts.NAME]


def _each(audits: Sequence[Callable[[Scope], AuditReport]], scope: Scope) -> list[AuditReport]:
    return [report for audit in audits for report in _tried(audit, scope)]


def _tried(audit: Callable[[Scope], AuditReport], scope: Scope) -> list[AuditReport]:
    return tried(lambda: [audit(scope)], f"{audit.__module__.rpartition('.')[2]}.{audit.__name__}")


def _seals(client: Client | None, since: datetime | None = None) -> list[AuditReport]:
    if client is None:
        return [AuditReport(seals.ROWS, 0, []), AuditReport(seals.HEADS, 0, [])]
    rows = tried(lambda: [seals.sealed_rows(client, since)], seals.ROWS)
    return [*rows, *tried(lambda: [seals.heads(client, since)], seals.HEADS)]


@contextmanager
def one_moment() -> Iterator[None]:
    """Make all reads inside see the database as of one moment, so that a billing run at the same time causes no findings.

    It blocks nobody: it takes no lock on PostgreSQL, and on SQLite no write lock. Inside an open transaction it does nothing,
    and reads see what that transaction sees.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
