"""Proves that the stored rows keep the rules that the documents promise. Writes nothing, and adds up every total again.

The audits of documents and of accounts are small functions that are shown one subject at a time and say in words what is wrong
with it; a pass shows each subject to all of them, so that every row is read once. Where the database can find the rows that
break a rule by itself, a rule is a query.
"""

from accounts.models import Client
from invoices.audit import (
    accounts,
    amounts,
    bases,
    belonging,
    claims,
    credits,
    fingerprints,
    ledger,
    limits,
    memos,
    numbers,
    periods,
    plans,
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
from invoices.audit.rules import Counts, RuleAudit, proven
from invoices.audit.snapshot import one_moment
from invoices.audit.stored_documents import of_bills, of_cycles, stored_documents

__all__ = ["AuditReport", "run_audits"]

DOCUMENT_AUDITS = (
    Audit("Approved documents are numbered and dated, and no others", numbers.numbered_when_approved),
    Audit("Totals are the sums of lines and taxes", amounts.totals),
    Audit("Lines are numbered from 1, and one of them charges", of_bills(amounts.line_numbers), rows=amounts.count_lines),
    Audit("Line amounts are rate x units x proration factor", of_bills(rates.line_amounts), rows=rates.count_lines),
    Audit("Units lie in the bands that price them", of_cycles(rates.bands), rows=rates.count_bands),
    Audit("Percent lines are so much of what they are counted on", of_bills(rates.percents), rows=rates.count_percents),
    Audit("Charges amount to what they were counted from", of_bills(bases.bases), rows=bases.count_bases),
    Audit("All that lines take off is spread over charges", of_bills(credits.credit_lines), rows=credits.count_credit_lines),
    Audit("No charge is credited beyond its amount", of_bills(credits.credit_details), rows=credits.count_credits),
    Audit("Tax lines are the sums of their details", taxes.tax_lines, rows=taxes.count_tax_lines),
    Audit("Tax details tie a tax line to a charge", of_bills(taxes.tax_details), rows=taxes.count_taxes),
    Audit("Taxes are counted on what credits leave", of_bills(taxes.taxable_amounts), rows=taxes.count_taxes),
    Audit("Taxes are counted from what their document says", taxes.tax_basis, rows=taxes.count_bases),
    Audit("No tax is taken where the document says that there is none", taxes.tax_answers, rows=taxes.count_answers),
    Audit("Taxes of the tax table are rounded once", taxes.percents, rows=taxes.count_percents),
    Audit("Amounts are in whole smallest units of the currency", amounts.whole_units, rows=amounts.count_amounts),
    Audit("Lines lie within the billed periods of their documents", of_cycles(periods.lines_within), rows=amounts.count_lines),
    Audit("Usage, arrears and orders wait for the bill date", periods.ahead_of_their_date),
    Audit("Documents hold the usage that they bill", of_cycles(claims.usage), rows=claims.count_usage),
    Audit("Documents hold the orders that they bill", of_cycles(claims.orders), rows=claims.count_orders),
    Audit("Coupons and credits are used by the lines that show them", of_bills(claims.uses), rows=claims.count_uses),
    Audit("Lines that give unused days back say of what", claims.unused_days, rows=claims.count_unused_days),
    Audit("Due dates follow the payment terms, or the original's of a rebill", numbers.due_dates),
    Audit("Approved documents are as they were when approved", fingerprints.unmoved, rows=fingerprints.count_approved),
    Audit("Credit memos credit lines of the document that they correct", memos.memo_lines, rows=memos.count_memo_lines),
    Audit("The trail tells how each document came to be what it is", trail.acts),
)

ACCOUNT_AUDITS = (
    Audit(
        "One pending document an account, one live document a bill date", accounts.one_document, rows=accounts.count_documents
    ),
    Audit("No day of a plan instance is billed twice or left out", periods.consecutive, rows=periods.count_periods),
    Audit("No day of a plan instance is charged in arrears twice", periods.arrears, rows=periods.count_arrears),
    Audit("What voided invoices billed is billed again, or due again", periods.voided, rows=periods.count_voided),
    Audit(
        "Plan instances are billed through their last approved period", accounts.billed_through, rows=accounts.count_instances
    ),
    Audit("Accounts have the bill day and last bill date of their newest cycle", accounts.newest_cycle),
    Audit("Arrears are due from the newest recurring cycle", accounts.arrears_due_from),
    Audit("Accounts are due next when their plan instances are", accounts.next_bill_dates),
)

RULE_AUDITS = (
    RuleAudit("Documents and all they name belong to one account and client", belonging.DOCUMENTS),
    RuleAudit("Usage and orders are billed to their own account", belonging.WAITING),
    RuleAudit("Coupons and credits are used by their own account", belonging.CREDITS),
    RuleAudit("Plan instances and prices belong to their account's client", belonging.CATALOGUE),
    RuleAudit("Prices have one rate, or bands that begin at 0", prices.PRICES),
    RuleAudit("An account and all its documents and plans have one currency", belonging.CURRENCIES),
    RuleAudit("Plans that were taken off are billed by no live line", plans.TAKEN_OFF),
    RuleAudit("Unused days are given back of what charged them", unused_days.RULES),
    RuleAudit("Credit memos correct issued documents of their account", memos.RULES),
    RuleAudit("A rebill ties its original, and a memo that is its exact negative", rebills.REBILLS),
    RuleAudit("Nothing is paid, collected or held by what was rebilled", rebills.REBILLED),
    RuleAudit("Issued documents are in the ledger, once, and no others", ledger.IN_LEDGER),
    RuleAudit("A void is the opposite of what it voids", ledger.VOIDS),
    RuleAudit("What pays a debt is of its account, and of its invoice", ledger.PAID),
    RuleAudit("Payments and refunds are in the ledger as what they are", ledger.PAYMENTS),
    RuleAudit("Attempts have collected what their payments say", ledger.ATTEMPTS),
    RuleAudit("Credits, refunds and voids have a reason", ledger.REASONS),
    RuleAudit("The trail tells of each transaction", ledger.TRAIL),
    RuleAudit("Acts of two people made what was asked for", requested_acts.RULES),
    RuleAudit("Events name documents that are on file", trail.EVENTS),
    RuleAudit("Receipts name invoices of their client", trail.RECEIPTS),
    RuleAudit("Billing runs tell what came of each account", trail.RUNS),
)

NUMBER_AUDITS = (numbers.gapless, numbers.series_counters, numbers.unique_document_numbers, numbers.dates_follow_numbers)
LIMIT_AUDITS = (
    limits.service_credits,
    limits.coupon_cycles,
    limits.coupon_redemptions,
    memos.lines_credited,
    memos.taxes_credited,
    memos.taken_off_invoices,
    unused_days.given_back,
    rebills.paid_originals,
    bases.late_usage,
    ledger.allocations,
)


def run_audits(client: Client | None = None) -> list[AuditReport]:
    """What each audit has checked and found, over one client's rows or over all."""
    counts: Counts = {}
    with one_moment():
        return [
            *(audit(client) for audit in NUMBER_AUDITS),
            *audited(stored_documents(client), DOCUMENT_AUDITS),
            *audited(account_histories(client), ACCOUNT_AUDITS),
            *(audit(client) for audit in LIMIT_AUDITS),
            *ledger.balances(client),
            *(proven(audit, client, counts) for audit in RULE_AUDITS),
        ]
