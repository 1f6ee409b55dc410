"""A fingerprint says which part of a document has moved; one of an older format still proves what was approved then."""

from dataclasses import replace
from decimal import Decimal as D

import pytest

from invoices.document import (
    CORRECTION_FIELDS,
    CREDIT_FIELDS,
    LINE_FIELDS,
    PARTY_FIELDS,
    PERIOD_FIELDS,
    TAX_FIELDS,
    TERM_FIELDS,
    Correction,
    Credit,
)
from invoices.fingerprints import FORMATS, changed_parts, fingerprint, newest
from invoices.tax_basis import TaxBasis
from invoices.tax_engines.protocol import TaxAddress
from tests.support.contents import PARTIES, a_document

PARTS = ["terms", "parties", "lines", "credits", "taxes", "periods"]
CREDITS = (Credit(credit_line_no=3, credited_line_no=1, amount=D("2.50")),)
CORRECTION = Correction(corrects_id=4, reason_code=1, comments="wrong rate")
CORRECTED = {"correction": CORRECTION, "line": {"source_line_no": 1}}
COMMENTED = {"correction": CORRECTION, "line": {"source_line_no": 1, "comments": "now 30"}}
PLACE = TaxAddress("address1", "city", "region", "postal_code", "country")
TAX_BASIS = TaxBasis("table", False, {7: PLACE}, {}, (1,))
WHOLE = {**COMMENTED, "credits": CREDITS, "tax_basis": TAX_BASIS}


# Taken of these documents by the code as it was before fingerprints began with their format.
TERMS_HASH = "3edc2bd02730b9392f5685a026d64d63"
TERMS_WITH_YEAR_HASH = "9f70aeb5f39b6fe9f0625df624a6b702"
PARTIES_HASH = "a33d0f242ff1f98e2510d908af291bb0"
LINES_HASH_BEFORE_RATING = "7f62be100ca5bf01044168359f8fc9c3"
LINES_HASH = "9d2053648b76bd5e6ff6397b34269ce1"
NO_CREDITS_HASH = "e3b0c44298fc1c149afbf4c8996fb924"
TAXES_AND_PERIODS = "4dbbed8db37eafe4ca7a3055fd6bc546.5823240bd05bf48ffcab604b47904689"
BEFORE_RATING = f"{TERMS_HASH}.{PARTIES_HASH}.{LINES_HASH_BEFORE_RATING}.{TAXES_AND_PERIODS}"
RATED = f"{TERMS_HASH}.{PARTIES_HASH}.{LINES_HASH}.{NO_CREDITS_HASH}.{TAXES_AND_PERIODS}"
WITH_CREDITS = f"{TERMS_HASH}.{PARTIES_HASH}.{LINES_HASH}.959db9de3c10a68c24bbf4f9867fc752.{TAXES_AND_PERIODS}"
OF_CORRECTION, OF_COMMENTED = "8a18e5951b97b76d697410ce8986f889", "ee52928c4949a348fad42ff7b37b1f14"
OF_TAX_BASIS = "a644ac0c397eb7e111be69820e83ac1e"
STORED = [
    (BEFORE_RATING, a_document()),
    (f"{BEFORE_RATING}.{OF_CORRECTION}", a_document(**CORRECTED)),
    (RATED, a_document()),
    (f"{RATED}.{OF_CORRECTION}", a_document(**CORRECTED)),
    (f"{RATED}.{OF_COMMENTED}", a_document(**COMMENTED)),
    (f"{RATED}.{OF_TAX_BASIS}", a_document(tax_basis=TAX_BASIS)),
    (
        f"{WITH_CREDITS}.{OF_COMMENTED}.{OF_TAX_BASIS}",
        a_document(**WHOLE),
    ),
    # With the years of numbers.
    (f"4:{TERMS_WITH_YEAR_HASH}.{RATED.partition('.')[2]}", a_document()),
    # The first format that begins with its number.
    (f"3:{RATED}", a_document()),
    (
        f"3:{WITH_CREDITS}.{OF_COMMENTED}.{OF_TAX_BASIS}",
        a_document(**WHOLE),
    ),
]
MOVES = [
    ({"terms": {"total_amount": D("33.01")}}, "terms"),
    ({"parties": replace(PARTIES, bill_to={"name": "Eve"})}, "parties"),
    ({"line": {"amount": D("30.01")}}, "lines"),
    ({"taxes": ()}, "taxes"),
    ({"periods": ()}, "periods"),
]


@pytest.mark.parametrize(("change", "part"), [*MOVES, ({"credits": CREDITS}, "credits")])
def test_a_part_that_has_moved_is_named(change, part):
    for seen in (fingerprint(a_document()), RATED):
        assert changed_parts(seen, a_document()) == []
        assert changed_parts(seen, a_document(**change)) == [part]


@pytest.mark.parametrize(("change", "part"), MOVES)
def test_what_was_approved_before_rating_is_proven_by_its_own_fingerprint(change, part):
    assert changed_parts(BEFORE_RATING, a_document()) == []
    assert changed_parts(BEFORE_RATING, a_document(**change)) == [part]


@pytest.mark.parametrize(("seen", "document"), STORED)
def test_fingerprints_that_were_stored_prove_their_documents(seen, document):
    assert changed_parts(seen, document) == []


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"correction": replace(CORRECTION, reason_code=2)}, "correction"),
        ({"line": {"source_line_no": 1}}, "correction"),
        ({"line": {"source_line_no": 2, "comments": "now 30"}}, "correction"),
        ({"tax_basis": TAX_BASIS._replace(contacts={7: PLACE._replace(city="Reno")})}, "tax basis"),
        ({"tax_basis": TAX_BASIS._replace(per_line=True)}, "tax basis"),
    ],
)
def test_what_a_document_corrects_and_where_it_was_taxed_are_parts_of_their_own(change, part):
    for seen in (f"{WITH_CREDITS}.{OF_COMMENTED}.{OF_TAX_BASIS}", fingerprint(a_document(**WHOLE))):
        assert changed_parts(seen, a_document(**WHOLE | change)) == [part]


@pytest.mark.parametrize("seen", ["", "x", "a.b.c", "." * 9, "3:", f"0:{RATED}", f"3:3:{RATED}"])
def test_what_is_no_fingerprint_has_moved_in_all_parts(seen):
    assert changed_parts(seen, a_document()) == PARTS


def test_new_documents_get_the_newest_format():
    assert fingerprint(a_document()).startswith("7:")


def test_the_newest_format_covers_every_column_of_a_document():
    """A new column is not guarded before a new format lists it. Formats that documents have are not changed."""
    format = FORMATS[newest()]
    assert (format.terms, format.parties) == (TERM_FIELDS, PARTY_FIELDS)
    assert (*format.lines, *format.corrected_lines) == LINE_FIELDS
    assert (format.credits, format.taxes, format.periods) == (CREDIT_FIELDS, TAX_FIELDS, PERIOD_FIELDS)
    assert format.correction == CORRECTION_FIELDS
    assert (format.tax_basis, format.places) == (TaxBasis._fields, TaxAddress._fields)
