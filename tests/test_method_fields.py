"""Every field of a method call is checked by its type. A refusal names the field and has the code of its type."""

import json

import pytest
from django.test import Client as Browser
from rest_framework import serializers

from accounts.api.input_errors import TABLE
from accounts.aria.method_calls import CallerFields, Credentials
from accounts.keys import create_key
from billing_site.api import METHODS
from billing_site.common.fields import DayField, DigitsField, LongField, TrueFalseField
from billing_site.errors import ErrorCode
from invoices.aria.arguments import CurrencyField
from tests.support.calling import RIGHTS, rows_stored
from tests.support.factories import BY_TEST

MISSING, FORMAT, INPUT, DATE, FLAG = 1010, 1012, 1016, 1024, 1033
NOTES_TOO_LONG, LONGEST_NOTES = 3044, 1000
NOBODY, NO_DIRECTIVE, NO_COMBINING = 1004, 1039, 1068
"""Codes of one field each: their messages say what it is instead of naming it."""

NO_TEXT = [["x"], {"x": 1}, True]
KINDS = [
    (LongField, "1", {INPUT: ["x", "1.5", "+1", 1.5, True, ["1"], {}]}),
    (DigitsField, "1", {INPUT: ["x", "1_000", "1,5", "NaN", True, ["1"], {}], FORMAT: ["9" * 30]}),
    (DayField, "2026-02-01", {DATE: ["x", "2026-2-1", "2026-02-30", "02/01/2026", 20260201, ["2026-02-01"], {}]}),
    (TrueFalseField, "true", {FLAG: ["x", "True", 2, [], {}]}),
    (serializers.ChoiceField, "rebill", {INPUT: ["x", ["x"], {}]}),
    (serializers.ListSerializer, None, {INPUT: ["x", 1, {}, ["x"], [[]]]}),
    (serializers.ListField, ["1"], {INPUT: [["x"], [[]], {}]}),
    (CurrencyField, "usd", {INPUT: ["x", *NO_TEXT], FORMAT: ["a\0", "\ud800"]}),
    (serializers.CharField, "x", {INPUT: NO_TEXT, FORMAT: ["a\0", "\ud800"]}),
]
"""Each kind of field with a value that it takes, and values that it refuses by the code that is theirs."""

pytestmark = pytest.mark.django_db


def kind_of(field):
    return next((good, wrong) for kind, good, wrong in KINDS if isinstance(field, kind))


def good_value(field):
    return [needed_of(field.child)] if isinstance(field, serializers.ListSerializer) else kind_of(field)[0]


def needed_of(serializer):
    """The least that is taken."""
    fields = serializer.fields
    needed = {name: good_value(field) for name, field in fields.items() if field.required}
    named = ("acct_no" if "acct_no" in fields else "client_acct_id", "service_no")
    return needed | {name: "1" for name in named if name in fields}


def wrong_values(field):
    """The error code with a value of the wrong type, and with one that is too long."""
    for code, values in kind_of(field)[1].items():
        yield from ((code, value) for value in values)
    if isinstance(field, LongField):
        yield FORMAT, "9" * (field.max_digits + 1)
        if field.max_digits > 19:
            yield TABLE.get(field.no_such, ErrorCode.INVALID_INPUT).number, str(-(2**63) - 1)
    elif isinstance(field, serializers.ListSerializer):
        yield FORMAT, [good_value(field)[0]] * (field.max_length + 1)
    elif isinstance(field, serializers.ListField):
        yield FORMAT, ["1"] * (field.max_length + 1)
    elif isinstance(field, serializers.CharField) and field.max_length:
        yield FORMAT, "x" * (field.max_length + 1)
    elif isinstance(field, serializers.CharField):
        yield NOTES_TOO_LONG, "x" * (LONGEST_NOTES + 1)


def is_a_cell(name, field, value):
    """A number under the name of an array that is the name of its rows' field, too, as `invoice_no`."""
    return isinstance(field, serializers.ListSerializer) and name in field.child.fields and value == 1


def wrong_members(serializer):
    """Each field with each value that it refuses. Fields of rows are inside their array."""
    for name, field in serializer.fields.items():
        for code, value in wrong_values(field):
            if not is_a_cell(name, field, value):
                yield name, code, {name: value}
        if isinstance(field, serializers.ListSerializer):
            row = good_value(field)[0]
            for inner, code, members in wrong_members(field.child):
                yield inner, code, {name: [row | members]}


@pytest.fixture
def call(acme):
    auth_key = create_key(acme, name="integrator", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    browser = Browser(raise_request_exception=False)

    def call(name, members):
        body = {"client_no": acme.pk, "auth_key": auth_key, "rest_call": name, "output_format": "json", **members}
        return browser.post("/v1/core", json.dumps(body), content_type="application/json").json()

    return call


def check_refused(answer, code, field):
    assert answer["error_code"] == code, (field, answer)
    assert field in answer["error_msg"] or code in (NOTES_TOO_LONG, NOBODY, NO_DIRECTIVE, NO_COMBINING), (field, answer)


@pytest.mark.parametrize("name", METHODS)
def test_a_value_that_is_none_of_its_fields_kind_is_refused_by_name(name, call):
    arguments = getattr(METHODS[name], name).method_call.arguments()
    needed, before = needed_of(arguments), rows_stored()
    for field, code, members in wrong_members(arguments):
        check_refused(call(name, needed | members), code, field)
    assert rows_stored() == before


@pytest.mark.parametrize("name", METHODS)
def test_a_field_that_is_needed_and_missing_is_named(name, call):
    arguments = getattr(METHODS[name], name).method_call.arguments()
    needed, before = needed_of(arguments), rows_stored()
    for field in [field for field, declared in arguments.fields.items() if declared.required]:
        for nothing in ({}, {field: None}, {field: ""}):
            check_refused(call(name, {one: value for one, value in needed.items() if one != field} | nothing), MISSING, field)
    assert rows_stored() == before


@pytest.mark.parametrize("serializer", [Credentials, CallerFields])
def test_what_says_who_calls_is_checked_in_every_call(serializer, call):
    before = rows_stored()
    for field, code, members in wrong_members(serializer()):
        check_refused(call("gen_invoice", {"acct_no": "1"} | members), code, field)
    assert rows_stored() == before
