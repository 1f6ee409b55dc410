"""Calls of the money API, by key or by session, and the rows that they write."""

import base64

from rest_framework.test import APIClient

from accounts.keys import create_key
from invoices.models import Allocation, CollectionAttempt, Invoice, LedgerEntry, Payment, Refund
from tests.support.calling import DAILY
from tests.support.factories import BY_TEST

MONEY = (LedgerEntry, Allocation, Payment, Refund, CollectionAttempt, Invoice)


def with_key(client, **rights):
    key, auth_key = create_key(client, name="integrator", **{**DAILY, **rights}, caller=BY_TEST)
    api = APIClient()
    api.key = {"client_no": client.pk, "auth_key": auth_key}
    api.credentials(HTTP_AUTHORIZATION="Basic " + base64.b64encode(f"{client.pk}:{auth_key}".encode()).decode())
    return api


def post(api, path, body=None, status=None):
    answer = api.post(f"/api/v1/{path}/", body or {}, format="json")
    assert status is None or answer.status_code == status, answer.json()
    return answer.json()


def get(api, path, **query):
    answer = api.get(f"/api/v1/{path}/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def rows():
    return [model.objects.count() for model in MONEY]
