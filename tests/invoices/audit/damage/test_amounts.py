"""Totals add up, and amounts are whole."""

import pytest

from tests.support.audits.names import LINE_NUMBERS, TOTALS, WHOLE_UNITS
from tests.support.audits.planting import AFTER_FEB, CREDIT, DOCUMENT, LINE, OFFICE_FEB, PENDING, PLAIN_JAN, TAX, check_found

DAMAGES = [
    (
        TOTALS,
        [DOCUMENT.format("net_amount = net_amount - 1", "pending")],
        PENDING + ": net 39 and tax 4 do not add up to the total 44",
    ),
    (TOTALS, [TAX.format("amount = 3.01", "plain_jan")], PLAIN_JAN + ": its tax details add up to 3.01, but its tax is 3"),
    (
        LINE_NUMBERS,
        [LINE.format("line_no = 7", "plain_jan", 2)],
        PLAIN_JAN + ": its lines are numbered 1, 7",
    ),
    (LINE_NUMBERS, [LINE.format("line_type = 2", "plain_jan", 1)], PLAIN_JAN + ": it has no charge line"),
    (
        WHOLE_UNITS,
        [LINE.format("amount = 30.005", "plain_jan", 1)],
        PLAIN_JAN + ": line 1 of 30.005 is not a valid amount in usd",
    ),
    (
        WHOLE_UNITS,
        [TAX.format("amount = 99.5", "yen_advance")],
        "invoice {yen_advance} (INV-000007) of account {yen}: tax on line 1 of 99.5 is not a valid amount in jpy",
    ),
    (
        WHOLE_UNITS,
        CREDIT.format("amount = 2.995", "office_feb", 19, 1),
        OFFICE_FEB + ": a credit of line 19 on line 1 of 2.995 is not a valid amount in usd",
    ),
    (
        WHOLE_UNITS,
        LINE.format("base_amount = 2180.665", "office_feb", 19),
        OFFICE_FEB + ": the base of line 19 of 2180.665 is not a valid amount in usd",
    ),
    (
        WHOLE_UNITS,
        TAX.format("taxable_amount = 0.001", "plain_jan"),
        PLAIN_JAN + ": a taxable amount on line 1 of 0.001 is not a valid amount in usd",
    ),
    (
        WHOLE_UNITS,
        DOCUMENT.format("net_amount = 0.001", "plain_jan"),
        PLAIN_JAN + ": a net of 0.001 is not a valid amount in usd",
    ),
    (
        WHOLE_UNITS,
        DOCUMENT.format("tax_amount = 0.001", "plain_jan"),
        PLAIN_JAN + ": a tax of 0.001 is not a valid amount in usd",
    ),
    (
        WHOLE_UNITS,
        DOCUMENT.format("total_amount = 1000.001", "plain_jan"),
        PLAIN_JAN + ": a total of 1000.001 is not a valid amount in usd",
    ),
]

WIDER = [
    (
        TOTALS,
        [DOCUMENT.format("total_amount = total_amount + 1", "pending")],
        PENDING + ": its lines add up to 44, but its total is 45",
    ),
    (
        LINE_NUMBERS,
        ["DELETE FROM invoices_invoiceline WHERE invoice_id = {after_feb} AND line_type <> 2"],
        AFTER_FEB + ": it has no charge line",
    ),
]


@pytest.mark.parametrize(("audit", "sql", "finding"), DAMAGES)
def test_damage_is_found_and_named_once(world, audit, sql, finding):
    check_found(world, audit, sql, finding, alone=True)


@pytest.mark.parametrize(("audit", "sql", "finding"), WIDER)
def test_damage_that_shows_in_several_places_is_found_and_named(world, audit, sql, finding):
    check_found(world, audit, sql, finding)
