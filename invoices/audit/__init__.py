"""Check that stored rows keep the rules of the product. Nothing is written, and every total is added up again.

Each audit of a document or an account is a small function. It gets one subject and yields a text for each violation. All
subjects are read once, and each is passed to all of these functions. A rule that SQL can check is a query instead (`rules`).
"""

from collections.abc import Iterator
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
    ledger,
    limits,
    memos,
    numbers,
    periods,
    prices,
    rates,
    rebills,
    requested_acts,
    taxes,
    trail,
    unused_days,
)
from invoices.audit.account_histories import account_histories
from invoices.audit.reports import Audit, AuditReport, audited
from invoices.audit.rules import RuleAudit, prove
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
)

NUMBER_AUDITS = (numbers.gapless, numbers.series_counters, numbers.unique_document_numbers, numbers.dates_follow_numbers)
LIMIT_AUDITS = (
    limits.service_credits,
    limits.coupon_cycles,
    limits.coupon_redemptions,
    memos.lines_credited,
    memos.taxes_credited,
    memos.credited_invoices,
    unused_days.given_back,
    rebills.paid_originals,
    bases.late_usage,
    ledger.allocations,
    ledger.open_amounts,
    ledger.sums_of_days,
)


def run_audits(client: Client | None = None) -> list[AuditReport]:
    """Run all audits over one client's rows, or over all rows. Returns one report per audit, always in the same order."""
    with one_moment():
        return [
            *(audit(client) for audit in NUMBER_AUDITS),
            *audited(stored_documents(client), DOCUMENT_AUDITS),
            *audited(account_histories(client), ACCOUNT_AUDITS),
            *(audit(client) for audit in LIMIT_AUDITS),
            *ledger.balances(client),
            files.stored_files(client),
            *prove(RULE_AUDITS, client),
        ]


def audit_changed(client: Client | None, since: datetime) -> list[AuditReport]:
    """Run the audits of single documents over those of one client, or of all, that have an event since a moment.

    It finds nothing that was changed without an event, nor what is wrong between documents, in accounts, in the ledger or in
    number series: only `run_audits` does.
    """
    with one_moment():
        return audited(stored_documents(client, since), DOCUMENT_AUDITS)


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
