"""Pending documents over REST: previewed, adjusted, recalculated with their number, and their versions."""

from decimal import Decimal as D

import pytest

from accounts.models import RateSchedule
from invoices.models import Adjustment, Invoice
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.invoice_api import pending, signed_in, tenth_of_january  # noqa: F401 - a fixture
from tests.support.reading_pages import queries

pytestmark = pytest.mark.usefixtures("audited")
PENDING = "/api/v1/pending/"


@pytest.fixture
def account(acme):
    TaxRateFactory(client=acme)  # 10 percent
    return an_account(acme, a_plan(acme, {"phone": "30.00", "tv": "20.00", "net": "50.00"}))


@pytest.fixture
def biller(acme):
    return signed_in(acme, may_rebill=True)


@pytest.fixture
def approver(acme):
    return signed_in(acme, may_approve=True)


def post(api, address, body=None, status=200):
    response = api.post(f"/api/v1/{address}", body or {}, format="json")
    assert response.status_code == status, response.json()
    return response.json()


def adjust(api, number, body, status=200):
    seen = post(api, f"pending/{number}/preview/", body)["fingerprint"]
    return post(api, f"pending/{number}/adjust/", {**body, "reason_code": 1, "fingerprint": seen}, status)


RATE = {"lines": [{"line_no": 1, "rate_per_unit": "27.00"}, {"line_no": 2, "exclude": True}]}


def test_a_preview_writes_nothing_and_says_all(account, biller):
    number = pending(account)
    preview = post(biller, f"pending/{number}/preview/", RATE)
    assert preview["generated"] == {"net_amount": "100.00", "tax_amount": "10.00", "total_amount": "110.00"}
    assert preview["adjusted"] == {"net_amount": "77.00", "tax_amount": "7.70", "total_amount": "84.70"}
    assert preview["difference"]["total_amount"] == "-25.30"
    assert [line["changes"] for line in preview["lines"]] == [["rate 30 -> 27", "amount 30 -> 27"], ["left out"], []]
    assert preview["version"] == 1
    assert not Adjustment.objects.exists()


def test_what_was_previewed_is_adjusted_recalculated_and_approved(account, biller, approver):
    number = pending(account)
    done = adjust(biller, number, RATE)
    assert (done["invoice_no"], done["version"], done["status"], done["total_amount"]) == (number, 2, "pending", "84.70")
    assert [(one["line_no"], one["title"], one["requested"]) for one in done["adjustments"]] == [
        (1, "Phone", {"rate_per_unit": "27"}),
        (2, "Tv", {"exclude": True}),
    ]
    assert [line["amount"] for line in done["generated"]["lines"]] == ["30.00", "20.00", "50.00", "10.00"]
    assert post(approver, f"invoices/{number}/regenerate/", status=409)["error_code"] == 90241
    RateSchedule.objects.filter(charge__service__client_service_id="net").update(rate_per_unit=D(60))
    again = post(approver, f"invoices/{number}/recalculate/", {"reason": "new price"})
    assert (again["invoice_no"], again["total_amount"]) == (number, "95.70")
    versions = approver.get(f"{PENDING}{number}/versions/").json()["versions"]
    assert [(one["version"], one["act"], one["amounts"]["total_amount"], one["comments"]) for one in versions] == [
        (1, "generated", "110.00", ""),
        (2, "adjusted", "84.70", ""),
        (3, "recalculated", "95.70", "new price"),
    ]
    assert [one["changes"] for one in versions[1]["differences"]] == [["rate 30 -> 27", "amount 30 -> 27"], ["left out"]]
    assert [one["changes"] for one in versions[2]["differences"]] == [["rate 50 -> 60", "amount 50 -> 60"]]
    shown = approver.get(f"/api/v1/invoices/{number}/").json()
    issued = post(approver, f"invoices/{number}/approve/", {"fingerprint": shown["fingerprint"]})
    assert (issued["status"], issued["total_amount"]) == ("approved", "95.70")
    assert Invoice.objects.count() == 1


