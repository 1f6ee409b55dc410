"""Two documents of a chain beside each other, line by line."""

from decimal import Decimal as D

import pytest

from rebills.plan.differences import compared, tax_differences, traced_lines
from tests.rebills.conftest import RATES
from tests.support.billing import JAN_10, JAN_31, bill
from tests.support.factories import a_plan, an_account
from tests.support.reading_pages import queries, words
from tests.support.rebilling import amounts_of, line, rebilled

pytestmark = pytest.mark.usefixtures("audited", "end_of_january")


@pytest.fixture
def chain(process, invoice):
    """The original, and three rebills, each of the one before."""
    first = rebilled(invoice, process, line(3, rate_per_unit="40.00"), 1, comments="the price agreed")
    number = first.lines.get(source_line_no=3).line_no
    second = rebilled(first, process, line(number, units="2"), reason_code=3)
    third = rebilled(second, process, line(1, rate_per_unit="45.00", comments="dearer again"))
    return invoice, first, second, third


def test_two_documents_of_a_chain_are_compared_line_by_line(page, chain):
    original, first, second, third = chain
    text = words(page.get(f"/invoices/{original.pk}/difference/{third.pk}/"))
    assert "1 Phone left out $33.00 – -$33.00" in text
    assert "3 Net units 1 → 2 , rate 50 → 45 , $50.00 → $90.00 “dearer again” $55.00 $99.00 +$44.00" in text
    assert "Before tax $100.00 $90.00 -$10.00" in text
    assert "Sales tax 10 % (US-CA) $10.00 $9.00 -$1.00" in text
    assert "Total $110.00 $99.00 -$11.00" in text
    assert "the price agreed" in text


def test_backwards_and_between_a_memo_and_a_rebill(page, chain):
    original, first, second, third = chain
    back = words(page.get(f"/invoices/{third.pk}/difference/{original.pk}/"))
    assert "1 Net units 2 → 1 , rate 45 → 50 , $90.00 → $50.00" in back
    assert "+ Phone added" in back
    across = words(page.get(f"/invoices/{first.memo_id}/difference/{second.pk}/"))
    assert "3 Net units none → 2 , rate none → 40 , -$50.00 → $80.00" in across


def test_documents_of_two_chains_are_not_compared(acme, page, process, chain):
    other = bill(an_account(acme, a_plan(acme, RATES)), process, JAN_10)
    assert page.get(f"/invoices/{chain[0].pk}/difference/{other.pk}/").status_code == 404


def test_a_difference_takes_as_many_queries_for_long_documents(acme, page, process):
    counts = []
    for number in (5, 50):
        invoice = bill(an_account(acme, a_plan(acme, {f"s{n}": "1.00" for n in range(number)})), process, JAN_10)
        rebill = rebilled(invoice, process, line(1, units="2"), carries_unlisted=True)
        page.get("/rebills/")
        counts.append(queries(lambda rebill=rebill: page.get(f"/invoices/{rebill.corrects_id}/difference/{rebill.pk}/")))
    assert counts[0] == counts[1]


def test_a_document_beside_itself_has_no_difference(chain):
    from invoices.services.documents.document_storage import stored_contents

    original, *others = chain
    contents = stored_contents([original.pk, *(one.pk for one in others)])
    itself = contents[original.pk]
    rows_ = compared(itself, itself, traced_lines(contents, original.pk, original.pk), {})
    assert [(row.changed, row.difference.total) for row in rows_] == [((), 0)] * 3
    assert [tax.difference for tax in tax_differences(itself, itself)] == [0]
    assert amounts_of(others[0]) == [D(30), D(40), D(7)] and others[0].invoice_date == JAN_31
