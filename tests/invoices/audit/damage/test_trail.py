"""Approved documents are unchanged, and the events explain them."""

import pytest
from django.db.models import BooleanField, CharField, DateField

from accounts.models import Client, Event
from invoices.fingerprints import FORMATS, newest
from invoices.models import BilledPeriod, CreditDetail, InvoiceLine, LineBasis, TaxDetail
from invoices.services.approving.acts import approve_invoices
from tests.support.audits.names import ACTS, EVENTS, PARTS, RECEIPTS, RUNS, UNMOVED
from tests.support.audits.planting import (
    CREDIT,
    DISCARDED,
    DOCUMENT,
    LINE,
    OFFICE_FEB,
    OUTCOME,
    PENDING,
    PERIOD,
    PLAIN_FEB,
    PLAIN_JAN,
    REMOVE,
    TAX,
    check_found,
    findings,
    findings_of,
    plant,
)
from tests.support.audits.world import FEB_10, PROCESS
from tests.support.outcomes import error_of

# Of columns that name other rows, ones that are on file.
OTHERS = {
    "service_id": "{sms_service}",
    "plan_instance_id": "{fibre_instance}",
    "bill_from_location_id": "{umbra_location}",
    "ship_from_location_id": "{umbra_location}",
    "bill_to_contact_id": "{plain_contact}",
    "ship_to_contact_id": "{plain_contact}",
}
OUTCOMES = "invoices_runoutcome", "run_outcome_has_an_invoice_when_invoiced"

