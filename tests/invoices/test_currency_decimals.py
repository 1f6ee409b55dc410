"""Money of currencies whose coins and whose law differ: at every door it has the decimals of ISO 4217."""

from decimal import Decimal as D

import pytest

from invoices.models import Invoice
from tests.support.billing import JAN_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.money_api import post, with_key

pytestmark = pytest.mark.usefixtures("audited")

AMOUNTS = [
    ("rsd", "1234.56"),
    ("iqd", "10.125"),
    *((currency, "10.25") for currency in ("lbp", "irr", "afn", "lak", "mga", "mmk", "sos", "syp", "yer", "kpw", "mru", "huf")),
    ("all", "99.99"),
    ("clf", "1.2345"),
    ("uyw", "1.2345"),
]


@pytest.mark.parametrize(("currency", "amount"), AMOUNTS)
def test_an_invoice_has_all_its_decimals_and_is_paid_to_the_last(acme, process, client, admin_user, currency, amount):
    account = an_account(acme, a_plan(acme, {"phone": amount}, currency=currency), currency=currency)
    number = bill(account, process, JAN_10).pk
    api = with_key(acme, may_collect=True)
    shown = api.get(f"/api/v1/invoices/{number}/").json()
    assert (shown["total_amount"], shown["lines"][0]["amount"]) == (amount, amount)
    assert f",{amount}," in api.get("/api/v1/invoices/", headers={"Accept": "text/csv"}).getvalue().decode()

    client.force_login(admin_user)
    figure = f"{D(amount):,}"
    for page in (f"/invoices/{number}/", f"/invoices/{number}/print/", "/invoices/", f"/accounts/{account.pk}/"):
        assert figure in client.get(page).content.decode(), page
    assert figure in client.get(f"/admin/invoices/invoice/{number}/change/").content.decode().replace("\xa0", ",")

    paid = {"acct_no": account.pk, "amount": amount, "type": "check", "reference": "x"}
    assert post(api, "payments", paid, 201)["amount"] == f"-{amount}"
    assert api.get(f"/api/v1/invoices/{number}/").json()["amount_due"] == f"{D(amount) * 0:f}"


def test_more_decimals_than_the_currency_has_are_refused(acme, process):
    account = an_account(acme, a_plan(acme, {"phone": "10.125"}, currency="iqd"), currency="iqd")
    bill(account, process, JAN_10)
    api = with_key(acme, may_collect=True)
    paid = {"acct_no": account.pk, "amount": "1.0005", "type": "check", "reference": "x"}
    answer = post(api, "payments", paid, 400)
    assert (answer["error_code"], list(answer["errors"])) == (1016, ["amount"])
    assert "0.001" in answer["error_msg"]


def test_the_queue_tells_the_browser_how_many_decimals_to_write(umbra, process, client, admin_user):
    account = an_account(umbra, a_plan(umbra, {"phone": "1234.56"}, currency="rsd"), currency="rsd")
    bill(account, process, JAN_10)
    assert Invoice.objects.get().status == "pending"
    client.force_login(admin_user)
    page = client.get("/invoices/pending/").content.decode()
    assert 'data-currency="rsd" data-units="123456" data-decimals="2"' in page
    assert "RSD1,234.56" in page
