"""How often the calls that integrators make all day ask the database, BEGIN and COMMIT included.

Each statement to PostgreSQL is a round trip to its server. SQLite has none, so several statements are not sent as one there.
"""

import base64
import json

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from accounts.keys import create_key
from tests.support.factories import BY_TEST, TaxRateFactory, an_account

pytestmark = pytest.mark.django_db(transaction=True)


class Caller:
    """A program that calls with a key of a client."""

    def __init__(self, client):
        auth_key = create_key(client, name="integrator", may_rebill=True, caller=BY_TEST)[1]
        self.credentials = {"client_no": client.pk, "auth_key": auth_key}
        basic = base64.b64encode(f"{client.pk}:{auth_key}".encode()).decode()
        self.browser = Browser(headers={"Authorization": f"Basic {basic}"})

    def call(self, name, **arguments):
        body = json.dumps({"rest_call": name, "output_format": "json", **self.credentials, **arguments})
        answer = self.browser.post("/v1/core", body, content_type="application/json").json()
        assert answer["error_code"] == 0, answer
        return answer

    def read(self, invoice_no):
        answer = self.browser.get(f"/api/v1/invoices/{invoice_no}/")
        assert answer.status_code == 200
        return answer.json()


@pytest.fixture
def program(acme):
    TaxRateFactory(client=acme)
    return Caller(acme)


def trips(work):
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def most(*, postgresql, sqlite):
    return postgresql if connection.vendor == "postgresql" else sqlite


def test_generating_one_invoice(acme, program):
    first, second = an_account(acme), an_account(acme)
    program.call("gen_invoice", acct_no=first.pk)
    assert trips(lambda: program.call("gen_invoice", acct_no=second.pk)) == most(postgresql=13, sqlite=26)


def test_reading_one_invoice_with_its_actions(acme, program):
    first, second = (program.call("gen_invoice", acct_no=an_account(acme).pk)["invoice_no"] for _ in range(2))
    program.read(first)
    assert trips(lambda: program.read(second)) == most(postgresql=4, sqlite=23)


def test_rebilling_one_invoice(acme, program):
    accounts = [an_account(acme) for _ in range(2)]
    originals = [program.call("gen_invoice", acct_no=account.pk)["invoice_no"] for account in accounts]

    def rebill(place):
        line = {"line_no": 1, "service_no": accounts[place].plan_instances.get().plan.charges.get().service_id}
        return {
            "acct_no": accounts[place].pk,
            "orig_invoice_no": originals[place],
            "reason_cd": 1,
            "do_collect": "false",
            "rb_line_items": [line | {"rb_rate_per_unit": 8.99}],
        }

    first, second = rebill(0), rebill(1)
    program.call("gen_rb_m", **first)
    assert trips(lambda: program.call("gen_rb_m", **second)) == most(postgresql=31, sqlite=98)
