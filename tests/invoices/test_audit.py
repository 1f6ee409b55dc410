"""The audit: silent over what the services wrote, and each kind of damage, planted by plain SQL, found and named."""

import threading
from datetime import date
from decimal import Decimal as D
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.models import Account, Contact, PlanCharge, PlanInstance, Service, ServiceLocation
from accounts.rates import RateTerms
from accounts.receipts import claim_for
from accounts.services import add_price
from invoices.audit import run_audits
from invoices.audit.snapshot import one_moment
from invoices.models import Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.generating import generate_invoice
from invoices.services.pending import approve_invoices, discard_invoices
from invoices.services.runs import continue_run, start_run
from tests.factories import ClientFactory, ServiceFactory, TaxRateFactory, a_plan, an_account, an_instance

JAN_10, FEB_10, MAR_10 = date(2026, 1, 10), date(2026, 2, 10), date(2026, 3, 10)
PROCESS = Caller(process="test")

NUMBERS = "Document numbers run from 1 without a hole or a repeat"
SERIES = "Number series stand at the last number they gave"
PRINTED = "No two documents of a client print the same number"
APPROVED = "Approved documents are numbered and dated, and no others"
TOTALS = "Totals are the sums of lines and taxes"
LINE_NUMBERS = "Lines are numbered from 1, and one of them charges"
LINE_AMOUNTS = "Line amounts are rate x units x proration factor"
TAX_LINES = "Tax lines are the sums of their details"
TAX_DETAILS = "Tax details tie a tax line to a charge"
WHOLE_UNITS = "Amounts are in whole smallest units of the currency"
WITHIN = "Lines lie within the billed periods of their documents"
DUE_DATES = "Due dates follow the payment terms"
UNMOVED = "Approved documents are as they were when approved"
ACTS = "The trail tells how each document came to be what it is"
ONE_DOCUMENT = "One pending document an account, one live document a bill date"
CONSECUTIVE = "No day of a plan instance is billed twice or left out"
BILLED_THROUGH = "Plan instances are billed through their last approved period"
NEWEST = "Accounts have the bill day and last bill date of their newest cycle"
NEXT = "Accounts are due next when their plan instances are"
BELONGING = "Documents and all they name belong to one account and client"
CATALOGUE = "Plan instances and prices belong to their account's client"
CURRENCIES = "An account and all its documents and plans have one currency"
EVENTS = "Events name documents that are on file"
RECEIPTS = "Receipts name invoices of their client"
RUNS = "Billing runs tell what came of each account"


def generate(account, day, **options):
    request = BillingRequest(day, advance=options.pop("advance", False), force_pending=options.pop("pending", False))
    return generate_invoice(client=account.client, account_no=account.pk, request=request, caller=PROCESS, **options)