DAMAGES = [
    (
        UNMOVED,
        [DOCUMENT.format("payment_terms_days = 90", "plain_jan")],
        PLAIN_JAN + ": has changed since it was approved: terms",
    ),
    (
        UNMOVED,
        [DOCUMENT.format("seller = '{{}}'", "plain_jan")],
        PLAIN_JAN + ": has changed since it was approved: parties",
    ),
    (
        UNMOVED,
        [LINE.format("description = 'Fax'", "plain_jan", 1)],
        PLAIN_JAN + ": has changed since it was approved: lines",
    ),
    (
        UNMOVED,
        [TAX.format("percent = 11", "plain_feb")],
        PLAIN_FEB + ": has changed since it was approved: taxes",
    ),
    (
        UNMOVED,
        [PERIOD.format("end_date = '2026-02-10'", "plain_jan", "plain_instance")],
        PLAIN_JAN + ": has changed since it was approved: periods",
    ),
    (
        ACTS,
        ["DELETE FROM accounts_event WHERE invoice_no = {plain_jan}"],
        PLAIN_JAN + ": has no event of its generation",
    ),
    (
        ACTS,
        ["DELETE FROM accounts_event WHERE act = 'invoice.discarded' AND invoice_no = {discarded}"],
        DISCARDED + ": is discarded, but the trail has generated as pending, then: nothing",
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
        ACTS,
        ["DELETE FROM accounts_event WHERE act = 'invoice.issued' AND invoice_no = {plain_feb}"],
        PLAIN_FEB + ": is approved, but has 0 events of having been issued",
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
    (
        RUNS,
        [OUTCOME.format("invoice_id = {plain_feb}", "mixed")],
        "billing run {run}: account {mixed} has invoice {plain_feb}, which is of account {plain}",
    ),
    (
        RUNS,
        [OUTCOME.format("account_id = {waiting}", "barred")],
        "billing run {run}: account {waiting} is of client {umbra}",
    ),
    (
        RUNS,
        [OUTCOME.format("result = 'waiting', error_code = 0", "barred")],
        "billing run {run}: has ended, but account {barred} is not billed yet",
    ),
    (
        RUNS,
        [OUTCOME.format("error_code = 0", "barred")],
        "billing run {run}: account {barred} is refused, with invoice None and error 0",
    ),
    (
        UNMOVED,
        CREDIT.format("amount = 3.01", "office_feb", 19, 1),
        OFFICE_FEB + ": has changed since it was approved: credits",
    ),
    (
        UNMOVED,
        "DELETE FROM invoices_creditdetail WHERE invoice_id = {office_feb} AND credit_line_no = 22",
        OFFICE_FEB + ": has changed since it was approved: credits",
    ),
    (
        ACTS,
        [DOCUMENT.format("generated_by = 'staff:0'", "umbra_approved")],
        "invoice {umbra_approved} (INV-000001) of account {approved}: names staff:0 as who generated it, but it "
        "was key:{umbra_key}",
    ),
]

WIDER = [
    (
        ACTS,
        ["DELETE FROM accounts_event WHERE act = 'invoice.approved' AND invoice_no = {plain_feb}"],
        PLAIN_FEB + ": is approved, but the trail has generated as pending, then: nothing",
    ),
    (
        ACTS,
        [
            "UPDATE accounts_event SET act = 'invoice.approved', invoice_no = {plain_jan} "
            "WHERE act = 'invoice.discarded' AND invoice_no = {discarded}"
        ],
        PLAIN_JAN + ": is approved, but the trail has generated as approved, then: invoice.approved",
    ),
    (
        ACTS,
        ["UPDATE accounts_event SET invoice_no = {plain_jan} WHERE act = 'invoice.issued' AND invoice_no = {plain_feb}"],
        PLAIN_JAN + ": is approved, but has 2 events of having been issued",
    ),
    (
        ACTS,
        ["UPDATE accounts_event SET invoice_no = {pending} WHERE act = 'invoice.issued' AND invoice_no = {plain_feb}"],
        PENDING + ": is pending, but has 1 events of having been issued",
    ),
]

CHECKS = [
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
]


@pytest.mark.parametrize(("audit", "sql", "finding"), DAMAGES)
def test_damage_is_found_and_named_once(world, audit, sql, finding):
    check_found(world, audit, sql, finding, alone=True)


@pytest.mark.parametrize(("audit", "sql", "finding"), WIDER)
def test_damage_that_shows_in_several_places_is_found_and_named(world, audit, sql, finding):
    check_found(world, audit, sql, finding)


@pytest.mark.parametrize(("constraint", "sql", "audit", "finding"), CHECKS)
def test_what_the_databases_checks_would_have_refused_is_found(world, without_checks, constraint, sql, audit, finding):
    without_checks(*constraint)
    check_found(world, audit, sql, finding)


@pytest.mark.parametrize("column", FORMATS[newest()].lines)
def test_no_column_of_an_approved_line_can_change_unseen(world, column):
    """Line 3 is usage in a band. Values that it lacks are set, values that it has are removed or changed."""
    field = InvoiceLine._meta.get_field(column.removesuffix("_id"))
    value = InvoiceLine.objects.values_list(column, flat=True).get(invoice=world.office_feb, line_no=3)
    other = OTHERS.get(column, "77" if value is None or isinstance(value, int) else "0.07")
    if isinstance(field, CharField):
        other = f"'{'moved'[: field.max_length]}'"
    elif isinstance(field, DateField):
        other = "'2026-01-01'"
    elif isinstance(field, BooleanField):
        other = "TRUE"
    check_found(
        world,
        UNMOVED,
        LINE.format(f"{column} = {other}", "office_feb", 3),
        OFFICE_FEB + ": has changed since it was approved: lines",
    )


def test_an_event_of_a_document_that_is_gone_names_it_and_a_refusal_may_name_one_that_never_was(world):
    client = Client.objects.get(pk=world.acme)
    (outcome,) = approve_invoices(client=client, invoice_nos=[999_999], caller=PROCESS, today=FEB_10)
    assert error_of(outcome) is not None
    assert findings() == {}
    plant(REMOVE, world)
    assert [one.split(": ", 1)[1] for one in findings_of(EVENTS)] == [
        f"{act} of invoice {world.plain_feb} of account {world.plain}, which does not exist"
        for act in ("invoice.generated", "invoice.approved", "invoice.issued")
    ]


@pytest.mark.parametrize("part", [InvoiceLine, CreditDetail, TaxDetail, BilledPeriod, LineBasis])
def test_a_part_of_a_document_that_does_not_exist_is_found(world, part):
    number = part.objects.order_by("pk").values_list("pk", flat=True).last()
    plant(f"UPDATE {part._meta.db_table} SET invoice_id = 999999 WHERE id = {number}", world)
    assert findings_of(PARTS) == [f"{part._meta.model_name} {number}: of invoice 999999, which does not exist"]


def test_documents_that_were_issued_before_the_first_event_of_an_issue_need_none(world):
    issues = Event.objects.filter(act="invoice.issued")
    first_two = sorted(issues.filter(client=world.acme).values_list("at", flat=True))[:2]
    issues.filter(client=world.acme, at__in=first_two).delete()
    assert findings() == {}
    issues.delete()
    assert findings() == {}


def test_an_event_of_another_account_than_its_documents_is_found(world):
    plant("UPDATE accounts_event SET account_id = {yen} WHERE act = 'invoice.discarded' AND invoice_no = {discarded}", world)
    (finding,) = findings_of(EVENTS)
    assert finding.endswith(f"invoice.discarded of invoice {world.discarded} of account {world.yen}, which does not exist")
