"""What nobody reads is refused: each operation of the API's description is sent its example with one unknown member at one
level of the body, or one unknown parameter in the query. It answers 400 and names it, and the database stays as it was."""

import json

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client as Browser

from accounts.models import ApiCall, ApiKey, Event
from billing_site.api import METHODS
from tests.support.examples import DESCRIBED, REQUESTS, RESOURCES, meant, request_of, virtual_clock, world

__all__ = ["virtual_clock", "world"]

WRONG = "wether"
SAFE = ("get", "head")

pytestmark = pytest.mark.django_db


def stored():
    """Every row of every table, without the log of calls, the trail and when a key was used: refusals are in them."""
    found = {}
    with connection.cursor() as cursor:
        for model in apps.get_models():
            if model not in (ApiCall, ApiKey, Event):
                cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
                found[model._meta.label] = sorted(map(repr, cursor.fetchall()))
    return found


@pytest.fixture(scope="module")
def before(world):
    """What is stored before each test: the same, because each rolls back its changes."""
    return stored()


def schema_of(node):
    while "$ref" in node or "allOf" in node:
        node = DESCRIBED["components"]["schemas"][node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else node["allOf"][0]
    return node


def levels_of(schema, example, path=()):
    """The place of each object of a body: of the description, and of the example. A step is a member or a place in a list."""
    schema = schema_of(schema)
    if schema.get("type") == "array" or isinstance(example, list):
        row = example[0] if isinstance(example, list) and example else None
        yield from levels_of(schema.get("items", {}), row, (*path, 0))
    elif "properties" in schema or isinstance(example, dict):
        yield path
        given = example if isinstance(example, dict) else {}
        for name in {**schema.get("properties", {}), **given}:
            yield from levels_of(schema.get("properties", {}).get(name, {}), given.get(name), (*path, name))


def with_wrong_member(body, path):
    """The body with the wrong member at a place, which is made where the body lacks it."""
    if not path:
        return {**(body or {}), WRONG: 1}
    step, *rest = path
    if step == 0:
        first, *others = body or [None]
        return [with_wrong_member(first, rest), *others]
    return {**(body or {}), step: with_wrong_member((body or {}).get(step), rest)}


def named(path):
    """charges[0].rates[0].wether"""
    steps = [f"[{step}]" if step == 0 else f".{step}" for step in path]
    return f"{''.join(steps)}.{WRONG}".lstrip(".")


def content_of(name):
    return REQUESTS[name][2].get("requestBody", {}).get("content", {}).get("application/json", {})


def bodies_of(name):
    content = content_of(name)
    example = content.get("example", {})
    for path in dict.fromkeys(levels_of(content.get("schema", {"properties": {}}), example)):
        yield path, with_wrong_member(example, path)


def sent(name, world, body=None, **query):
    browser, method, address, example = request_of(name, world, query)
    body = example if body is None else json.dumps(meant(body, world[2]))
    return browser.generic(method, address, body, content_type="application/json")


def test_the_levels_of_a_plan_are_all_tried():
    assert [named(path) for path, _ in bodies_of("plan_create")] == [
        "wether",
        "minimums[0].wether",
        "charges[0].wether",
        "charges[0].rates[0].wether",
        "charges[0].rates[0].tiers[0].wether",
    ]


@pytest.mark.parametrize("name", [name for name in RESOURCES if REQUESTS[name][0] not in SAFE])
def test_a_member_that_is_not_known_is_named_at_every_level(name, world, db, before):
    for path, body in bodies_of(name):
        response = sent(name, world, body)
        if name == "usage_create" and path:
            (answer,) = response.json()["results"]
            assert (answer["result"], answer["error_code"], list(answer["errors"])) == ("refused", 1016, [WRONG])
            continue
        answer = response.json()
        assert (response.status_code, answer["error_code"], list(answer["errors"])) == (400, 1016, [named(path)]), answer
        assert answer["error_msg"].startswith(f"Unknown field `{named(path)}`.")
    assert stored() == before


LISTS = [name for name in RESOURCES if REQUESTS[name][0] == "get" and "{id}" not in REQUESTS[name][1]]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("parameter", "value"),
    [("limit", "0"), ("limit", "-1"), ("limit", "abc"), ("limit", "501"), ("ordering", "nonsense"), ("ordering", "-")],
)
def test_a_page_or_an_order_that_a_list_does_not_have_is_named(name, parameter, value, world, db):
    """The allowed values or, if the list has no such parameter, its parameters."""
    response = sent(name, world, **{parameter: value})
    answer = response.json()
    assert (response.status_code, answer["error_code"], list(answer["errors"])) == (400, 1016, [parameter]), answer
    allowed = {one["name"]: one["schema"] for one in REQUESTS[name][2].get("parameters", ()) if one["in"] == "query"}
    if parameter not in allowed:
        assert answer["error_msg"].startswith(f"Unknown parameter `{parameter}`. ")
    elif parameter == "limit":
        assert answer["error_msg"] == "invalid input: limit: give a number from 1 to 500"
    else:
        names = ", ".join(one for one in allowed["ordering"]["enum"] if not one.startswith("-"))
        assert answer["error_msg"] == f"invalid input: ordering: give one of {names}; put - before it for descending order"


@pytest.mark.parametrize("name", RESOURCES)
def test_a_parameter_that_is_not_known_is_named(name, world, db, before):
    response = sent(name, world, **{WRONG: "1"})
    answer = response.json()
    assert (response.status_code, answer["error_code"], list(answer["errors"])) == (400, 1016, [WRONG]), answer
    assert answer["error_msg"].startswith(f"Unknown parameter `{WRONG}`.")
    assert stored() == before


@pytest.mark.parametrize("name", METHODS)
def test_an_argument_of_a_method_call_that_is_not_known_is_named_at_every_level(name, world, db, before):
    client, auth_key, rows = world
    for path, body in bodies_of(name):
        sent_body = {**meant(body, rows), "client_no": client.pk, "auth_key": auth_key}
        answer = Browser().post(REQUESTS[name][1], json.dumps(sent_body), content_type="application/json").json()
        assert answer["error_code"] == 1016, answer
        assert answer["error_msg"].startswith(f"Unknown field `{named(path)}`."), answer
    assert stored() == before