@pytest.fixture
def world(acme, umbra, alice):
    """Two clients with documents of every kind, by the services: the numbers of rows, by the names that SQL below uses."""
    for client in (acme, umbra):
        TaxRateFactory(client=client)
    plain, mixed, yen, _dinar, paused, barred = (
        an_account(acme, client_acct_id="A-plain"),
        an_account(acme, client_acct_id="A-mixed"),
        an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy"),
        an_account(acme, a_plan(acme, {"phone": "10.005"}, currency="kwd"), currency="kwd"),
        an_account(acme, client_acct_id="A-paused"),
        an_account(acme, is_test=True),
    )
    ServiceFactory(client=acme, client_service_id="tv", tax_inclusive=True)
    an_instance(mixed, a_plan(acme, {"line": "90.00"}, billing_interval=3), JAN_10)
    own_price_plan = a_plan(acme, {"tv": "12.00"})
    tv = an_instance(mixed, own_price_plan, JAN_10, prices={own_price_plan.charges.get(): RateTerms("usd", D("11.00"))})
    run = start_run(client=acme, today=JAN_10, caller=PROCESS)
    continue_run(run, caller=PROCESS)
    plain_feb = generate(plain, FEB_10, pending=True)
    approve_invoices(client=acme, invoice_nos=[plain_feb], caller=alice, today=FEB_10)
    discarded = generate(mixed, FEB_10, pending=True)
    discard_invoices(client=acme, invoice_nos=[discarded], caller=alice)
    pending = generate(mixed, FEB_10, pending=True)
    yen_advance = generate(yen, JAN_10, advance=True, claim=claim_for("R-1", "gen_invoice", {"acct_no": yen.pk}))
    plan_charge = PlanCharge.objects.get(plan__instances__account=paused)
    PlanCharge.objects.filter(pk=plan_charge.pk).delete()
    assert generate(paused, FEB_10) is None
    plan_charge.save(force_insert=True)
    add_price(plan_charge, RateTerms("usd", D(30)))
    paused_mar = generate(paused, MAR_10)
    waiting, approved = an_account(umbra, client_acct_id="A-waiting"), an_account(umbra)
    umbra_pending, umbra_approved = generate(waiting, JAN_10), generate(approved, JAN_10)
    approve_invoices(client=umbra, invoice_nos=[umbra_approved], caller=alice, today=JAN_10)
    first = {account.pk: Invoice.objects.filter(account=account).earliest("pk").pk for account in (plain, mixed, yen, paused)}
    instance = {one.account_id: one.pk for one in PlanInstance.objects.order_by("-pk")}
    return SimpleNamespace(
        acme=acme.pk,
        umbra=umbra.pk,
        plain=plain.pk,
        mixed=mixed.pk,
        yen=yen.pk,
        paused=paused.pk,
        barred=barred.pk,
        waiting=waiting.pk,
        approved=approved.pk,
        plain_jan=first[plain.pk],
        mixed_jan=first[mixed.pk],
        yen_jan=first[yen.pk],
        paused_jan=first[paused.pk],
        plain_feb=plain_feb,
        discarded=discarded,
        pending=pending,
        yen_advance=yen_advance,
        paused_mar=paused_mar,
        umbra_pending=umbra_pending,
        umbra_approved=umbra_approved,
        plain_instance=instance[plain.pk],
        mixed_instance=instance[mixed.pk],
        paused_instance=instance[paused.pk],
        waiting_instance=instance[waiting.pk],
        tv_instance=tv.pk,
        plain_plan=plain.plan_instances.get().plan_id,
        umbra_plan=waiting.plan_instances.get().plan_id,
        yen_plan=yen.plan_instances.get().plan_id,
        tv_plan=own_price_plan.pk,
        plain_charge=plain.plan_instances.get().plan.charges.get().pk,
        umbra_service=Service.objects.get(client=umbra).pk,
        plain_contact=Contact.objects.get(account=plain).pk,
        mixed_contact=Contact.objects.get(account=mixed).pk,
        umbra_location=ServiceLocation.objects.create(client=umbra, client_service_location_id="HQ").pk,
        run=run.pk,
        alice=alice.identity,
    )


