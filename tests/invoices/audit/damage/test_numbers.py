"""What approval gives: numbers, dates, and who approved."""

import pytest

from tests.support.audits.names import APPROVED, DATES, DUE_DATES, NUMBERS, PRINTED, SERIES
from tests.support.audits.planting import DISCARDED, DOCUMENT, PENDING, PLAIN_FEB, PLAIN_JAN, REMOVE, check_found

CHECKED = "invoices_invoice", "a_number_from_approval_on"

DAMAGES = [
    (NUMBERS, REMOVE, "client {acme}, series invoice, invoice {yen_advance}: number 6 is missing before number 7"),
    (
        NUMBERS,
        [DOCUMENT.format("number = 99", "paused_mar")],
        "client {acme}, series invoice, invoice {paused_mar}: numbers 8 to 98 are missing before number 99",
    ),
    (
        SERIES,
        ["UPDATE invoices_numberseries SET last_number = 12 WHERE client_id = {acme}"],
        "client {acme}, series invoice: is at 12, but its highest number is 8",
    ),
    (
        SERIES,
        ["DELETE FROM invoices_numberseries WHERE client_id = {acme}"],
        "client {acme}, series invoice: is at no number, but its highest number is 8",
    ),
    (
        PRINTED,
        ["DROP INDEX one_document_per_printed_number", DOCUMENT.format("document_number = 'INV-000001'", "plain_feb")],
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
]

WIDER = [
    (
        DATES,
        [DOCUMENT.format("invoice_date = '2026-01-09'", "plain_feb")],
        "client {acme}, invoice {plain_feb}: INV-000006 is dated 2026-01-09, but INV-000005 is dated 2026-01-10",
    ),
    (
        NUMBERS,
        ["DROP INDEX one_document_per_number", DOCUMENT.format("number = 1", "mixed_jan")],
        "client {acme}, series invoice, invoice {mixed_jan}: number 1 is used twice, or is below 1",
    ),
    (
        APPROVED,
        [DOCUMENT.format("number_year = 2025", "plain_jan")],
        PLAIN_JAN + ": has a number of 2025, but its invoice date is 2026-01-10",
    ),
    (
        SERIES,
        ["UPDATE invoices_numberseries SET year = 2026, last_of_year = 3 WHERE client_id = {acme}"],
        "client {acme}, series invoice of 2026: is at 3, but its highest number is 0",
    ),
]

CHECKS = [
    (CHECKED, DOCUMENT.format("number = 9", "pending"), APPROVED, PENDING + ": is pending, but its number is 9"),
    (CHECKED, DOCUMENT.format("number = NULL", "plain_jan"), APPROVED, PLAIN_JAN + ": is approved, but has no number"),
    (CHECKED, DOCUMENT.format("due_date = NULL", "plain_jan"), APPROVED, PLAIN_JAN + ": is approved, but has no due date"),
    (
        CHECKED,
        DOCUMENT.format("invoice_date = NULL", "plain_jan"),
        APPROVED,
        PLAIN_JAN + ": is approved, but has no invoice date",
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
