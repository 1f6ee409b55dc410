"""Equal calls of Aria's at the same moment, under one receipt id: usage is recorded once."""

from functools import partial

import pytest
from django.db import connection

from invoices.models import Usage
from tests.support.billing import metered
from tests.support.calling import caller_of
from tests.support.factories import ClientFactory
from tests.support.money_races import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]


@pytest.mark.parametrize("method", ["record_usage_m", "bulk_record_usage_m"])
def test_equal_calls_at_once_record_usage_once(transactional_db, method):
    client = ClientFactory()
    account = metered(client)[0]
    call = caller_of(client)
    row = {"acct_no": account.pk, "usage_type_code": "calls", "usage_units": 5, "usage_date": "2026-01-12"}
    asked = row if method == "record_usage_m" else {"usage_recs": [row]}
    for number in range(5):
        answers = at_once(*[partial(call, method, **asked, client_receipt_id=f"r{number}")] * 5)
        assert [one["error_code"] for one in answers] == [0] * 5
        assert all(one == answers[0] for one in answers)
        assert Usage.objects.count() == number + 1
