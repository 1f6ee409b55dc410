"""What is due by age, as a resource and as a command: literal days on both sides of each age."""

from datetime import UTC, date, datetime
from decimal import Decimal as D
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError

from invoices.services.money.ledger.payments import record_external_payment
from invoices.services.money.receivables import Ages, add_up_by_currency, receivables
from tests.support.billing import JAN_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.money_api import get, with_key

pytestmark = pytest.mark.usefixtures("audited")


@pytest.mark.parametrize(
    ("day", "age"),
    [
        (date(2026, 1, 10), "current"),
        (date(2026, 1, 24), "current"),
        (date(2026, 1, 25), "days_30"),
        (date(2026, 2, 23), "days_30"),
        (date(2026, 2, 24), "days_60"),
        (date(2026, 3, 25), "days_60"),
        (date(2026, 3, 26), "days_90"),
        (date(2026, 4, 24), "days_90"),
        (date(2026, 4, 25), "over_90"),
    ],
)
def test_an_invoice_ages_from_the_day_after_its_due_date(acme, process, day, age):
    """Issued on 10 January with 14 days to pay: due on the 24th."""
    bill(an_account(acme), process, JAN_10)
    (row,) = receivables(acme, day)
    assert row.ages == Ages()._replace(**{age: 30})


def test_accounts_and_currencies_have_rows_and_totals_of_their_own(acme, umbra, process):
    dollars = an_account(acme)
    yen = an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy")
    paid = an_account(acme)
    for account in (dollars, yen, paid):
        bill(account, process, JAN_10)
    bill(dollars, process, date(2026, 2, 10))
    for account, amount in ((paid, D(30)), (dollars, D(12))):
        record_external_payment(client=acme, account_no=account.pk, caller=process, today=JAN_10, amount=amount, type="cash")
    bill(an_account(umbra), process, JAN_10)
    rows = list(receivables(acme, date(2026, 2, 10)))
    assert [(row.account_no, row.currency, row.ages, row.balance, row.unapplied) for row in rows] == [
        (dollars.pk, "usd", Ages(current=30, days_30=18), 48, 0),
        (yen.pk, "jpy", Ages(days_30=1000), 1000, 0),
    ]
    assert add_up_by_currency(iter(rows)) == {"usd": Ages(current=30, days_30=18), "jpy": Ages(days_30=1000)}


def test_the_resource_and_the_command_say_the_same(acme, process):
    account = an_account(acme)
    bill(account, process, JAN_10)
    api = with_key(acme)
    with time_machine.travel(datetime(2026, 2, 24, 12, tzinfo=UTC), tick=False):
        (row,) = get(api, "receivables", acct_no=account.pk)["results"]
        assert get(api, "receivables", acct_no=account.pk + 1)["results"] == []
        totals = get(api, "receivables/totals")
        out = StringIO()
        call_command("receivables", acme.pk, stdout=out)
    assert row == {
        "acct_no": account.pk,
        "client_acct_id": account.client_acct_id,
        "currency": "usd",
        "current": "0.00",
        "days_30": "0.00",
        "days_60": "30.00",
        "days_90": "0.00",
        "over_90": "0.00",
        "total_due": "30.00",
        "unapplied_credit": "0.00",
        "balance": "30.00",
    }
    assert (totals["today"], totals["totals"][0]["days_60"]) == ("2026-02-24", "30.00")
    head, _columns, line, total = out.getvalue().splitlines()
    assert head == "Open amounts on 2026-02-24"
    assert line.split() == [str(account.pk), account.client_acct_id, "usd", "0.00", "0.00", "30.00", "0.00", "0.00", "30.00"]
    assert total.split() == ["total", "usd", "0.00", "0.00", "30.00", "0.00", "0.00", "30.00"]


def test_the_command_refuses_a_client_that_does_not_exist(db):
    with pytest.raises(CommandError, match="Client 77 does not exist"):
        call_command("receivables", 77)
