"""Calls of the API of accounts, by key or by session."""

from base64 import b64encode

from rest_framework.test import APIClient

from accounts.keys import create_key
from tests.support.calling import DAILY
from tests.support.factories import BY_TEST

API = "/api/v1"


def with_key(client, **rights):
    _, auth_key = create_key(client, name="integrator", **{**DAILY, **rights}, caller=BY_TEST)
    api = APIClient(raise_request_exception=False)
    api.credentials(HTTP_AUTHORIZATION=basic(f"{client.pk}:{auth_key}"))
    return api


def basic(pair):
    return f"Basic {b64encode(pair.encode()).decode()}"


def create(api, resource, body):
    response = api.post(f"{API}/{resource}/", body, format="json")
    assert response.status_code == 201, response.json()
    return response.json()


def wrong(api, resource, body):
    """Return the error code, message and fields of a refused body, after checking its HTTP status."""
    response = api.post(f"{API}/{resource}/", body, format="json")
    assert 400 <= response.status_code < 500, response.json()
    answer = response.json()
    return answer["error_code"], answer["error_msg"], answer["errors"]
