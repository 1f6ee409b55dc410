"""Campaigns over REST and by `manage.py rebill_campaign`."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.core.management import CommandError, call_command

from accounts.callers import Caller
from accounts.models import ApiKey
from invoices.models import Invoice
from invoices.services.money.ledger.payments import record_external_payment
from rebills.api.campaign_serializers import OptionArguments
from rebills.models import RebillCampaign
from rebills.pages.campaign_forms import OPTION_FIELDS
from rebills.services.campaigns.campaigns import CampaignOptions, approve_campaign
from tests.support.billing import JAN_10, bill
from tests.support.campaigns import previewed, states
from tests.support.factories import ClientFactory, TaxRateFactory, a_plan, an_account
from tests.support.money_api import get, post, with_key
from tests.support.paying import due
from tests.support.rebilling import amounts_of

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def end_of_january():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def invoices(acme, process):
    TaxRateFactory(client=acme)
    plan = a_plan(acme, {"phone": "30.00", "net": "50.00"})
    return [bill(an_account(acme, plan), process, JAN_10) for _ in range(3)]


@pytest.fixture
def api(acme):
    """A key of a person who builds campaigns."""
    return _key_of(acme, "ann")


@pytest.fixture
def boss(acme):
    """A key of another person."""
    return _key_of(acme, "bob")


def _key_of(client, person):
    made = with_key(client, may_rebill=True, may_approve=True, may_collect=True)
    key = ApiKey.objects.latest("pk")
    ApiKey.objects.filter(pk=key.pk).update(stands_for=[f"staff:{person}"])
    return made


def worked(answer):
    return previewed(RebillCampaign.objects.get(pk=answer["id"]))


BODY = {
    "name": "Wrong price",
    "selection": {"services": ["phone"], "rate": "30", "charged_from": "2026-01-01"},
    "rules": [{"change": "factor", "value": "0.98", "services": ["phone"], "decimals": 2}],
    "reason_code": 1,
}


def test_a_campaign_is_built_seen_approved_run_and_read_as_csv(api, boss, invoices):
    made = post(api, "rebill-campaigns", BODY, status=201)
    assert (made["state"], made["counts"], made["totals"]) == ("previewing", {"waiting": 3}, [])
    number = worked(made).pk
    seen = get(api, f"rebill-campaigns/{number}")
    assert (seen["state"], seen["counts"]) == ("previewed", {"ready": 3})
    (totals,) = seen["totals"]
    amounts = ("total_before", "total_after", "difference", "tax_before", "tax_after", "due")
    assert [totals[name] for name in amounts] == ["264.00", "262.02", "-1.98", "24.00", "23.82", "262.02"]
    item = get(api, f"rebill-campaigns/{number}/items")["results"][0]
    lines = get(api, f"rebill-campaigns/{number}/items/{item['id']}/lines")
    assert (lines["difference"]["total_amount"], item["difference"]) == ("-0.66", "-0.66")
    assert post(api, f"rebill-campaigns/{number}/approve", {"fingerprint": seen["fingerprint"]})["error_code"] == 90187
    post(boss, f"rebill-campaigns/{number}/approve", {"fingerprint": seen["fingerprint"]}, status=200)
    post(api, f"rebill-campaigns/{number}/run", {}, status=200)
    worked(made)
    done = get(api, f"rebill-campaigns/{number}")
    assert (done["state"], done["counts"], done["statements_held"]) == ("finished", {"rebilled": 3}, 3)
    sent = post(boss, f"rebill-campaigns/{number}/send_statements", {}, status=200)
    assert sent["statements_held"] == 0
    text = b"".join(api.get(f"/api/v1/rebill-campaigns/{number}/items/", HTTP_ACCEPT="text/csv").streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["document_number"], row["total_before"], row["total_after"]) for row in rows] == [
        (f"INV-00000{place}", "88.00", "87.34") for place in (1, 2, 3)
    ]
    assert {row["rebill_no"] for row in rows} == {str(one.pk) for one in Invoice.objects.filter(kind="rebill")}


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"selection": {}}, 1016, "selection"),
        ({"selection": {"services": ["gas"]}}, 1016, "services"),
        ({"selection": {"rate": "31"}}, 90181, "selection"),
        ({"rules": []}, 1016, "rules"),
        ({"rules": [{"change": "rate"}]}, 1016, "rules[0].value"),
        ({"rules": [{"change": "drop", "value": "1"}]}, 1016, "rules[0].value"),
        ({"rules": [{"change": "discount", "value": "101"}]}, 1016, "rules[0].value"),
        ({"rules": [{"change": "add", "value": "1", "number": 99}]}, 1016, "rules[0].number"),
        ({"rules": [{"change": "rate", "value": "1", "plans": ["gone"]}]}, 1016, "rules[0].plans"),
        ({"reason_code": 77}, 3024, None),
        ({"changes": [{"invoice": "INV-000001", "line": 1, "field": "rate", "value": "1"}]}, 1016, "selection"),
    ],
)
def test_what_is_not_understood_is_refused_by_its_name(api, invoices, change, code, field):
    answer = post(api, "rebill-campaigns", {**BODY, **change})
    assert (answer["error_code"], field in answer["errors"] or field is None) == (code, True), answer
    assert not RebillCampaign.objects.exists()


def test_another_client_sees_no_campaign(api, invoices):
    number = post(api, "rebill-campaigns", BODY, status=201)["id"]
    other = with_key(ClientFactory(name="Umbra"), may_rebill=True)
    for path in (f"rebill-campaigns/{number}", f"rebill-campaigns/{number}/items"):
        assert other.get(f"/api/v1/{path}/").status_code == 404
    assert other.post(f"/api/v1/rebill-campaigns/{number}/cancel/").status_code == 404
    answer = post(other, "rebill-campaigns", {**BODY, "selection": {"invoices": ["INV-000001"]}, "rules": [{"change": "drop"}]})
    assert answer["error_code"] == 3004


FILE = """invoice,line,field,value
INV-000001,1,rate,25
INV-000001,2,drop,yes
INV-000002,1,po_num,PO 7
"""


def test_a_file_of_changes_is_previewed_and_run(acme, invoices, tmp_path, capsys, django_user_model):
    file = tmp_path / "changes.csv"
    file.write_text(FILE)
    call_command("rebill_campaign", file, client_no=acme.pk)
    campaign = RebillCampaign.objects.get()
    assert (campaign.state, states(campaign)) == ("previewed", ["ready", "ready"])
    with pytest.raises(CommandError, match="Only an approved one"):
        call_command("rebill_campaign", client_no=acme.pk, run_no=campaign.pk)
    boss = Caller(staff=django_user_model.objects.create_superuser("boss"))
    approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=boss)
    call_command("rebill_campaign", client_no=acme.pk, run_no=campaign.pk)
    first, second = (Invoice.objects.get(corrects=invoice, kind="rebill") for invoice in invoices[:2])
    assert amounts_of(first) == [D(25), D("2.50")]
    assert (second.total_amount, second.lines.get(line_no=1).po_num) == (D(88), "PO 7")
    assert "total after" in capsys.readouterr().out


def test_each_door_has_every_option_of_a_campaign(acme, invoices, tmp_path):
    """REST, the page and the command: what one of them asks for, all do."""
    options = set(CampaignOptions._fields)
    named = {"keep_due_date": "keeps_due_date"}
    assert {named.get(name, name) for name in OptionArguments().fields} == options
    assert {named.get(name, name) for name in OPTION_FIELDS} == options
    file = tmp_path / "changes.csv"
    file.write_text(FILE)
    limits = {"collect_limit": "20", "collect_total_limit": "900", "refund_limit": "5.50", "refund_total_limit": "100"}
    given = [f"--{name.replace('_', '-')}={value}" for name, value in limits.items()]
    more = ["--statements=none", "--collect", "--keep-due-date=no", "--credit-to=refund", "--reason=2", "--comments=Sorry"]
    call_command("rebill_campaign", str(file), f"--client={acme.pk}", *given, *more)
    campaign = RebillCampaign.objects.get()
    assert {name: getattr(campaign, name) for name in CampaignOptions._fields} == {
        **{name: D(value) for name, value in limits.items()},
        **{"reason_code": 2, "comments": "Sorry", "statements": "none", "collect": True, "keeps_due_date": False},
        "credit_to": "refund",
    }
    with pytest.raises(CommandError, match="not an amount"):
        call_command("rebill_campaign", str(file), f"--client={acme.pk}", "--refund-limit=much")


def test_the_undo_of_a_campaign_is_approved_as_it_was_seen(acme, api, boss, process, invoices):
    made = post(api, "rebill-campaigns", BODY, status=201)
    address = f"rebill-campaigns/{worked(made).pk}"
    post(boss, f"{address}/approve", {"fingerprint": get(api, address)["fingerprint"]}, status=200)
    post(api, f"{address}/run", status=200)
    campaign = worked(made)
    assert get(api, address)["undo"] is None
    undo = post(api, f"{address}/undo", status=200)["undo"]
    assert undo["totals"] == [{"currency": "usd", "documents": 3, "balance_change": "1.98", "paid": "0.00"}]
    first, second, _third = Invoice.objects.filter(kind="rebill").order_by("pk")
    by = {"client": acme, "caller": process, "today": date(2026, 1, 31), "type": "check"}
    record_external_payment(account_no=first.account_id, amount=D(5), **by)
    refused = post(boss, f"{address}/approve_undo", {"fingerprint": undo["fingerprint"]}, status=409)
    assert refused["error_code"] == 90185
    undo = get(api, address)["undo"]
    assert undo["totals"][0]["paid"] == "5.00"
    post(boss, f"{address}/approve_undo", {"fingerprint": undo["fingerprint"]}, status=200)
    record_external_payment(account_no=second.account_id, amount=D(3), **by)
    worked(made)
    left = campaign.items.get(rebill=second)
    assert (left.state, left.error_code) == ("rebilled", 90003)
    assert "ask for the undo again" in left.message
    assert campaign.items.get(rebill=first).state == "undone"
    assert [due(invoice) for invoice in invoices] == [D(83), 0, D(88)]


WRONG = """invoice,line,field,value
INV-9,1,rate,25
INV-000001,0,rate,25
INV-000001,1,colour,25
INV-000001,1,rate,
INV-000001,1,rate,cheap
INV-000001,1,rate,25
INV-000001,1,rate,26
INV-000001,2,rate,1e2
INV-000001,2,period_start,20260101
"""


def test_each_wrong_row_of_a_file_is_told_and_nothing_is_created(acme, api, invoices, tmp_path, capsys):
    file = tmp_path / "changes.csv"
    file.write_text(WRONG)
    with pytest.raises(CommandError, match="8 rows cannot be used"):
        call_command("rebill_campaign", file, client_no=acme.pk)
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in told] == [f"row {number}" for number in (2, 3, 4, 5, 6, 8, 9, 10)]
    body = {**BODY, "changes": [{"invoice": "INV-9", "line": 1, "field": "rate", "value": "1"}]}
    del body["selection"]
    answer = post(api, "rebill-campaigns", body)
    assert (answer["error_code"], "row 1: invoice INV-9 does not exist" in answer["error_msg"]) == (90186, True)
    assert not RebillCampaign.objects.exists()


@pytest.mark.parametrize("name", ["dated_from", "charged_from"])
def test_days_that_end_before_they_begin_are_refused(api, invoices, name):
    """Nothing is between them, so the selection or rule would do nothing."""
    days = {name: "2026-02-01", name.replace("from", "until"): "2026-01-31"}
    answer = post(api, "rebill-campaigns", {**BODY, "selection": days})
    assert (answer["error_code"], list(answer["errors"])) == (1016, [name])
    if name == "charged_from":
        answer = post(api, "rebill-campaigns", {**BODY, "rules": [{"change": "drop", **days}]})
        assert (answer["error_code"], "the days end before they begin" in answer["error_msg"]) == (1016, True)
    assert not RebillCampaign.objects.exists()