def plant(sql, world):
    """Runs statements against the database. What guards it there is put aside first where the damage would be refused."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Checks that wait for the commit would bar the way of DROP and ALTER.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in sql:
            cursor.execute(statement.format(**vars(world)))


@pytest.fixture
def without_checks():
    """Puts CHECK constraints of a table aside until the end of the test."""

    def put_aside(table, constraint):
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
            else:
                cursor.execute("PRAGMA ignore_check_constraints = 1")

    yield put_aside
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA ignore_check_constraints = 0")


def findings(client=None):
    return {report.name: report.findings for report in run_audits(client) if report.findings}


def test_a_clean_world_has_no_findings_and_every_row_is_counted(world):
    assert findings() == {}
    assert {report.name: report.rows for report in run_audits()} == {
        NUMBERS: 9,
        SERIES: 2,
        PRINTED: 9,
        APPROVED: 12,
        TOTALS: 12,
        LINE_NUMBERS: 31,
        LINE_AMOUNTS: 31,
        TAX_LINES: 15,
        TAX_DETAILS: 16,
        WHOLE_UNITS: 99,
        WITHIN: 31,
        DUE_DATES: 12,
        UNMOVED: 9,
        ACTS: 12,
        ONE_DOCUMENT: 11,
        CONSECUTIVE: 14,
        BILLED_THROUGH: 10,
        NEWEST: 8,
        NEXT: 8,
        BELONGING: 59,
        CATALOGUE: 21,
        CURRENCIES: 13,
        EVENTS: 15,
        RECEIPTS: 1,
        RUNS: 6,
    }


DOCUMENT = "UPDATE invoices_invoice SET {} WHERE id = {{{}}}"
LINE = "UPDATE invoices_invoiceline SET {} WHERE invoice_id = {{{}}} AND line_no = {}"
TAX = "UPDATE invoices_taxdetail SET {} WHERE invoice_id = {{{}}}"
PERIOD = "UPDATE invoices_billedperiod SET {} WHERE invoice_id = {{{}}} AND plan_instance_id = {{{}}}"
INSTANCE = "UPDATE accounts_planinstance SET {} WHERE id = {{{}}}"
ACCOUNT = "UPDATE accounts_account SET {} WHERE id = {{{}}}"
OUTCOME = "UPDATE invoices_runoutcome SET {} WHERE account_id = {{{}}}"
REMOVE = [
    f"DELETE FROM invoices_{table} WHERE {column} = {{plain_feb}}"
    for table, column in (
        ("taxdetail", "invoice_id"),
        ("invoiceline", "invoice_id"),
        ("billedperiod", "invoice_id"),
        ("invoice", "id"),
    )
]
REVIVE = [
    "DROP INDEX one_pending_invoice_per_account",
    "DROP INDEX one_live_invoice_per_bill_date",
    DOCUMENT.format("status = 'pending'", "discarded"),
]
# Of the invoice that is pending and of those that are approved, as findings name them.
PENDING = "invoice {pending} of account {mixed}"
PLAIN_JAN = "invoice {plain_jan} (INV-000001) of account {plain}"
PLAIN_FEB = "invoice {plain_feb} (INV-000006) of account {plain}"
DISCARDED = "invoice {discarded} of account {mixed}"
MIXED_JAN = "invoice {mixed_jan} (INV-000002) of account {mixed}"

DAMAGES = [
    # Numbers
    (NUMBERS, REMOVE, "client {acme}, series invoice, invoice {yen_advance}: number 6 is missing before number 7"),
    (
        NUMBERS,
        [DOCUMENT.format("number = 99", "paused_mar")],
        "client {acme}, series invoice, invoice {paused_mar}: numbers 8 to 98 are missing before number 99",
    ),
    (
        NUMBERS,
        ["DROP INDEX one_document_per_number", DOCUMENT.format("number = 1", "mixed_jan")],
        "client {acme}, series invoice, invoice {mixed_jan}: number 1 is there twice, or below 1",
    ),
    (
        SERIES,
        ["UPDATE invoices_numberseries SET last_number = 12 WHERE client_id = {acme}"],
        "client {acme}, series invoice: stands at 12, but its highest number is 8",
    ),
    (
        SERIES,
        ["DELETE FROM invoices_numberseries WHERE client_id = {acme}"],
        "client {acme}, series invoice: stands at no number, but its highest number is 8",
    ),
    (
        PRINTED,
        [DOCUMENT.format("document_number = 'INV-000001'", "plain_feb")],
        "client {acme}: 2 documents are numbered INV-000001, from invoice {plain_jan} to invoice {plain_feb}",
    ),
    (
        APPROVED,
        [DOCUMENT.format("document_number = ''", "plain_jan")],
        "invoice {plain_jan} of account {plain}: is approved, but has no document number",
    ),
    (APPROVED, [DOCUMENT.format("fingerprint = ''", "plain_jan")], PLAIN_JAN + ": is approved, but has no fingerprint"),
    (APPROVED, [DOCUMENT.format("series = ''", "plain_jan")], PLAIN_JAN + ": is approved, but has no series"),
    (APPROVED, [DOCUMENT.format("approved_by = ''", "plain_jan")], PLAIN_JAN + ": is approved, but has no approver"),
    (
        APPROVED,
        [DOCUMENT.format("approved_at = NULL", "plain_jan")],
        PLAIN_JAN + ": is approved, but has no moment of approval",
    ),
    (
        APPROVED,
        [DOCUMENT.format("invoice_date = '2026-02-11'", "pending")],
        PENDING + ": is pending, but its invoice date is 2026-02-11",
    ),
    (APPROVED, [DOCUMENT.format("fingerprint = 'x'", "discarded")], DISCARDED + ": is discarded, but its fingerprint is x"),
    (
        DUE_DATES,
        [DOCUMENT.format("due_date = '2026-03-01'", "plain_feb")],
        PLAIN_FEB + ": is due on 2026-03-01, but 14 days from its invoice date 2026-02-10 is 2026-02-24",
    ),
    # Amounts
    (
        TOTALS,
        [DOCUMENT.format("total_amount = total_amount + 1", "pending")],
        PENDING + ": its lines add up to 44, but its total is 45",
    ),
    (
        TOTALS,
        [DOCUMENT.format("net_amount = net_amount - 1", "pending")],
        PENDING + ": net 39 and tax 4 do not make the total 44",
    ),
    (TOTALS, [TAX.format("amount = 3.01", "plain_jan")], PLAIN_JAN + ": its tax details add up to 3.01, but its tax is 3"),
    (
        LINE_NUMBERS,
        [LINE.format("line_no = 7", "plain_jan", 2)],
        PLAIN_JAN + ": its lines are numbered 1, 7",
    ),
    (LINE_NUMBERS, [LINE.format("line_type = 2", "plain_jan", 1)], PLAIN_JAN + ": it has no charge line"),
    (
        LINE_AMOUNTS,
        [LINE.format("amount = 29.99", "plain_jan", 1)],
        PLAIN_JAN + ": line 1 is 29.99, which is not 30 for 1 units by factor 1",
    ),
    (
        LINE_AMOUNTS,
        [LINE.format("units = NULL", "plain_jan", 1)],
        PLAIN_JAN + ": line 1 is 30, which is not 30 for no units by factor 1",
    ),
    (
        LINE_AMOUNTS,
        [LINE.format("rate_per_unit = 9000000000, units = 90000000000", "plain_jan", 1)],
        PLAIN_JAN + ": line 1 is 30, which is not 9000000000 for 90000000000 units by factor 1",
    ),
    (TAX_LINES, [LINE.format("amount = 4", "plain_jan", 2)], PLAIN_JAN + ": tax line 2 is 4, but its details add 3"),
    (TAX_LINES, [LINE.format("amount = 1", "mixed_jan", 5)], MIXED_JAN + ": tax line 5 is 1, but its details add 0"),
    (
        TAX_LINES,
        ["DELETE FROM invoices_taxdetail WHERE invoice_id = {plain_jan}"],
        PLAIN_JAN + ": tax line 2 has no details",
    ),
    (
        TAX_DETAILS,
        [TAX.format("tax_line_no = 1", "plain_jan")],
        PLAIN_JAN + ": a tax detail names line 1 as its tax line, which is none",
    ),
    (
        TAX_DETAILS,
        [TAX.format("taxed_line_no = 9", "plain_jan")],
        PLAIN_JAN + ": a tax detail taxes line 9, which is no charge line",
    ),
    (
        WHOLE_UNITS,
        [LINE.format("amount = 30.005", "plain_jan", 1)],
        PLAIN_JAN + ": line 1 of 30.005 is no amount of usd",
    ),
    (
        WHOLE_UNITS,
        [TAX.format("amount = 99.5", "yen_advance")],
        "invoice {yen_advance} (INV-000007) of account {yen}: tax on line 1 of 99.5 is no amount of jpy",
    ),
    # What was approved
    (
        UNMOVED,
        [DOCUMENT.format("payment_terms_days = 90", "plain_jan")],
        PLAIN_JAN + ": is not as it was when it was approved, moved: terms",
    ),
    (
        UNMOVED,
        [DOCUMENT.format("seller = '{{}}'", "plain_jan")],
        PLAIN_JAN + ": is not as it was when it was approved, moved: parties",
    ),
    (
        UNMOVED,
        [LINE.format("description = 'Fax'", "plain_jan", 1)],
        PLAIN_JAN + ": is not as it was when it was approved, moved: lines",
    ),
    (
        UNMOVED,
        [TAX.format("percent = 11", "plain_feb")],
        PLAIN_FEB + ": is not as it was when it was approved, moved: taxes",
    ),
    (
        UNMOVED,
        [PERIOD.format("end_date = '2026-02-10'", "plain_jan", "plain_instance")],
        PLAIN_JAN + ": is not as it was when it was approved, moved: periods",
    ),
    # Trail
    (
        ACTS,
        ["DELETE FROM accounts_event WHERE invoice_no = {plain_jan}"],
        PLAIN_JAN + ": has no event of having been generated",
    ),
    (
        ACTS,
        ["DELETE FROM accounts_event WHERE act = 'invoice.approved' AND invoice_no = {plain_feb}"],
        PLAIN_FEB + ": is approved, but the trail has generated as pending, then: nothing",
    ),
    (
        ACTS,
        ["DELETE FROM accounts_event WHERE act = 'invoice.discarded'"],
        DISCARDED + ": is discarded, but the trail has generated as pending, then: nothing",
    ),
    (
        ACTS,
        ["UPDATE accounts_event SET act = 'invoice.approved', invoice_no = {plain_jan} WHERE act = 'invoice.discarded'"],
        PLAIN_JAN + ": is approved, but the trail has generated as approved, then: invoice.approved",
    ),
    (
        ACTS,
        [DOCUMENT.format("status = 'discarded'", "pending")],
        PENDING + ": is discarded, but the trail has generated as pending, then: nothing",
    ),
    (
        ACTS,
        [
            DOCUMENT.format("total_amount = 43, net_amount = 39", "pending"),
            LINE.format("amount = amount - 1", "pending", 1),
        ],
        PENDING + ": was generated with the total 44.00, but has 43",
    ),
    (
        ACTS,
        [DOCUMENT.format("approved_by = 'staff:0'", "plain_feb")],
        PLAIN_FEB + ": names staff:0 as who approved it, but it was {alice}",
    ),
    (
        ACTS,
        [DOCUMENT.format("generated_by = '{alice}'", "plain_feb")],
        PLAIN_FEB + ": names {alice} as who generated it, but it was process:test",
    ),
    (
        RECEIPTS,
        ["UPDATE accounts_receipt SET invoice_no = {umbra_approved}"],
        "receipt R-1 of client {acme}: names invoice {umbra_approved}, which the client does not have",
    ),
    (
        RECEIPTS,
        ["UPDATE accounts_receipt SET invoice_no = 0"],
        "receipt R-1 of client {acme}: names invoice 0, which the client does not have",
    ),
    # Billing runs
    (
        RUNS,
        [OUTCOME.format("invoice_id = {plain_feb}", "mixed")],
        "billing run {run}: account {mixed} was given invoice {plain_feb}, which is of account {plain}",
    ),
    (
        RUNS,
        [OUTCOME.format("account_id = {waiting}", "barred")],
        "billing run {run}: account {waiting} is of client {umbra}",
    ),
    (
        RUNS,
        [OUTCOME.format("result = 'waiting', error_code = 0", "barred")],
        "billing run {run}: is finished, but account {barred} still waits",
    ),
    (
        RUNS,
        [OUTCOME.format("error_code = 0", "barred")],
        "billing run {run}: account {barred} is refused, with invoice None and error 0",
    ),
    # Accounts and what they are billed
    (
        ONE_DOCUMENT,
        REVIVE,
        "account {mixed} (A-mixed): has 2 pending documents: invoice {discarded}, invoice {pending}",
    ),
    (ONE_DOCUMENT, REVIVE, "account {mixed} (A-mixed): has 2 live recurring documents of 2026-02-10"),
    (
        CONSECUTIVE,
        [PERIOD.format("start_date = '2026-02-09'", "plain_feb", "plain_instance")],
        "account {plain} (A-plain): plan instance {plain_instance}: the period of invoice {plain_feb}, 2026-02-09 to "
        "2026-03-09, overlaps that of invoice {plain_jan}, 2026-01-10 to 2026-02-09",
    ),
    (
        CONSECUTIVE,
        [PERIOD.format("start_date = '2026-02-12'", "pending", "tv_instance")],
        "account {mixed} (A-mixed): plan instance {tv_instance}: the period of invoice {pending}, 2026-02-12 to 2026-03-09, "
        "leaves out days after invoice {mixed_jan}, 2026-01-10 to 2026-02-09",
    ),
    (
        CONSECUTIVE,
        ["DELETE FROM accounts_event WHERE act = 'account.nothing_to_bill'"],
        "account {paused} (A-paused): plan instance {paused_instance}: the period of invoice {paused_mar}, "
        "2026-03-10 to 2026-04-09, leaves out days after invoice {paused_jan}, 2026-01-10 to 2026-02-09",
    ),
    (
        CONSECUTIVE,
        [PERIOD.format("end_date = '2026-01-01'", "umbra_pending", "waiting_instance")],
        "account {waiting} (A-waiting): plan instance {waiting_instance}: the period of invoice {umbra_pending}, "
        "2026-01-10 to 2026-01-01, ends before it begins",
    ),
    (
        WITHIN,
        [LINE.format("period_end = '2026-02-10'", "plain_jan", 1)],
        PLAIN_JAN + ": line 1 is for 2026-01-10 to 2026-02-10, outside the billed period 2026-01-10 to 2026-02-09",
    ),
    (
        WITHIN,
        ["DELETE FROM invoices_billedperiod WHERE invoice_id = {plain_jan}"],
        PLAIN_JAN + ": line 1 charges plan instance {plain_instance}, of which the document bills no period",
    ),
    (
        WITHIN,
        [DOCUMENT.format("period_end = '2026-02-10'", "plain_jan")],
        PLAIN_JAN + ": its period is 2026-01-10 to 2026-02-10, but its lines span 2026-01-10 to 2026-02-09",
    ),
    (
        BILLED_THROUGH,
        [INSTANCE.format("billed_through = '2026-04-09'", "plain_instance")],
        "account {plain} (A-plain): plan instance {plain_instance} is billed through 2026-04-09, but invoice {plain_feb} "
        "bills it to 2026-03-09",
    ),
    (
        BILLED_THROUGH,
        [INSTANCE.format("billed_through = NULL", "paused_instance")],
        "account {paused} (A-paused): plan instance {paused_instance} is billed through None, but invoice {paused_mar} "
        "bills it to 2026-04-09",
    ),
    (
        BILLED_THROUGH,
        [INSTANCE.format("billed_through = '2026-02-09'", "waiting_instance")],
        "account {waiting} (A-waiting): plan instance {waiting_instance} is billed through 2026-02-09, but pending invoice "
        "{umbra_pending} bills it from 2026-01-10",
    ),
    (
        NEWEST,
        [ACCOUNT.format("last_bill_date = NULL", "plain")],
        "account {plain} (A-plain): has the last bill date None, but its newest cycle is that of 2026-02-10",
    ),
    (
        NEWEST,
        [ACCOUNT.format("bill_day = 11", "plain")],
        "account {plain} (A-plain): has the bill day 11, but its newest invoice {plain_feb} has 10",
    ),
    (
        NEXT,
        [ACCOUNT.format("next_bill_date = '2026-04-10'", "plain")],
        "account {plain} (A-plain): has the next bill date 2026-04-10, but its plan instances are due on 2026-03-10",
    ),
    (
        NEXT,
        [INSTANCE.format("end_date = '2026-03-09'", "plain_instance")],
        "account {plain} (A-plain): has the next bill date 2026-03-10, but its plan instances are due on None",
    ),
    # What belongs together
    (
        BELONGING,
        [DOCUMENT.format("client_id = {umbra}", "pending")],
        "invoice {pending}: is of client {umbra}, but its account {mixed} is of client {acme}",
    ),
    (
        BELONGING,
        [LINE.format("service_id = {umbra_service}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names service {umbra_service}, which is not of the same client",
    ),
    (
        BELONGING,
        [LINE.format("plan_instance_id = {mixed_instance}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names plan instance {mixed_instance}, which is not of the same account",
    ),
    (
        BELONGING,
        [LINE.format("bill_to_contact_id = {mixed_contact}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names contact {mixed_contact}, which is not of the same account",
    ),
    (
        BELONGING,
        [LINE.format("ship_to_contact_id = {mixed_contact}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names contact {mixed_contact}, which is not of the same account",
    ),
    (
        BELONGING,
        [LINE.format("bill_from_location_id = {umbra_location}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names service location {umbra_location}, which is not of the same client",
    ),
    (
        BELONGING,
        [LINE.format("ship_from_location_id = {umbra_location}", "plain_jan", 1)],
        "invoice {plain_jan}: line 1 names service location {umbra_location}, which is not of the same client",
    ),
    (
        BELONGING,
        [PERIOD.format("plan_instance_id = {mixed_instance}", "plain_jan", "plain_instance")],
        "invoice {plain_jan}: bills plan instance {mixed_instance}, which is of account {mixed}",
    ),
    (
        CATALOGUE,
        [INSTANCE.format("plan_id = {umbra_plan}", "plain_instance")],
        "account {plain}: plan instance {plain_instance} has plan {umbra_plan} of client {umbra}",
    ),
    (
        CATALOGUE,
        ["UPDATE accounts_rateschedule SET charge_id = {plain_charge} WHERE plan_instance_id = {tv_instance}"],
        "account {mixed}: plan instance {tv_instance} has a price of plan {plain_plan}",
    ),
    (
        CATALOGUE,
        ["UPDATE accounts_plancharge SET service_id = {umbra_service} WHERE id = {plain_charge}"],
        "plan {plain_plan}: charges for service {umbra_service} of client {umbra}",
    ),
    (
        CURRENCIES,
        [DOCUMENT.format("currency = 'jpy'", "pending")],
        "invoice {pending}: is in jpy, but its account {mixed} is in usd",
    ),
    (
        CURRENCIES,
        ["UPDATE accounts_rateschedule SET currency = 'jpy' WHERE plan_instance_id = {tv_instance}"],
        "account {mixed}: is in usd, but plan instance {tv_instance} has a price of its own in jpy",
    ),
]


@pytest.mark.parametrize(("audit", "sql", "finding"), DAMAGES)
def test_it_finds_damage_and_names_where_it_is(world, audit, sql, finding):
    plant(sql, world)
    assert finding.format(**vars(world)) in findings()[audit]


CHECKED = "invoices_invoice", "a_number_from_approval_on"
OUTCOMES = "invoices_runoutcome", "run_outcome_has_an_invoice_when_invoiced"


@pytest.mark.parametrize(
    ("constraint", "sql", "audit", "finding"),
    [
        (CHECKED, DOCUMENT.format("number = 9", "pending"), APPROVED, PENDING + ": is pending, but its number is 9"),
        (CHECKED, DOCUMENT.format("number = NULL", "plain_jan"), APPROVED, PLAIN_JAN + ": is approved, but has no number"),
        (CHECKED, DOCUMENT.format("due_date = NULL", "plain_jan"), APPROVED, PLAIN_JAN + ": is approved, but has no due date"),
        (
            CHECKED,
            DOCUMENT.format("invoice_date = NULL", "plain_jan"),
            APPROVED,
            PLAIN_JAN + ": is approved, but has no invoice date",
        ),
        (
            OUTCOMES,
            OUTCOME.format("invoice_id = NULL", "plain"),
            RUNS,
            "billing run {run}: account {plain} is invoiced, with invoice None and error 0",
        ),
        (
            OUTCOMES,
            OUTCOME.format("result = 'nothing_to_bill'", "plain"),
            RUNS,
            "billing run {run}: account {plain} is nothing_to_bill, with invoice {plain_jan} and error 0",
        ),
        (
            ("accounts_account", "account_bill_day"),
            ACCOUNT.format("bill_day = 32", "plain"),
            NEXT,
            "account {plain} (A-plain): has the bill day 32",
        ),
    ],
)
def test_it_finds_what_the_databases_checks_would_have_refused(world, without_checks, constraint, sql, audit, finding):
    without_checks(*constraint)
    plant([sql], world)
    assert finding.format(**vars(world)) in findings()[audit]


def test_an_event_of_a_document_that_is_gone_names_it_and_a_refusal_may_name_one_that_never_was(world, acme, alice):
    (outcome,) = approve_invoices(client=acme, invoice_nos=[999_999], caller=alice, today=FEB_10)
    assert outcome.error is not None
    assert findings() == {}
    plant(REMOVE, world)
    assert [one.split(": ", 1)[1] for one in findings()[EVENTS]] == [
        f"{act} of invoice {world.plain_feb} of account {world.plain}, which is not on file"
        for act in ("invoice.generated", "invoice.approved")
    ]


def test_an_event_of_another_account_than_its_documents_is_found(world):
    plant(["UPDATE accounts_event SET account_id = {yen} WHERE act = 'invoice.discarded'"], world)
    (finding,) = findings()[EVENTS]
    assert finding.endswith(f"invoice.discarded of invoice {world.discarded} of account {world.yen}, which is not on file")


def test_one_client_is_audited_without_the_others(world, acme, umbra):
    plant([DOCUMENT.format("total_amount = 1", "umbra_pending")], world)
    assert findings(acme) == {}
    assert findings(umbra)[TOTALS] == [
        f"invoice {world.umbra_pending} of account {world.waiting}: its lines add up to 33, but its total is 1",
        f"invoice {world.umbra_pending} of account {world.waiting}: net 30 and tax 3 do not make the total 1",
    ]
    assert {report.name: report.rows for report in run_audits(umbra)}[APPROVED] == 2


def audit_command(**options):
    """What the command prints, and what it says when it exits with 1."""
    out = StringIO()
    try:
        call_command("audit", stdout=out, **options)
    except CommandError as error:
        assert error.returncode == 1
        return out.getvalue().splitlines(), str(error)
    return out.getvalue().splitlines(), None


def test_the_command_prints_rows_and_no_findings_and_succeeds(world):
    lines, error = audit_command()
    assert error is None
    assert [line.split("  ")[0] for line in lines[:-1]] == [report.name for report in run_audits()]
    assert lines[0].split() == [*NUMBERS.split(), "9", "rows", "0", "findings"]
    assert lines[-1].split() == ["25", "audits", "466", "rows", "0", "findings"]


def test_the_command_prints_each_finding_below_its_audit_and_fails(world):
    plant([DOCUMENT.format("net_amount = 1", "umbra_pending")], world)
    lines, error = audit_command()
    place = next(place for place, line in enumerate(lines) if line.startswith(TOTALS))
    assert lines[place].split()[-4:] == ["12", "rows", "1", "findings"]
    assert lines[place + 1] == (
        f"    invoice {world.umbra_pending} of account {world.waiting}: net 1 and tax 3 do not make the total 33"
    )
    assert lines[-1].split()[-2:] == ["1", "findings"]
    assert error == "The audit has 1 finding."
    assert audit_command(client=world.acme)[1] is None


def test_the_command_refuses_a_client_that_does_not_exist(db):
    assert audit_command(client=77) == ([], "There is no client 77.")


def test_as_many_queries_for_25_documents_as_for_5(acme):
    def bill(count):
        plan = a_plan(acme)
        for _ in range(count):
            generate(an_account(acme, plan), JAN_10)
        with CaptureQueriesContext(connection) as queries:
            assert findings() == {}
        return len(queries)

    assert bill(5) == bill(20)
    assert Invoice.objects.count() == 25


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_reads_one_moment_and_leaves_the_connection_free():
    account = an_account(ClientFactory())
    generate(account, JAN_10)
    assert findings() == {}
    assert not connection.in_atomic_block
    assert generate(account, FEB_10)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="an in-memory SQLite database has one connection")
def test_what_is_billed_meanwhile_is_not_seen():
    account = an_account(ClientFactory())

    def bill():
        generate(account, JAN_10)
        connections.close_all()

    with one_moment():
        assert Account.objects.count() == 1
        other = threading.Thread(target=bill)
        other.start()
        other.join(timeout=30)
        assert not Invoice.objects.exists()
    assert Invoice.objects.count() == 1
