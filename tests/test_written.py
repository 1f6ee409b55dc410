"""Numbers and days in text: every door reads them by the same rules, without exponents and other spellings of Python."""

from datetime import date
from decimal import Decimal as D

import pytest
from django import forms
from django.contrib import admin
from django.db import models
from django.test import RequestFactory
from django.utils import translation
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from accounts.admin.rows import ReadOnlyAdmin, ReadOnlyInline
from billing_site.api import METHODS, router
from billing_site.common.exact_decimals import DigitsInput
from billing_site.common.fields import UnitsNumberField
from billing_site.common.written import day_of, decimal_of

NO_NUMBERS = ("1e2", "1E+2", "1e-2", "1e-4", "1_000", "\u0661", "NaN", "Infinity", "0x10", "1,5", "", ".", "+", "1 000")


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_a_text_that_is_not_written_in_digits_is_no_number(text):
    with pytest.raises(ValueError):
        decimal_of(text)
    with pytest.raises(forms.ValidationError):
        DigitsInput().clean(text)
    with pytest.raises(ValidationError):
        UnitsNumberField().run_validation(text)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("100", 100),
        ("-0.5", D("-0.5")),
        ("+7", 7),
        (".5", D("0.5")),
        ("5.", 5),
        (1e2, 100),
        (1e-7, D("1E-7")),
        (D("1E+2"), 100),
    ],
)
def test_digits_and_numbers_of_json_are_numbers(value, number):
    assert decimal_of(value) == number


def test_only_calls_read_a_double_below_a_ten_thousandth_as_programs_write_it():
    assert UnitsNumberField().run_validation(repr(0.00005)) == D("0.00005")
    assert UnitsNumberField().run_validation("1e-7") == D("0.0000001")
    with pytest.raises(ValueError):
        decimal_of("5e-05")
    with pytest.raises(forms.ValidationError):
        DigitsInput().clean("5e-05")


@pytest.mark.parametrize("value", [True, None, [], float("nan"), D("Infinity")])
def test_other_values_are_no_numbers(value):
    with pytest.raises(ValueError):
        decimal_of(value)


@pytest.mark.parametrize("text", ["20260131", "2026-W05-6", "2026-1-31", "2026-02-30", "31.01.2026", "2026-01-31T00:00", ""])
def test_a_day_is_written_as_yyyy_mm_dd(text):
    assert day_of("2026-01-31") == date(2026, 1, 31)
    with pytest.raises(ValueError):
        day_of(text)


def test_a_form_reads_numbers_in_the_readers_language():
    field = DigitsInput(localize=True, required=False)
    with translation.override("de"):
        assert (field.clean("1234,50"), field.clean("")) == (D("1234.50"), None)
        with pytest.raises(forms.ValidationError, match="1e2"):
            field.clean("1,5e2")


def of_all(kind):
    for one in kind.__subclasses__():
        yield one
        yield from of_all(one)


def test_no_form_of_ours_takes_exponents():
    """Django's own field for decimals does, so each form has ours."""
    fields = [
        (form, name, field) for form in of_all(forms.BaseForm) for name, field in getattr(form, "base_fields", {}).items()
    ]
    assert [(form.__module__, form.__name__, name) for form, name, field in fields if type(field) is forms.DecimalField] == []


def test_no_form_of_the_admin_takes_exponents(admin_user):
    request = RequestFactory().get("/")
    request.user = admin_user
    wrong, seen = [], 0
    for page in admin.site._registry.values():
        for form in (page, *page.get_inline_instances(request)):
            if not isinstance(form, ReadOnlyAdmin | ReadOnlyInline):
                numbers = [column for column in form.model._meta.concrete_fields if isinstance(column, models.DecimalField)]
                fields = [(column, form.formfield_for_dbfield(column, request)) for column in numbers]
                wrong += [str(column) for column, field in fields if not isinstance(field, DigitsInput)]
                seen += len(fields)
    assert (wrong, seen > 20) == ([], True)


def dates_of(serializer):
    for name, field in serializer.fields.items():
        if isinstance(field, serializers.ListSerializer):
            yield from dates_of(field.child)
        elif isinstance(field, serializers.DateField | serializers.DateTimeField) and not field.read_only:
            yield f"{type(serializer).__name__}.{name}", field


def test_every_date_of_a_body_is_refused_by_the_same_code():
    """1024 for a text that is no date, whichever resource or method call gets it."""
    bodies = [getattr(viewset, name).method_call.arguments for name, viewset in METHODS.items()]
    for _prefix, viewset, _name in router.registry:
        operations = getattr(viewset, "operations", {})
        bodies += [one.arguments for one in operations.values() if one.arguments is not None]
        if hasattr(viewset, "create") and "create" not in operations:
            bodies.append(viewset.serializer_class)
    fields = dict(one for body in bodies for one in dates_of(body()))
    assert {"ChangedLineArguments.period_start", "SpanArguments.since", "ChangeArguments.start_date"} <= set(fields)
    for name, field in fields.items():
        for text in ("x", "2026-02-30", "20260131", "31.01.2026", 20260131):
            with pytest.raises(ValidationError) as refused:
                field.run_validation(text)
            assert [one.code for one in refused.value.detail] == ["not_a_date"], (name, text)
