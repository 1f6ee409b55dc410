"""The pages of campaigns: built in a form, seen, approved by another person, run."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client as Browser

from accounts.models import RateSchedule
from invoices.models import Invoice
from rebills.models import RebillCampaign
from tests.support.billing import JAN_10, bill
from tests.support.campaigns import previewed, states
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.invoice_pages import administrator
from tests.support.reading_pages import words as text_of

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


def _signed_in(acme, users, name, role):
    user = users.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    acme.staff.add(user)
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def biller(acme, django_user_model):
    return _signed_in(acme, django_user_model, "ben", "Biller")


@pytest.fixture
def approver(acme, django_user_model):
    return _signed_in(acme, django_user_model, "amy", "Approver")


def form_of(invoices, **changed):
    phone = invoices[0].lines.get(description__icontains="phone", line_type=1).service_id
    rule = {"rule-0-change": "discount", "rule-0-value": "2", "rule-0-services": phone}
    return {
        "name": "Phone 2 % too dear",
        "services": phone,
        "rate": "30",
        "reason_code": "1",
        "statements": "held",
        **rule,
    } | changed


def test_one_person_builds_a_campaign_and_another_one_approves_it(acme, biller, approver, invoices):
    assert "No campaign yet" in text_of(biller.get("/rebills/campaigns/"))
    counted = biller.post("/rebills/campaigns/new/", form_of(invoices, act="count", once="a"))
    assert "The selection finds 3 invoices." in text_of(counted)
    made = biller.post("/rebills/campaigns/new/", form_of(invoices, act="create", once="b"))
    campaign = RebillCampaign.objects.get()
    address = f"/rebills/campaigns/{campaign.pk}/"
    assert made.headers["Location"] == address
    assert "0 of 3 documents" in text_of(biller.get(address))
    biller.post(address)  # no worker is alive, so the page works on it
    campaign.refresh_from_db()
    seen = text_of(biller.get(address))
    assert "Another person must approve this campaign" in seen
    assert "USD 3 $264.00 $262.02 -$1.98" in seen
    item = campaign.items.earliest("pk")
    document = text_of(biller.get(f"{address}documents/{item.pk}/"))
    assert all(text in document for text in ("rate 30 → 29.4", "$88.00", "$87.34"))
    fingerprint = {"fingerprint": campaign.fingerprint}
    assert biller.post(f"{address}approve/", {**fingerprint, "once": "c"}).status_code == 302
    assert RebillCampaign.objects.get().state == "previewed"
    assert "Approve this preview" in text_of(approver.get(address))
    approver.post(f"{address}approve/", {**fingerprint, "once": "d"})
    biller.post(f"{address}run/", {"once": "e"})
    biller.post(address)
    done = text_of(biller.get(address))
    assert (RebillCampaign.objects.get().state, states(campaign)) == ("finished", ["rebilled"] * 3)
    assert all(text in done for text in ("Finished", "RB-000001", "Send the statements"))
    assert Invoice.objects.filter(kind="rebill").count() == 3
    csv = b"".join(biller.get(f"{address}?format=csv").streaming_content).decode()
    assert csv.count("rebilled") == 3


def test_what_is_wrong_in_the_form_is_said_beside_its_field(acme, biller, invoices):
    wrong = form_of(invoices, rate="31", act="create", once="a")
    answer = biller.post("/rebills/campaigns/new/", wrong)
    assert (answer.status_code, "The selection finds no issued invoice" in text_of(answer)) == (422, True)
    answer = biller.post("/rebills/campaigns/new/", form_of(invoices, act="create", once="b", **{"rule-0-value": ""}))
    assert (answer.status_code, "the change discount needs it" in text_of(answer)) == (422, True)
    assert not RebillCampaign.objects.exists()


def test_documents_are_filtered_by_what_stands_out(acme, process, biller, invoices):
    biller.post("/rebills/campaigns/new/", form_of(invoices, act="create", once="a"))
    campaign = previewed(RebillCampaign.objects.get())
    page = text_of(biller.get(f"/rebills/campaigns/{campaign.pk}/?state=refused"))
    assert "No document matches" in page
    page = text_of(biller.get(f"/rebills/campaigns/{campaign.pk}/?outlier=zero"))
    assert "No document matches" in page


def test_a_recheck_is_started_and_its_differences_become_a_campaign(biller, approver, invoices):
    empty = text_of(biller.get("/rebills/rechecks/"))
    assert "No recheck yet" in empty
    RateSchedule.objects.filter(charge__service__client_service_id="phone").update(rate_per_unit="29.00")
    span = {"first": "2026-01-01", "last": "2026-01-31", "once": "a" * 32}
    started = biller.post("/rebills/rechecks/", span)
    recheck = previewed(RebillCampaign.objects.get())
    assert started["Location"] == f"/rebills/campaigns/{recheck.pk}/"
    page = text_of(biller.get(started["Location"]))
    assert "These invoices would differ today" in page and "Correct the differences" in page and "-$3.30" in page
    seen = text_of(approver.get(started["Location"]))
    assert "Approve campaign" not in seen and "Correct the differences" not in seen
    form = {"name": "Differences", "reason_code": "1", "statements": "none", "once": "b" * 32}
    made = biller.post(f"/rebills/rechecks/{recheck.pk}/correct/", form)
    campaign = previewed(RebillCampaign.objects.get(is_recheck=False))
    assert made["Location"] == f"/rebills/campaigns/{campaign.pk}/"
    assert (campaign.name, states(campaign)) == ("Differences", ["ready"] * 3)
    assert "Differences" not in text_of(biller.get("/rebills/rechecks/"))
    assert Invoice.objects.count() == 3


def test_a_recheck_without_invoices_or_differences_says_so(biller, invoices):
    none = biller.post("/rebills/rechecks/", {"first": "2025-01-01", "last": "2025-01-31", "once": "a" * 32})
    assert none.status_code == 422 and "finds no issued invoice" in text_of(none)
    biller.post("/rebills/rechecks/", {"first": "2026-01-01", "last": "2026-01-31", "once": "b" * 32})
    recheck = previewed(RebillCampaign.objects.get())
    assert "Every invoice would be the same today." in text_of(biller.get(f"/rebills/campaigns/{recheck.pk}/"))
    refused = biller.post(
        f"/rebills/rechecks/{recheck.pk}/correct/", {"name": "x", "reason_code": "1", "statements": "none", "once": "c" * 32}
    )
    assert refused.status_code == 302 and RebillCampaign.objects.count() == 1


def test_a_recheck_of_days_that_end_before_they_begin_is_refused_at_its_first_day(acme):
    form = {"first": "2026-02-01", "last": "2026-01-01", "once": "a" * 32}
    answer = administrator(acme).post("/rebills/rechecks/", form)
    assert answer.status_code == 422
    assert answer.context["form"].errors == {"first": ["The entry is not valid: the days end before they begin"]}
    assert not RebillCampaign.objects.exists()
