"""Every input and output of the vendor's description of a method call that we answer."""

import json

import pytest
from django.db import transaction
from django.test import Client as Browser
from rest_framework import serializers

from accounts.aria.method_calls import CallerFields
from accounts.models import Account
from billing_site.api import METHODS
from billing_site.common.fields import DigitsField, LongField, TrueFalseField
from tests.support.calling import rows_stored
from tests.support.examples import example_of, meant, virtual_clock, world
from tests.support.vendor_fields import FIELDS, INPUTS, names_of
from tests.support.vendor_nulls import names_without_value, why_null

__all__ = ["virtual_clock", "world"]

pytestmark = pytest.mark.django_db

SAMPLES = {"long": 1, "double": 1.5, "text": "1"}
CLASSES = {
    "long": (LongField, TrueFalseField),
    "double": (DigitsField,),
    "text": (serializers.CharField, serializers.DateField, serializers.ChoiceField, TrueFalseField, serializers.Field),
}


def answer_to(name, example, world):
    client, auth_key, rows = world
    body = {"rest_call": name, "output_format": "json", **example, "client_no": client.pk, "auth_key": auth_key}
    return Browser().post("/v1/core", json.dumps(meant(body, rows)), content_type="application/json").json()


def with_sample(fields, path):
    """An argument with this one field of the vendor, in its rows if it has any."""
    outer, _, rest = path.partition(".")
    if rest:
        return {outer: [with_sample(fields["rows"][outer], rest)]}
    kind = names_of(fields)[outer]
    return {outer: [sample_row(fields["rows"][outer])] if kind == "rows" else SAMPLES[kind]}


def sample_row(fields):
    return {name: SAMPLES[kind] for name, kind in names_of(fields).items() if "." not in name and kind != "rows"}


def field_of(serializer, path):
    """The field of our arguments for a path of the vendor's, or None."""
    name, _, rest = path.partition(".")
    field = serializer.fields.get(name)
    if rest and isinstance(field, serializers.ListSerializer):
        return field_of(field.child, rest)
    return None if rest else field


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_of_the_vendor_is_taken_or_refused_by_name(name, world, db):
    """Without a value it is always taken: clients send all they know."""
    arguments = getattr(METHODS[name], name).method_call.arguments
    serializer, before, example = arguments(), rows_stored(), example_of(name)
    for path, kind in names_of(INPUTS[name]).items():
        field = field_of(serializer, path)
        if field is None and path not in getattr(arguments, "without_effect", ()) and "." not in path:
            answer = answer_to(name, {**example, **with_sample(INPUTS[name], path)}, world)
            assert (answer["error_code"], path in answer["error_msg"]) == (1016, True), (path, answer)
        elif field is None and "." in path and field_of(serializer, path.rpartition(".")[0]) is not None:
            answer = answer_to(name, {**example, **with_sample(INPUTS[name], path)}, world)
            assert answer["error_code"] == 1016, (path, answer)
            assert path.rpartition(".")[2] in answer["error_msg"], (path, answer)
        elif field is not None and kind != "rows":
            assert isinstance(field, CLASSES[kind]), (path, field)
    assert rows_stored() == before
    assert not set(names_of(INPUTS[name])) & set(CallerFields().fields)


NAMES_OF_ROWS = (
    *("acct_no", "account_no", "client_acct_id", "user_id", "userid", "plan_no", "client_plan_id", "new_plan_no"),
    *("new_client_plan_id", "service_no", "client_service_id", "eligible_service_no", "client_eligible_service_id", "cm_no"),
    *("client_cm_seq_id", "client_cm_seq_id_in", "usage_type", "usage_type_code", "plan_item_service_no", "plan_item_plan_no"),
    *("client_plan_item_service_id", "client_plan_item_plan_id", "master_plan_no", "client_master_plan_id"),
    *("master_plan_instance_no", "master_plan_instance_id", "client_master_plan_instance_id", "plan_instance_no"),
)
"""Each names one row that exists. Several of them may name the same row."""

NEW_IDS = {"create_acct_complete", "create_acct_complete_m"}
"""Calls in which the id of an account is that of a new one."""


def names_in(serializer, example):
    """Each name of a row that a call takes, in its rows, too, with the example in which it names no row."""
    for name, field in serializer.fields.items():
        if isinstance(field, serializers.ListSerializer) and isinstance(example.get(name), list):
            first, *others = example[name]
            for inner, row in names_in(field.child, first):
                yield inner, {**example, name: [row, *others]}
        elif name in NAMES_OF_ROWS:
            yield name, {**example, name: 999_999_999 if isinstance(field, LongField) else "no-such"}


@pytest.mark.parametrize("name", {getattr(METHODS[name], name).method_call.arguments: name for name in METHODS}.values())
def test_each_name_of_a_row_is_looked_up_beside_another_one(name, world, db):
    """A second name is never ignored: the call would act on a row that it did not mean."""
    serializer = getattr(METHODS[name], name).method_call.arguments()
    before = rows_stored()
    for field, example in names_in(serializer, example_of(name)):
        if name in NEW_IDS and field in ("client_acct_id", "userid"):
            continue
        answer = answer_to(name, example, world)
        assert answer["error_code"] != 0 or answer["error_records"][0]["record_error_code"] != 0, (field, answer)
        message = answer["error_msg"]
        assert "error_records" in answer or any(one in message for one in (field, "account", "client_acct_id")), answer
    assert rows_stored() == before


def test_two_names_of_different_accounts_are_refused(world, db):
    client, _, rows = world
    example = meant(example_of("gen_invoice_m"), rows)
    other = Account.objects.filter(client=client).exclude(client_acct_id="").exclude(pk=example["acct_no"]).first()
    answer = answer_to("gen_invoice_m", {**example, "client_acct_id": other.client_acct_id}, world)
    assert answer["error_code"] == 1016
    assert answer["error_msg"].endswith(
        f"client_acct_id {other.client_acct_id} and acct_no {example['acct_no']} are different records; give one of them"
    )


def values_at(answer, path):
    """All values of an output, in every row."""
    name, _, rest = path.partition(".")
    value = answer.get(name) if isinstance(answer, dict) else None
    if rest:
        return [one for row in value or () for one in values_at(row, rest)]
    return [value]


def filled_in_examples(world):
    """The names of outputs that have a value in the answer to any call's example, and what each call leaves null."""
    filled, null = set(), {}
    for name in METHODS:
        undone = transaction.atomic()
        undone._from_testcase = True
        with undone:
            answer = answer_to(name, example_of(name), world)
            transaction.set_rollback(True)
        assert answer["error_code"] == 0, (name, answer)
        for path in names_of(FIELDS.get(name, {})):
            if any(value not in (None, []) for value in values_at(answer, path)):
                filled.add(path.rpartition(".")[2])
            else:
                null.setdefault(path.rpartition(".")[2], set()).add(f"{name}: {path}")
    return filled, null


def test_every_output_of_the_vendor_has_a_value_or_a_reason(world, db):
    """A field of a row has a reason if its rows have one."""
    filled, null = filled_in_examples(world)
    unexplained = sorted(where for name in null.keys() - filled for where in null[name] if not why_null(where))
    assert not unexplained, "\n".join(unexplained)
    assert sorted(one for one in names_without_value() if one in filled) == [], "a reason for a name that has a value"
