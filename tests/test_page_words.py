"""Pages say refusals in plain words. Programs are answered the table's words."""

import re

import pytest
from django.utils.translation import override

from billing_site.catalogues import extracted
from billing_site.errors import BillingError, Detail, ErrorCode, shown_message
from billing_site.page_words import PAGE_WORDS

PLACE = re.compile(r"\{\w+\}")


def test_each_text_that_has_words_for_pages_is_one_that_programs_are_answered():
    texts = {message.id if isinstance(message.id, str) else message.id[0] for message in extracted()}
    assert [text for text in PAGE_WORDS if text not in texts] == []


@pytest.mark.parametrize(("program", "page"), PAGE_WORDS.items())
def test_words_for_pages_have_the_same_values_and_no_words_of_the_api(program, page):
    assert sorted(PLACE.findall(page)) == sorted(PLACE.findall(program))
    assert re.search(r"[a-z]_[a-z]|\bAPI\b|parameter|Idempotency", PLACE.sub("", page)) is None


def test_a_refusal_has_other_words_for_a_page_than_for_a_program():
    refusal = BillingError(ErrorCode.PENDING_INVOICE, Detail("invoice {invoice_no}", invoice_no=7))
    with override("en"):
        assert refusal.shown == "The account has a pending invoice: invoice 7. Approve or discard it first"
        assert shown_message(7006, refusal.message) == refusal.shown
    assert refusal.message.startswith("Recurring billing not allowed because account has a pending invoice on file")


def test_the_name_of_the_input_is_left_out_beside_its_field():
    detail = Detail("end_date: the plan was removed on {day}; add the plan to the account again", day="May 1")
    refusal = BillingError(ErrorCode.INVALID_INPUT, detail, field="end_date")
    with override("en"):
        assert refusal.shown.startswith("The entry is not valid: end_date: the plan was removed")
        assert (
            refusal.shown_at_field == "The entry is not valid: the plan was removed on May 1; add the plan to the account again"
        )
    assert refusal.message.startswith("invalid input: end_date: the plan")
