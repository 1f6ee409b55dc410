"""A fingerprint says which part of a document has moved; one of before rating still proves what was approved then."""

from datetime import date
from decimal import Decimal as D

import pytest

from invoices.fingerprints import LINE_FIELDS, PARTS, Content, fingerprint, moved_parts

# Taken of this content by the code as it was before lines had tiers and documents had credits.
BEFORE_RATING = (
    "e9bb52234ed31e9818b3e397fbe903c0.a33d0f242ff1f98e2510d908af291bb0.7f62be100ca5bf01044168359f8fc9c3."
    "4dbbed8db37eafe4ca7a3055fd6bc546.5823240bd05bf48ffcab604b47904689"
)
LINE = {
    "line_no": 1,
    "line_type": 1,
    "service_id": 5,
    "plan_instance_id": 6,
    "description": "Phone",
    "plan_name": "Basic",
    "gl_code": "4000",
    "tax_category": "standard",
    "units": D("1.0000"),
    "rate_per_unit": D("30.00"),
    "proration_factor": D(1),
    "proration_text": "",
    "amount": D("30.00"),
    "period_start": date(2026, 1, 10),
    "period_end": date(2026, 2, 9),
    "po_num": "PO",
    "bill_to_contact_id": 7,
    "ship_to_contact_id": 7,
    "explanation": "",
    "coupon_code": "",
}


def a_document(**line):
    return Content(
        terms=("recurring", "usd", D("30.00")),
        parties=(1, 2, {"name": "Acme"}, {"name": "Ada"}),
        lines=[tuple({**LINE, **line}.get(name) for name in LINE_FIELDS)],
        credits=[],
        taxes=[(2, 1, "Sales tax", 1, "US-CA", D(10), False, D(30), D(3))],
        periods=[(6, date(2026, 1, 10), date(2026, 2, 9))],
    )


MOVES = [
    ({"terms": ("recurring", "usd", D("30.01"))}, "terms"),
    ({"parties": (1, 2, {"name": "Acme"}, {"name": "Eve"})}, "parties"),
    ({"lines": a_document(amount=D("30.01")).lines}, "lines"),
    ({"taxes": []}, "taxes"),
    ({"periods": []}, "periods"),
]


@pytest.mark.parametrize(("change", "part"), [*MOVES, ({"credits": [(2, 1, D(1))]}, "credits")])
def test_a_part_that_has_moved_is_named(change, part):
    seen = fingerprint(a_document())
    assert moved_parts(seen, a_document()) == []
    assert moved_parts(seen, a_document()._replace(**change)) == [part]


@pytest.mark.parametrize(("change", "part"), MOVES)
def test_what_was_approved_before_rating_is_proven_by_its_own_fingerprint(change, part):
    assert moved_parts(BEFORE_RATING, a_document()) == []
    assert moved_parts(BEFORE_RATING, a_document()._replace(**change)) == [part]


@pytest.mark.parametrize("seen", ["", "x", "a.b.c", "." * 9])
def test_what_is_no_fingerprint_has_moved_in_all_parts(seen):
    assert moved_parts(seen, a_document()) == list(PARTS)
