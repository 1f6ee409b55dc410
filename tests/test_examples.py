"""Each operation of the API's description has an example of a request, and the example runs."""

import json
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client as Browser

from billing_site.api import METHODS
from billing_site.examples import REFUSED, ROWS
from tests.support.examples import REQUESTS, RESOURCES, example_of, meant, request_of, success_of, virtual_clock, world
from tests.support.vendor_fields import FIELDS

__all__ = ["virtual_clock", "world"]

pytestmark = pytest.mark.django_db


FILES = {"application/pdf": b"%PDF-", "application/xml": b"<?xml", "application/zip": b"PK"}
"""How the contents of files begin that operations answer with."""


def ask(name, world):
    """Sends the example of an operation of a resource."""
    browser, method, address, body = request_of(name, world)
    return browser.generic(method, address, body, content_type="application/json")


@pytest.mark.parametrize("name", RESOURCES)
def test_the_example_of_an_operation_of_a_resource_runs(name, world, db):
    if name == "event_retrieve" and connection.vendor == "postgresql":
        pytest.skip("PostgreSQL shows an event when its transaction is committed, and this world never is")
    response = ask(name, world)
    if name in REFUSED:
        assert response.json()["error_code"] == REFUSED[name]
        return
    content = b"".join(response) if response.streaming else response.content
    assert response.status_code == success_of(REQUESTS[name][2]), content
    if (begins := FILES.get(response["Content-Type"]) if content else None) is not None:
        assert content.startswith(begins)
    elif content:
        assert [one["error_code"] for one in json.loads(content).get("outcomes", ()) if one["error_code"]] == []


@pytest.mark.parametrize("name", METHODS)
def test_the_example_of_a_method_call_runs_at_its_own_address(name, world, db):
    assert called(REQUESTS[name][1], example_of(name), world) == (0, "OK")


@pytest.mark.parametrize("name", [*METHODS, "core"])
def test_the_example_of_a_method_call_runs_at_the_one_address(name, world, db):
    body = {"rest_call": name, "output_format": "json", **example_of(name)}
    assert called("/v1/core", body, world) == (0, "OK")


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_the_answer_of_a_method_call_in_wddx_has_arrays_of_rows_only(name, refused, world, db):
    """A client that reads WDDX fails on an array that is empty or holds plain values, and on a struct of less than two."""
    example = {**example_of(name), **({"no_such_argument": 1} if refused else {})}
    root = ElementTree.fromstring(answer_to("/v1/core", {"rest_call": name, **example}, world).content)
    assert root.find("data/struct/var[@name='error_code']/number").text == ("1016" if refused else "0")
    assert [array for array in root.iter("array") if {each.tag for each in array} != {"struct"}] == []
    assert [struct for struct in root.iter("struct") if len(struct) < 2] == []


TYPES = {"long": int, "double": (int, float), "text": str}


def differences(fields, answer, path=""):
    """The vendor's fields that an answer has with a value of another type. What is left out: tests/test_vendor_names.py."""
    for kind, names in fields.items():
        for name in names if kind == "rows" else names.split():
            value = answer.get(name)
            if value is not None and kind == "rows":
                for row in value:
                    yield from differences(names[name], row, f"{path}{name}.")
            elif value is not None and (isinstance(value, bool) or not isinstance(value, TYPES[kind])):
                yield f"{path}{name} is {value!r}"


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("name", FIELDS)
def test_a_method_call_answers_with_the_types_of_the_vendor(name, refused, world, db):
    example = {**example_of(name), **({"no_such_argument": 1} if refused else {})}
    answer = answer_to("/v1/core", {"rest_call": name, "output_format": "json", **example}, world).json()
    assert (answer["error_code"], list(differences(FIELDS[name], answer))) == (1016 if refused else 0, [])


def called(path, example, world):
    answer = answer_to(path, example, world).json()
    return answer["error_code"], answer["error_msg"]


def answer_to(path, example, world):
    client, auth_key, rows = world
    body = {**meant(example, rows), "client_no": client.pk, "auth_key": auth_key}
    return Browser().post(path, json.dumps(body), content_type="application/json")


def test_every_operation_that_is_sent_a_body_or_names_a_row_has_an_example():
    for _, _, operation in REQUESTS.values():
        needed = [one for one in operation.get("parameters", ()) if one.get("required")]
        assert all("example" in one for one in needed), operation["operationId"]


def test_no_two_rows_of_the_examples_share_a_number():
    """A list below a run is named by the run, and a transaction is shown by one of its kinds: these are the same row."""
    own = [number for name, number in ROWS.items() if name not in ("runoutcome", "transaction")]
    assert sorted(own) == sorted(set(own))
