"""Every known spelling gives the same parameters."""

import pytest

from accounts.aria.parsers import nested, parameters, scalar
from billing_site.errors import BillingError

ARRAYS = {"rb_line_items": ["line_no", "service_no", "rb_amount"], "optional_transaction_qualifiers": ["qualifier_name"]}
TWO_ROWS = [{"line_no": "1", "service_no": "10"}, {"line_no": "2", "service_no": "11"}]


def read(body, query=""):
    return nested(parameters(query, body.encode()), ARRAYS)


@pytest.mark.parametrize(
    "body",
    [
        '{"rb_line_items": [{"line_no": "1", "service_no": "10"}, {"line_no": "2", "service_no": "11"}]}',
        '{"line_no": ["1", "2"], "service_no": ["10", "11"]}',
        '{"line_no[0]": "1", "line_no[1]": "2", "service_no[0]": "10", "service_no[1]": "11"}',
        "line_no[0]=1&line_no[1]=2&service_no[0]=10&service_no[1]=11",
        "line_no%5B0%5D=1&line_no%5B1%5D=2&service_no%5B0%5D=10&service_no%5B1%5D=11",
        "line_no[1]=1&line_no[2]=2&service_no[1]=10&service_no[2]=11",
        "service_no[7]=11&line_no[3]=1&line_no[7]=2&service_no[3]=10",
        "line_no[]=1&line_no[]=2&service_no[]=10&service_no[]=11",
        "line_no=1&line_no=2&service_no=10&service_no=11",
        "line_no=1|2&service_no=10|11",
        "line_no=1%7C2&service_no=10%7C11",
        "rb_line_items[0][line_no]=1&rb_line_items[0][service_no]=10&rb_line_items[1][line_no]=2&rb_line_items[1][service_no]=11",
        "rb_line_items[][line_no]=1&rb_line_items[][service_no]=10&rb_line_items[][line_no]=2&rb_line_items[][service_no]=11",
        "rb_line_items[4][line_no]=2&rb_line_items[4][service_no]=11&rb_line_items[1][line_no]=1&rb_line_items[1][service_no]=10",
    ],
)
def test_an_array_of_two_rows(body):
    assert read(body) == {"rb_line_items": TWO_ROWS}


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("line_no=1|2&rb_amount=2.5|", [{"line_no": "1", "rb_amount": "2.5"}, {"line_no": "2", "rb_amount": ""}]),
        ("line_no[0]=1&line_no[1]=2&rb_amount[1]=3", [{"line_no": "1"}, {"line_no": "2", "rb_amount": "3"}]),
        ("line_no=1", [{"line_no": "1"}]),
        ('{"line_no": 1}', [{"line_no": 1}]),
        ("line_no[0]=1&line_no[1]=", [{"line_no": "1"}]),
    ],
)
def test_rows_with_holes(body, rows):
    assert read(body) == {"rb_line_items": rows}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"rb_comments": "a", "rb_comments": "a"}', "rb_comments"),
        ('{"line_no[]": "1", "line_no[]": "2"}', "line_no[]"),
        ('{"rb_line_items": [{"line_no": 1, "rb_amount": "5", "rb_amount": "50"}]}', "rb_amount"),
    ],
)
def test_a_member_that_one_json_object_has_twice_is_refused(body, name):
    with pytest.raises(BillingError) as caught:
        read(body)
    assert (caught.value.code.number, caught.value.field) == (1016, name)
    assert caught.value.message == f"invalid input: {name}: send it only once"


def test_of_a_form_the_last_value_counts():
    assert read("rb_comments=a&rb_comments=b") == {"rb_comments": "b"}


def test_bars_part_a_column_only_where_it_comes_as_one_plain_name():
    assert read("qualifier_name[0]=a|b") == {"optional_transaction_qualifiers": [{"qualifier_name": "a|b"}]}
    assert read("rb_comments=a|b") == {"rb_comments": "a|b"}


@pytest.mark.parametrize(
    "name", ["rb_line_items[line_no][0]", "rb_line_items[0]", "rb_line_items[0][line_no][1]", "line_no[x]"]
)
def test_an_index_in_the_wrong_place_is_refused_by_its_name(name):
    with pytest.raises(BillingError) as error:
        read(f"{name}=1")
    assert (error.value.code.number, error.value.message) == (1016, f"{name} is not a valid string.")


def test_parameters_come_in_the_query_and_the_body_and_the_last_counts():
    pairs = parameters("output_format=xml&rest_call=gen_invoice&acct_no=1", b"acct_no=2&acct_no=3&output_format=json")
    assert nested(pairs, {}) == {"output_format": "json", "rest_call": "gen_invoice", "acct_no": "3"}
    assert (scalar(pairs, "output_format"), scalar(pairs, "nothing")) == ("json", None)


def test_what_begins_with_a_brace_is_json_also_behind_a_byte_order_mark_or_blanks():
    assert read(' \n{"a": "b c"}') == read('\ufeff{"a": "b c"}') == {"a": "b c"}


def test_plus_and_percent_stand_for_characters_in_forms():
    assert read("a=b+c%20d%C3%A9") == {"a": "b c dé"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1',
        b'{"a": ' + b"1" * 5000 + b"}",
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 100_000,
        b"[1]",
        b"a=%ff",
        b"\xff",
        b'{"a": "\xff"}',
        b"a=\0",
        b"&".join([b"a=1"] * 200_001),
    ],
)
def test_what_cannot_be_read_is_refused(body):
    with pytest.raises(BillingError) as error:
        parameters("", body)
    assert error.value.message == "Unable to parse input json - invalid format."


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"rb_line_items": [{"line_no": 1}], "rb_amount": "5.00"}', "rb_amount"),
        ('{"rb_line_items": [], "line_no[0]": 1}', "line_no[0]"),
        ('{"rb_line_items": [{"line_no": 1}], "rb_line_items[1][line_no]": 2}', "rb_line_items[1][line_no]"),
    ],
)
def test_columns_beside_a_list_of_rows_are_refused_and_not_ignored(body, name):
    with pytest.raises(BillingError) as error:
        read(body)
    assert (error.value.code.number, error.value.field) == (1016, name)
    assert f"{name}: the rows are in rb_line_items" in error.value.message


def test_empty_columns_beside_a_list_of_rows_say_nothing():
    assert read('{"rb_line_items": [{"line_no": 1}], "rb_amount": "", "service_no": null}')["rb_line_items"] == [{"line_no": 1}]
