"""Whatever is sent to the REST resources, they answer as the one table says: never by a failure of the server."""

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import urlencode

import pytest
from django.test import Client as Browser
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from accounts.keys import create_key
from billing_site.api import router
from billing_site.errors import LONGEST_MESSAGE
from tests.support.billing import JAN_10, bill
from tests.support.calling import RIGHTS
from tests.support.factories import BY_TEST, TaxRateFactory, an_account
from tests.support.hostile import HOSTILE, SOAKS, as_body, hostile_members, share_of_values, written

EXAMPLES = 60 if SOAKS else 2
DESCRIBED = SchemaGenerator().get_schema(request=None, public=True)
ACTS = {
    path: operations["post"]
    for path, operations in DESCRIBED["paths"].items()
    if "post" in operations and operations["post"]["tags"] != ["Aria's method calls"]
}
READS = {path: operations["get"] for path, operations in DESCRIBED["paths"].items() if "get" in operations}
ORDERS = [(name, order) for name, viewset, _ in router.registry for order in getattr(viewset, "ordering", {})]

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(acme, process):
    TaxRateFactory(client=acme)
    return bill(an_account(acme), process, JAN_10)


@pytest.fixture
def ask(acme):
    """Asks as a key that may do anything. The answer is no failure of the server; a refusal, or that a mail server failed
    (502), is a row of the table."""
    key = create_key(acme, name="stranger", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    token = b64encode(f"{acme.pk}:{key}".encode()).decode()
    browser = Browser(raise_request_exception=False, HTTP_AUTHORIZATION=f"Basic {token}")

    def ask(method, path, body=b"", query="", **headers):
        address = f"{path}?{query}" if query else path
        response = browser.generic(method, address, body, content_type="application/json", **headers)
        assert response.status_code < 500 or response.status_code == 502, response.content
        if response.status_code >= 400:
            refusal = response.json()
            assert refusal["error_code"] not in (0, 1001)
            assert len(response.content) < 100 * LONGEST_MESSAGE
        return response

    return ask


@pytest.fixture
def good(invoice):
    """What bodies may name, so that hostile values among it come further than to the first field."""
    line = invoice.lines.order_by("line_no")[0]
    return {
        "acct_no": invoice.account_id,
        "invoice_no": invoice.pk,
        "invoice_nos": [invoice.pk],
        "reason_code": 1,
        "amount": "1.00",
        "type": "check",
        "service": line.service_id,
        "plan": line.plan_instance.plan_id,
        "rate_per_unit": "2.50",
        "lines": [{"line_no": 1}],
        "start_date": "2026-02-01",
        "name": "A name",
    }


def asked_of(act):
    """The names of a body's members."""
    content = act.get("requestBody", {}).get("content", {}).get("application/json", {})
    reference = content.get("schema", {}).get("$ref", "")
    return list(DESCRIBED["components"]["schemas"][reference.rsplit("/", 1)[-1]]["properties"]) if reference else []


def address(path, invoice):
    return path.replace("{id}", str(invoice.pk)).replace("{run}", "1")


@pytest.mark.parametrize(("place", "path"), list(enumerate(ACTS)), ids=ACTS)
def test_hostile_values_in_bodies(place, path, ask, good, invoice):
    names = asked_of(ACTS[path])
    for members in hostile_members(names, place):
        ask("POST", address(path, invoice), as_body(members))
    plain = written({name: value for name, value in good.items() if name in names})

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(some.dictionaries(some.sampled_from([*names, "x"]), some.sampled_from(sorted(HOSTILE.values())), max_size=2))
    def tried(hostile):
        ask("POST", address(path, invoice), as_body({**plain, **hostile}))

    tried()


@pytest.mark.parametrize("path", READS)
def test_hostile_values_in_queries(path, ask, invoice):
    names = [one["name"] for one in READS[path].get("parameters", ()) if one["in"] == "query"]
    texts = [str(json.loads(value)) for value in HOSTILE.values() if len(value) < 5000]
    values = some.sampled_from(texts) | some.text(max_size=10)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(some.dictionaries(some.sampled_from([*names, "x"]), values, min_size=1, max_size=2))
    def tried(asked):
        ask("GET", address(path, invoice), query=urlencode(asked, errors="surrogatepass"))

    tried()


@pytest.mark.parametrize(("place", "order"), list(enumerate(ORDERS)), ids=["-".join(order) for order in ORDERS])
def test_hostile_cursors(place, order, ask):
    resource, name = order
    for value in share_of_values(place):
        for cursor in (f"[false, {value}, 1]", f"[true, {value}, {value}]", value):
            asked = {"ordering": name, "cursor": urlsafe_b64encode(cursor.encode()).decode()}
            ask("GET", f"/api/v1/{resource}/", query=urlencode(asked))


@pytest.mark.parametrize("cursor", ["%", "\0", "é", "A", "=" * 1000, "W1tb" * 2000])
def test_cursors_that_are_none(cursor, ask, invoice):
    assert ask("GET", "/api/v1/invoices/", query=urlencode({"cursor": cursor})).status_code == 400


@pytest.mark.parametrize("headers", [{}, {"HTTP_IDEMPOTENCY_KEY": "once"}])
@pytest.mark.parametrize(
    "body",
    [
        b'{"acct_no":' + b"[" * 1000 + b"]" * 1000 + b"}",
        b'{"acct_no":' + b"[" * 300_000,
        b'{"acct_no": NaN}',
        b'{"acct_no": 1e999999}',
        b'{"acct_no": ' + b"1" * 5000 + b"}",
        b'{"acct_no": "' + b"x" * 10_000_000 + b'"}',
        b'{"acct_no": "\xff"}',
        b'{"acct_no": "\0"}',
        b"[1]",
        b"1",
        b'{"a":[' + b"[]," * 2_000_000 + b"1]}",
    ],
    ids=["deep", "deeper", "NaN", "no double", "long number", "10 MB", "no UTF-8", "NUL", "list", "number", "many lists"],
)
def test_bodies_that_cannot_be_read(body, headers, ask):
    response = ask("POST", "/api/v1/invoices/", body, **headers)
    status = 413 if len(body) > 8_000_000 else 400
    assert (response.status_code, response.json()["error_code"]) == (status, 1012)


@pytest.mark.parametrize(
    ("path", "member", "item"),
    [
        ("/api/v1/invoices/approve/", "invoice_nos", {}),
        ("/api/v1/rebills/bulk/", "rebills", {}),
        ("/api/v1/usage/", "records", {}),
        ("/api/v1/plans/", "charges", {}),
        ("/api/v1/payments/", "invoices", {}),
        ("/api/v1/credit-memos/", "lines", {}),
    ],
)
def test_lists_that_are_too_long_are_refused_before_their_items(path, member, item, ask):
    response = ask("POST", path, json.dumps({member: [item] * 100_000}))
    assert str(response.json()["errors"][member]).startswith("['Ensure this field has no more than")


NO_METHODS = ("PUT", "TRACE", "PROPFIND", "CLIENT", "\u00e9")


@pytest.mark.parametrize(
    ("path", "method"),
    [
        *(("/api/v1/accounts/", method) for method in ("PATCH", "DELETE", *NO_METHODS)),
        *(("/api/v1/invoices/1/", method) for method in ("DELETE", *NO_METHODS)),
        *(("/api/v1/rates/999999999999999999/", method) for method in NO_METHODS),
    ],
)
def test_methods_that_are_none(method, path, ask, invoice):
    assert ask(method, path, b'{"a": "\xff', HTTP_IDEMPOTENCY_KEY="once").status_code in (404, 405)