def test_a_fingerprint_is_required_and_must_hold(account, biller):
    number = pending(account)
    assert post(biller, f"pending/{number}/adjust/", {**RATE, "reason_code": 1}, 400)["errors"].keys() == {"fingerprint"}
    seen = post(biller, f"pending/{number}/preview/", RATE)["fingerprint"]
    other = {"lines": [{"line_no": 3, "amount": "1.00"}], "reason_code": 1, "fingerprint": seen}
    answer = post(biller, f"pending/{number}/adjust/", other, 409)
    assert (answer["error_code"], answer["error_msg"].count("lines")) == (90003, 1)


def test_a_line_is_added_and_an_adjustment_withdrawn(account, biller):
    number = pending(account)
    added = {"lines": [{"line_no": 5, "client_service_id": "phone", "amount": "-10.00"}]}
    assert adjust(biller, number, added)["total_amount"] == "99.00"
    assert adjust(biller, number, {})["total_amount"] == "110.00"
    assert post(biller, f"pending/{number}/preview/", {})["version"] == 3


def test_the_list_has_what_is_pending_or_was_changed(account, biller, approver):
    number = pending(account)
    rows = biller.get(PENDING, {"acct_no": account.pk}).json()["results"]
    assert [(row["invoice_no"], row["version"], row["total_amount"]) for row in rows] == [(number, 1, "110.00")]
    post(approver, f"invoices/{number}/approve/")
    assert biller.get(PENDING).json()["results"] == []


def test_the_number_of_queries_is_constant(acme, account, biller):
    number = pending(account)
    adjust(biller, number, RATE)
    addresses = (PENDING, f"{PENDING}{number}/", f"{PENDING}{number}/versions/")
    few = [queries(lambda address=address: biller.get(address)) for address in addresses]
    for _ in range(3):
        pending(an_account(acme))
    adjust(biller, number, {"lines": [*RATE["lines"], {"line_no": 3, "amount": "1.00"}]})
    assert [queries(lambda address=address: biller.get(address)) for address in addresses] == few


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"lines": [{"line_no": 1, "rate": "1"}]}, "rate"),
        ({"line": []}, "line"),
        ({"usage_corrections": [{"units": "1", "client_service_id": "x"}]}, "client_service_id"),
    ],
)
def test_unknown_members_are_refused_by_name(account, biller, body, field):
    answer = post(biller, f"pending/{pending(account)}/preview/", body, 400)
    assert field in answer["error_msg"]


def test_a_key_without_the_right_is_refused(account, approver):
    number = pending(account)
    assert (
        post(approver, f"pending/{number}/adjust/", {**RATE, "reason_code": 1, "fingerprint": "x"}, 403)["error_code"] == 90028
    )


def test_recalculating_many_names_those_that_are_refused(acme, account, approver):
    number, discarded = pending(account), pending(an_account(acme))
    post(approver, f"invoices/{discarded}/discard/")
    outcomes = post(approver, "invoices/recalculate/", {"invoice_nos": [discarded, number]})["outcomes"]
    assert [(one["invoice_no"], one["error_code"]) for one in outcomes] == [(discarded, 3015), (number, 0)]


def test_discounts_are_taken_off_a_line_and_all_lines(account, biller):
    number = pending(account)
    done = adjust(biller, number, {"lines": [{"line_no": 1, "discount_percent": "50"}], "discount_percent": 10})
    assert done["total_amount"] == "85.80"  # 15 + 18 + 45, and 10 percent
    assert [(one["line_no"], one["requested"]) for one in done["adjustments"]] == [
        (1, {"discount_percent": "50"}),
        (0, {"discount_percent": "10"}),
    ]
    answer = post(biller, f"pending/{number}/preview/", {"discount_percent": "100.5"}, 400)
    assert (answer["error_code"], list(answer["errors"])) == (1016, ["discount_percent"])
