"""Damage the data by plain SQL, and check what the audit reports."""

from decimal import Decimal

from django.db import connection

from accounts.models import Client
from billing_site.common.exact_decimals import sortable_text
from invoices.audit import (
    ACCOUNT_AUDITS,
    ACCOUNTS_LIMIT_AUDITS,
    DOCUMENT_AUDITS,
    NUMBER_AUDITS,
    RULE_AUDITS,
    SHARED_LIMIT_AUDITS,
    WHOLE_AUDITS,
    parts,
    run_audits,
    seals,
)
from invoices.audit.account_histories import account_histories
from invoices.audit.reports import audited, merged
from invoices.audit.rules import prove
from invoices.audit.scopes import Scope
from invoices.audit.stored_documents import stored_documents


def plant(sql, world):
    """Run statements, each of which must affect a row. They drop constraints first that would refuse the damage."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Checks deferred to the commit would block DROP and ALTER.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in [sql] if isinstance(sql, str) else sql:
            cursor.execute(statement.format(**vars(world), **_units()))
            assert cursor.rowcount != 0, statement


def _units():
    """Return numbers of units as the database stores them: `{unit_50}` is 50."""
    on_sqlite = connection.vendor == "sqlite"
    return {f"unit_{number}": f"'{sortable_text(Decimal(number))}'" if on_sqlite else str(number) for number in (0, 1, 50)}


def findings(client=None):
    return {report.name: report.findings for report in run_audits(client) if report.findings}


def findings_of(name):
    """What the rule of this name finds, for all clients. The other rules are not tried: all of them take a second."""
    if name == parts.NAME:
        return parts.parts_without_document(None).findings
    reports = merged(report for client in Client.objects.order_by("pk") for report in _reports(name, Scope(client)))
    (report,) = [report for report in reports if report.name == name]
    return report.findings


def _reports(name, scope):
    """The reports of the few rules that are tried together with the one of this name."""
    if name in {audit.name for audit in DOCUMENT_AUDITS}:
        return audited("documents", stored_documents(scope), [audit for audit in DOCUMENT_AUDITS if audit.name == name])
    if name in {audit.name for audit in ACCOUNT_AUDITS}:
        return audited("accounts", account_histories(scope), [audit for audit in ACCOUNT_AUDITS if audit.name == name])
    if name in {audit.name for audit in RULE_AUDITS}:
        return prove([audit for audit in RULE_AUDITS if audit.name == name], scope)
    if name == seals.ROWS:
        return [seals.sealed_rows(scope.client, None)]
    for group in (NUMBER_AUDITS, SHARED_LIMIT_AUDITS, WHOLE_AUDITS, ACCOUNTS_LIMIT_AUDITS):
        reports = [audit(scope) for audit in group]
        if name in {report.name for report in reports}:
            return reports
    return run_audits(scope.client)


def check_found(world, audit, sql, finding, *, alone=False):
    """Check that the audit finds the damage with exactly this text and, with `alone`, finds nothing else."""
    plant(sql, world)
    found, expected = findings_of(audit), finding.format(**vars(world))
    assert found == [expected] if alone else expected in found


DOCUMENT = "UPDATE invoices_invoice SET {} WHERE id = {{{}}}"
LINE = "UPDATE invoices_invoiceline SET {} WHERE invoice_id = {{{}}} AND line_no = {}"
TAX = "UPDATE invoices_taxdetail SET {} WHERE invoice_id = {{{}}}"
CREDIT = "UPDATE invoices_creditdetail SET {} WHERE invoice_id = {{{}}} AND credit_line_no = {} AND credited_line_no = {}"
PERIOD = "UPDATE invoices_billedperiod SET {} WHERE invoice_id = {{{}}} AND plan_instance_id = {{{}}}"
INSTANCE = "UPDATE accounts_planinstance SET {} WHERE id = {{{}}}"
ACCOUNT = "UPDATE accounts_account SET {} WHERE id = {{{}}}"
OUTCOME = "UPDATE invoices_runoutcome SET {} WHERE account_id = {{{}}}"
USAGE = "UPDATE invoices_usage SET {} WHERE record_id = '{}'"
ORDER = "UPDATE invoices_onetimecharge SET {} WHERE id = {{{}}}"
PRICE = "UPDATE accounts_rateschedule SET {} WHERE id = {{{}}}"
REMOVE = [
    f"DELETE FROM invoices_{table} WHERE {column} = {{plain_feb}}"
    for table, column in (
        ("ledgerentry", "invoice_id"),
        ("taxdetail", "invoice_id"),
        ("invoiceline", "invoice_id"),
        ("billedperiod", "invoice_id"),
        ("comparison", "invoice_id"),
        ("documentfile", "invoice_id"),
        ("invoice", "id"),
    )
]

# Pending, discarded and approved invoices, as findings name them.
PENDING = "invoice {pending} of account {mixed}"
DISCARDED = "invoice {discarded} of account {mixed}"
PLAIN_JAN = "invoice {plain_jan} (INV-000001) of account {plain}"
PLAIN_FEB = "invoice {plain_feb} (INV-000006) of account {plain}"
MIXED_JAN = "invoice {mixed_jan} (INV-000002) of account {mixed}"
OFFICE_FEB = "invoice {office_feb} (INV-000004) of account {office}"
OFFICE_MAR = "invoice {office_mar} (INV-000006) of account {office}"
AHEAD_FEB = "invoice {ahead_feb} (INV-000005) of account {ahead}"
EARLY_FEB = "invoice {early_feb} (INV-000009) of account {early}"
AFTER_FEB = "invoice {after_feb} (INV-000007) of account {after}"
HELD_FEB = "invoice {held_feb} of account {held}"
THROWN_AWAY = "invoice {thrown_away} of account {office}"
