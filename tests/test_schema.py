"""The API's description of itself is whole and true: a client that is written from it works, and whatever it allows to ask is
answered as it says."""

import base64
import importlib
import os
import subprocess
import sys
from io import StringIO

import httpx
import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from accounts.keys import create_key
from billing_site.errors import ErrorCode
from billing_site.wsgi import application
from tests.support.billing import JAN_10, bill
from tests.support.calling import RIGHTS
from tests.support.factories import BY_TEST, TaxRateFactory, a_plan, an_account

pytest_plugins = ["schemathesis.pytest.plugin"]

DESCRIBED = SchemaGenerator().get_schema(request=None, public=True)
SCHEMA = schemathesis.openapi.from_dict(DESCRIBED)
SCHEMA.app = application
SOAKS = "SOAK_EXAMPLES" in os.environ
SCHEMA.config.phases.coverage.enabled = SOAKS
"""`make soak` tries the edges of every parameter as well: some thousand requests."""


@pytest.fixture(scope="module", autouse=True)
def kept_connection():
    """Requests that come by WSGI end with closing what connections are old, and with them the transaction of a test."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_the_description_is_valid_and_leaves_nothing_open():
    said = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=said)
    assert "openapi: 3.0.3" in said.getvalue()


def test_every_error_is_told_of():
    responses = DESCRIBED["paths"]["/api/v1/invoices/"]["post"]["responses"]
    for code in ErrorCode:
        if code.http_status >= 400:
            assert f"{code.number}: {code.message}" in responses[str(code.http_status)]["description"]


def test_downloads_of_a_list_have_its_filters_and_no_pages():
    def names(path):
        return {one["name"] for one in DESCRIBED["paths"][path]["get"].get("parameters", ())}

    for resource in ("invoices", "credit-memos", "rebills"):
        described = names(f"/api/v1/{resource}/files/")
        assert {"status", "run", "file_missing", "bill_date_from"} <= described
        assert described == names(f"/api/v1/{resource}/") - {"cursor", "limit", "ordering", "fields", "expand", "format"}
    assert names("/api/v1/invoices/{id}/pdf/") == {"id"}


def test_its_page_asks_no_other_host(client):
    assert "https://" not in client.get("/api/docs/").content.decode()


def test_the_description_and_its_page_are_there(client, settings):
    assert client.get("/api/schema/").status_code == 200
    page = client.get("/api/docs/")
    assert page.status_code == 200 and "swagger" in page.content.decode()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A Python client, written from the description."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "schema.yaml").write_text(_yaml())
    command = [
        "-m",
        "openapi_python_client",
        "generate",
        "--path",
        "schema.yaml",
        "--output-path",
        "billing_client",
        "--meta",
        "none",
    ]
    subprocess.run([sys.executable, *command], cwd=folder, check=True, capture_output=True)
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"billing_client.{name}")
    sys.path.remove(str(folder))


def _yaml():
    said = StringIO()
    call_command("spectacular", stdout=said)
    return said.getvalue()


@pytest.mark.django_db
def test_a_client_that_is_written_from_it_makes_an_invoice_and_a_rebill(acme, written):
    TaxRateFactory(client=acme)
    account = an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00"}))
    auth_key = create_key(acme, name="x", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    token = base64.b64encode(f"{acme.pk}:{auth_key}".encode()).decode()
    api = written("client").AuthenticatedClient(base_url="http://testserver", token=token, prefix="Basic")
    transport = httpx.WSGITransport(app=application)
    headers = {"Authorization": f"Basic {token}"}
    api.set_httpx_client(httpx.Client(base_url="http://testserver", transport=transport, headers=headers))
    models = written("models")
    made = written("api.invoices.invoice_create").sync(client=api, body=models.CreationArgumentsRequest(acct_no=account.pk))
    assert (made.total_amount, made.status, len(made.lines)) == ("55.00", "approved", 3)
    line = models.ChangedLineArgumentsRequest(line_no=1, units="0.5")
    asked = models.RebillArgumentsRequest(invoice_no=made.invoice_no, reason_code=1, lines=[line])
    rebill = written("api.rebills.rebill_create").sync(client=api, body=asked)
    assert (rebill.total_amount, rebill.kind, rebill.corrects) == ("16.50", "rebill", made.invoice_no)
    called = models.GenInvoiceRequest(client_no=acme.pk, auth_key=auth_key, acct_no=account.pk)
    answer = written("api.arias_method_calls.gen_invoice").sync(client=api, body=called)
    assert (answer.error_code, answer.error_msg) == (0, "OK")


TRUE_HERE = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    missing_required_header,
    unsupported_method,
    ignored_auth,
]
"""The checks that every answer must pass. Three checks are left out:

- positive_data_acceptance: a value of the right form is refused (400) for reasons that no schema can express: a currency that
  ISO does not know, a coupon with both percent and amount, a reason that the client does not have.
- use_after_free and ensure_resource_availability compare successive requests, but here each request is independent.
"""


@pytest.fixture(scope="module")
def seeded(django_db_setup, django_db_blocker):
    from django.db import transaction

    from accounts.callers import Caller
    from tests.support.factories import ClientFactory

    with django_db_blocker.unblock():
        whole = transaction.atomic()
        whole._from_testcase = True
        with whole:
            client = ClientFactory()
            account = an_account(client)
            bill(account, Caller(process="test"), JAN_10)
            yield client, create_key(client, name="fuzz", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
            transaction.set_rollback(True)


@SCHEMA.parametrize()
@settings(max_examples=20 if SOAKS else 1, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_it_allows_is_answered_as_it_says(case, seeded, db):
    client, auth_key = seeded
    token = base64.b64encode(f"{client.pk}:{auth_key}".encode()).decode()
    if isinstance(case.body, dict) and "auth_key" in case.body:
        case.body = {**case.body, "client_no": client.pk, "auth_key": auth_key}
    headers = {"Authorization": f"Basic {token}"}
    response = case.call(headers=headers)
    assert response.status_code < 500 or response.status_code == 502, response.text
    assert b'"error_code":1001' not in response.content
    # A method call answers HTTP 200 to wrong values too: its error_code says so, which the check does not look at.
    blind = [negative_data_rejection] if "Aria's method calls" in case.operation.definition.raw["tags"] else []
    case.validate_response(response, checks=TRUE_HERE, excluded_checks=blind, headers=headers)
