"""Invoices over REST: a caller on 10 January, and invoices that are approved or pending."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest
import time_machine
from rest_framework.test import APIClient

from accounts.callers import Caller
from accounts.clock import today
from accounts.keys import create_key
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.calling import DAILY
from tests.support.factories import BY_TEST

API = "/api/v1/invoices/"


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 12, tzinfo=UTC), tick=False):
        yield


def signed_in(client, **rights):
    _, auth_key = create_key(client, name="integrator", **{**DAILY, **rights}, caller=BY_TEST)
    api = APIClient(raise_request_exception=False)
    api.credentials(HTTP_AUTHORIZATION=f"Basic {b64encode(f'{client.pk}:{auth_key}'.encode()).decode()}")
    return api


@pytest.fixture
def api(acme):
    return signed_in(acme, may_approve=True)


def post(api, address, body=None, status=200):
    response = api.post(f"{API}{address}", body or {}, format="json")
    assert response.status_code == status, response.json()
    return response.json()


def billed(account, caller=None, **request):
    """The number of an invoice that another caller has generated."""
    return generate_invoice(
        client=account.client,
        account_no=account.pk,
        request=BillingRequest(today(account.client), **request),
        caller=caller or Caller(process="test"),
    )


def pending(account, **request):
    return billed(account, force_pending=True, **request)
