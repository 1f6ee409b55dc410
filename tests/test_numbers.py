"""Numbers on pages are typed and shown in the reader's language, and read by one rule."""

import importlib
import pkgutil
from collections.abc import Iterator
from decimal import Decimal as D

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import override

import accounts.pages
import invoices.pages
import rebills.pages
from accounts.pages.forms import NumberField
from billing_site.common.numbers import plain_number, short_number, typed_number
from invoices.pages.settings.editors import form_of
from invoices.services.lists.settings import SECTIONS


@pytest.mark.parametrize(
    ("typed", "german", "english"),
    [
        ("", "", ""),
        ("12,50", "12.50", None),
        ("12.50", "12.50", "12.50"),
        ("1.234,56", "1234.56", "1234.56"),
        ("1,234.56", "1234.56", "1234.56"),
        ("1.234.567", "1234567", "1234567"),
        ("1.234.567,8", "1234567.8", "1234567.8"),
        ("1'234.50", "1234.50", "1234.50"),
        ("1\u00a0234,50", "1234.50", "1234.50"),
        ("1,234", "1.234", None),
        ("1.234", None, "1.234"),
        ("-1.234", None, "-1.234"),
        ("1234.567", "1234.567", "1234.567"),
        ("0.125", "0.125", "0.125"),
        (" \u22125,5 ", "-5.5", None),
        (" \u22125.5 ", "-5.5", "-5.5"),
        ("+5", "5", "5"),
        (",5", "0.5", None),
        ("1.23.4", None, None),
        ("12.34,5", None, None),
        ("1,2,3", None, None),
        ("--5", None, None),
        ("1e5", None, None),
        ("NaN", None, None),
        ("\u0661", None, None),
        (".", None, None),
    ],
)
def test_a_typed_number_is_read_in_the_readers_language_or_refused(typed, german, english):
    for language, plain in (("de", german), ("en", english)):
        with override(language):
            if plain is not None:
                assert plain_number(typed) == plain
                continue
            with pytest.raises(ValidationError):
                plain_number(typed)


def test_a_refusal_says_what_to_write_instead():
    with override("en"), pytest.raises(ValidationError) as refused:
        plain_number("-12,345")
    assert refused.value.messages == ["12,345 can be read in two ways. Write 12345 or 12.345."]


def test_a_field_shows_what_it_reads():
    with override("de"):
        assert (typed_number(D("1234.50")), short_number(D("1E+3")), typed_number(None)) == ("1234,50", "1000", "")
        field = NumberField(max_digits=15, decimal_places=4)
        shown = field.widget.render("amount", D("1234.5"))
        assert 'value="1234,5"' in shown and 'inputmode="decimal"' in shown
        assert field.clean("1234,5") == D("1234.5")


def _forms(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from _forms(one)


def test_each_field_for_a_number_on_a_page_reads_it_by_that_rule():
    for package in (accounts.pages, invoices.pages, rebills.pages):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    named = {form_of(section) for section in SECTIONS}
    ours = named | {one for one in _forms(forms.BaseForm) if ".pages." in one.__module__}
    numbers = [(one, field) for one in ours for field in one.base_fields.values() if isinstance(field, forms.DecimalField)]
    assert len(numbers) > 30
    assert [(one.__name__, field.label) for one, field in numbers if not isinstance(field, NumberField)] == []
