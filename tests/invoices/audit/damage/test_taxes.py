"""Tax lines, their details, and what taxes are counted on."""

import pytest

from invoices.models import Invoice
from tests.support.audits.names import TAX_BASIS, TAX_DETAILS, TAX_LINES, TAX_PERCENTS, TAXABLE, UNMOVED
from tests.support.audits.planting import (
    CREDIT,
    LINE,
    MIXED_JAN,
    OFFICE_FEB,
    PLAIN_JAN,
    TAX,
    check_found,
    findings,
    findings_of,
    plant,
)

TAX_OF_LINE = "UPDATE invoices_taxdetail SET {} WHERE invoice_id = {{office_feb}} AND tax_line_no = {} AND taxed_line_no = {}"

DAMAGES = [
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
        PLAIN_JAN + ": a tax detail names line 1 as its tax line, but that is not a tax line",
    ),
    (
        TAX_DETAILS,
        [TAX.format("taxed_line_no = 9", "plain_jan")],
        PLAIN_JAN + ": a tax detail taxes line 9, which is not a charge line",
    ),
    (
        TAX_DETAILS,
        TAX_OF_LINE.format("taxed_line_no = 20", 23, 2),
        OFFICE_FEB + ": a tax detail taxes line 20, which is not a charge line",
    ),
    (
        TAX_DETAILS,
        TAX_OF_LINE.format("taxed_line_no = 8", 23, 2),
        OFFICE_FEB + ": a tax detail taxes line 8, which is not a charge line",
    ),
    (
        TAX_DETAILS,
        TAX_OF_LINE.format("taxed_line_no = 24", 23, 2),
        OFFICE_FEB + ": a tax detail taxes line 24, which is not a charge line",
    ),
    (
        TAX_DETAILS,
        TAX_OF_LINE.format("tax_line_no = 99", 23, 2),
        OFFICE_FEB + ": a tax detail names line 99 as its tax line, but that is not a tax line",
    ),
    (
        TAXABLE,
        TAX_OF_LINE.format("taxable_amount = 12", 23, 2),
        OFFICE_FEB + ": tax line 23 is calculated on 12 of line 2, but credits leave 10.68 of it",
    ),
    (
        TAXABLE,
        TAX_OF_LINE.format("taxable_amount = 118.24", 25, 12),
        OFFICE_FEB
        + ": tax line 25 is calculated on 118.24 of line 12, but credits leave 133.62 of it, of which 15.37 are taxes",
    ),
    (
        TAXABLE,
        TAX.format("taxable_amount = 29", "plain_jan"),
        PLAIN_JAN + ": tax line 2 is calculated on 29 of line 1, but credits leave 30 of it",
    ),
]

WIDER = [
    (
        TAXABLE,
        TAX_OF_LINE.format("amount = 11.81", 26, 12),
        OFFICE_FEB
        + ": tax line 25 is calculated on 118.25 of line 12, but credits leave 133.62 of it, of which 15.36 are taxes",
    ),
    (
        TAXABLE,
        TAX_OF_LINE.format("is_inclusive = false", 25, 12),
        OFFICE_FEB + ": tax line 25 is calculated on 118.25 of line 12, but credits leave 133.62 of it",
    ),
    (
        TAXABLE,
        CREDIT.format("amount = 6", "office_feb", 8, 7),
        OFFICE_FEB + ": tax line 23 is calculated on 4.45 of line 7, but credits leave 3.45 of it",
    ),
]


@pytest.mark.parametrize(("audit", "sql", "finding"), DAMAGES)
def test_damage_is_found_and_named_once(world, audit, sql, finding):
    check_found(world, audit, sql, finding, alone=True)


@pytest.mark.parametrize(("audit", "sql", "finding"), WIDER)
def test_damage_that_shows_in_several_places_is_found_and_named(world, audit, sql, finding):
    check_found(world, audit, sql, finding)


def with_basis(world, **said):
    """Plants what a document says its taxes were counted from."""
    invoice = Invoice.objects.get(pk=world.plain_jan)
    Invoice.objects.filter(pk=invoice.pk).update(tax_basis={**invoice.tax_basis, **said})


def test_a_contact_whose_address_was_not_kept_is_named(world):
    with_basis(world, contacts={})
    title = PLAIN_JAN.format(**vars(world))
    found = findings()
    assert found[TAX_BASIS] == [f"{title}: line 1 names contact {world.plain_contact}, whose address is not stored"]
    assert found[UNMOVED] == [f"{title}: has changed since it was approved: tax basis"]


def test_a_price_that_is_said_to_contain_tax_and_does_not_is_named(world):
    with_basis(world, gross_lines=[1])
    title = PLAIN_JAN.format(**vars(world))
    assert findings_of(TAX_BASIS) == [f"{title}: line 1 was priced with tax, but tax line 2 is added to its price"]


@pytest.mark.parametrize("engine", ["table", "", "another"])
def test_a_tax_that_is_not_its_percentage_is_named_of_the_tax_table_alone(world, engine):
    with_basis(world, engine=engine)
    plant([TAX.format("amount = 4", "plain_jan"), LINE.format("amount = 4", "plain_jan", 2)], world)
    title = PLAIN_JAN.format(**vars(world))
    expected = [f"{title}: tax line 2 takes 4, but 10 % of its lines is 3"] if engine == "table" else []
    assert findings_of(TAX_PERCENTS) == expected


def test_a_document_of_before_says_nothing_of_how_it_was_taxed(world):
    Invoice.objects.filter(pk=world.plain_jan).update(tax_basis=None)
    plant([TAX.format("amount = 4", "plain_jan"), LINE.format("amount = 4", "plain_jan", 2)], world)
    found = findings()
    assert TAX_BASIS not in found and TAX_PERCENTS not in found
