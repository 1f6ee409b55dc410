"""Method calls in tests, through Aria's single address."""

import json

from django.apps import apps
from django.db import connection
from django.test import Client as Browser

from accounts.keys import create_key
from accounts.models import ApiCall, Event, PersonalDataAccess
from accounts.rights import KEY_RIGHTS
from billing_site.api import METHODS
from tests.support.factories import BY_TEST

RIGHTS = KEY_RIGHTS
SETTING_UP = ("may_change_catalogue", "may_change_customers", "may_change_settings")
DAILY = dict.fromkeys((*SETTING_UP, "may_add_usage", "may_give_credits"), True)
"""The rights of a program that sets up what is billed but makes no decisions."""


def caller_of(client):
    """Return a function that calls methods with a key of the client, as in `call("gen_invoice", acct_no=1)`, and checks the
    fields."""
    auth_key = create_key(client, name="integrator", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]

    def call(rest_call, **members):
        body = {"client_no": client.pk, "auth_key": auth_key, "rest_call": rest_call, "output_format": "json", **members}
        browser = Browser(raise_request_exception=False)
        response = browser.post("/v1/core", json.dumps(body, default=str), content_type="application/json")
        assert (response.status_code, response["Content-Type"]) == (200, "application/json")
        answer = response.json()
        outputs = getattr(METHODS[rest_call], rest_call).method_call.outputs
        assert set(answer) == {"error_code", "error_msg", *outputs}, set(answer) ^ {"error_code", "error_msg", *outputs}
        return answer

    return call


def refused(answer, code, text=""):
    """Check that the call was refused with this code. All outputs are null, except the gateway's answer to a collection."""
    assert (answer["error_code"], text in answer["error_msg"]) == (code, True), answer
    said = {name for name in answer if name.startswith("proc_")} | {"error_code", "error_msg", "collection_errors"}
    assert all(answer[name] is None for name in answer.keys() - said)


def rows_stored():
    """Return the number of rows of each table, without the call log and the events, which record refusals, and without who has
    seen personal data, which reading records."""
    tables = [model._meta.db_table for model in apps.get_models() if model not in (ApiCall, Event, PersonalDataAccess)]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in tables))
        return dict(cursor.fetchall())
