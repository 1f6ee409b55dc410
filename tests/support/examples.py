"""The API's description, its example requests, and the rows that they need."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
import time_machine
from django.test import Client as Browser
from drf_spectacular.generators import SchemaGenerator

from billing_site.api import METHODS
from tests.support.described_world import described_world, kept_for_a_module

DESCRIBED = SchemaGenerator().get_schema(request=None, public=True)


REQUESTS = {
    operation["operationId"]: (method, path, operation)
    for path, operations in DESCRIBED["paths"].items()
    for method, operation in operations.items()
}


RESOURCES = [name for name in REQUESTS if name not in METHODS and name != "core"]


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, tmp_path_factory):
    with (
        pytest.MonkeyPatch.context() as patch,
        time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False),
        kept_for_a_module(django_db_blocker.unblock()),
    ):
        patch.setattr("django.conf.settings.SANDBOX_GATEWAY_FILE", str(tmp_path_factory.mktemp("books") / "sandbox.sqlite3"))
        yield described_world()


@pytest.fixture(autouse=True)
def virtual_clock(settings):
    settings.VIRTUAL_CLOCK = True


def meant(example, rows):
    """Return an example with the numbers of existing rows."""
    if isinstance(example, dict):
        return {name: meant(value, rows) for name, value in example.items()}
    if isinstance(example, list):
        return [meant(value, rows) for value in example]
    return rows.get(example, example) if isinstance(example, int) else example


def example_of(name):
    return REQUESTS[name][2]["requestBody"]["content"]["application/json"]["example"]


def request_of(name, world, more_query=None):
    """Return the example of a resource operation: the caller, method, address and body."""
    client, auth_key, rows = world
    method, path, operation = REQUESTS[name]
    examples = {(one["in"], one["name"]): one["example"] for one in operation.get("parameters", ()) if "example" in one}
    path_numbers, query = (
        meant({name: value for (place, name), value in examples.items() if place == asked}, rows) for asked in ("path", "query")
    )
    body = json.dumps(meant(example_of(name), rows)) if "requestBody" in operation else ""
    token = b64encode(f"{client.pk}:{auth_key}".encode()).decode()
    browser = Browser(HTTP_AUTHORIZATION=f"Basic {token}")
    return browser, method.upper(), f"{path.format(**path_numbers)}?{urlencode({**query, **(more_query or {})})}", body


def success_of(operation):
    (status,) = [int(status) for status in operation["responses"] if status < "300"]
    return status
