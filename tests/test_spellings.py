"""Every method call takes its example in the spelling of each of Aria's clients, and does the same for each."""

import json
import re
from urllib.parse import urlencode

import pytest
from django.db import transaction
from django.test import Client as Browser

from billing_site.api import METHODS
from tests.support.examples import example_of, meant, virtual_clock, world

__all__ = ["virtual_clock", "world"]

pytestmark = pytest.mark.django_db

CORE, FORM = "/v1/core", "application/x-www-form-urlencoded"
MONEY = re.compile(r"-?[0-9]+\.[0-9]{2}")


def is_rows(value):
    return isinstance(value, list) and any(isinstance(row, dict) for row in value)


def has_rows_in_rows(members):
    return any(is_rows(cell) for value in members.values() if is_rows(value) for row in value for cell in row.values())


def text(value):
    return str(value).lower() if isinstance(value, bool) else value


def nested(members, pair):
    """Pairs of a form. `pair` spells the name of a cell from its array, the place of its row, and its own name."""
    for name, value in members.items():
        if is_rows(value):
            for place, row in enumerate(value):
                for inner, cell in nested(row, pair):
                    first, bracket, rest = inner.partition("[")
                    yield pair(name, place, first) + bracket + rest, cell
        elif isinstance(value, list):
            yield from ((f"{name}[{place}]", text(one)) for place, one in enumerate(value))
        else:
            yield name, text(value)


def columns(members):
    """The members without rows, and the columns of all rows."""
    plain = {name: text(value) for name, value in members.items() if not isinstance(value, list)}
    cells = {}
    for rows in members.values():
        if is_rows(rows):
            for name in {name: None for row in rows for name in row}:
                cells[name] = [text(row.get(name, "")) for row in rows]
        elif isinstance(rows, list):
            raise AssertionError("a list of plain values")
    return plain, cells


def indexed(members):
    return list(nested(members, lambda array, place, name: f"{array}[{place}][{name}]"))


def from_one(members):
    return list(nested(members, lambda array, place, name: f"{array}[{place + 1}][{name}]"))


def without_index(members):
    return list(nested(members, lambda array, place, name: f"{array}[][{name}]"))


def columns_with_index(members):
    plain, cells = columns(members)
    return [*plain.items(), *((f"{name}[{at}]", cell) for name, column in cells.items() for at, cell in enumerate(column))]


def columns_without_index(members):
    plain, cells = columns(members)
    return [*plain.items(), *((f"{name}[]", cell) for name, column in cells.items() for cell in column)]


def repeated(members):
    plain, cells = columns(members)
    return [*plain.items(), *((name, cell) for name, column in cells.items() for cell in column)]


def with_bars(members):
    plain, cells = columns(members)
    return [*plain.items(), *((name, "|".join(map(str, column))) for name, column in cells.items())]


OF_ROWS_ALONE = {
    "ruby, older": without_index,
    "php, java": columns_with_index,
    "ruby, columns": columns_without_index,
    "npm aria": repeated,
    "aria_api": with_bars,
}
FORMS = {"a[0][b]": indexed, "a[1][b]": from_one, **OF_ROWS_ALONE}


def strings(value):
    if isinstance(value, dict):
        return {name: strings(one) for name, one in value.items()}
    if isinstance(value, list):
        return [strings(one) for one in value]
    return str(text(value))


def requests_of(name, members):
    """Each spelling with the method of HTTP, the query, the body and its type."""
    call = {"rest_call": name, "output_format": "json"}
    in_query = urlencode(call)
    yield "node", "POST", "output_format=json", json.dumps({**members, **call}), "application/xml"
    yield "ruby", "POST", "", json.dumps({**members, **call}), "application/json"
    yield "numbers as texts", "POST", in_query, json.dumps(strings(members)), "application/json"
    yield "GET", "GET", urlencode([*call.items(), *indexed(members)]), "", ""
    for spelling, pairs in FORMS.items():
        if not (spelling in OF_ROWS_ALONE and has_rows_in_rows(members)):
            yield spelling, "POST", in_query, urlencode(pairs(members)), FORM


def answer_to(method, query, body, content_type):
    """The answer to a call of which nothing is kept."""
    undone = transaction.atomic()
    undone._from_testcase = True
    with undone:
        options = {"content_type": content_type} if content_type else {}
        answer = Browser().generic(method, f"{CORE}?{query}", body, **options).json()
        transaction.set_rollback(True)
    return answer


def told(value, path=""):
    """The amounts of an answer, and which of its members have rows, a value, or none. Numbers of rows differ each time."""
    if isinstance(value, dict):
        return [one for name, inner in value.items() for one in told(inner, f"{path}.{name}")]
    if isinstance(value, list):
        return [(path, len(value)), *(one for inner in value for one in told(inner, path))]
    is_money = isinstance(value, float) or (isinstance(value, str) and MONEY.fullmatch(value))
    return [(path, value if is_money or value is None or path == ".error_code" else "a value")]


@pytest.mark.parametrize("name", METHODS)
def test_each_spelling_of_a_call_does_the_same(name, world, db):
    client, auth_key, rows = world
    members = {**meant(example_of(name), rows), "client_no": client.pk, "auth_key": auth_key}
    expected, differing = None, []
    for spelling, *request in requests_of(name, members):
        answer = answer_to(*request)
        expected = expected or told(answer)
        assert expected[0] == (".error_code", 0), answer
        if told(answer) != expected:
            differing.append((spelling, answer["error_code"], answer["error_msg"]))
    assert differing == []
