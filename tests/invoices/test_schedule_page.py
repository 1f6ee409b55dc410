"""The page of schedules and what the dashboard says about them: for those who may set them, for others, late and failed."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth import get_user_model

from accounts.callers import Caller
from invoices.kinds import ScheduledAct
from invoices.models import Schedule
from invoices.services.work.schedules import set_schedule
from invoices.services.work.workers import working
from tests.support.factories import ClientFactory, an_account
from tests.support.invoice_pages import reader

pytestmark = pytest.mark.django_db
PROCESS = Caller(process="test")


@pytest.fixture(autouse=True)
def tenth_of_january(settings):
    settings.VIRTUAL_CLOCK = False
    with time_machine.travel(datetime(2026, 1, 10, 4, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def berlin():
    return ClientFactory(time_zone="Europe/Berlin")


@pytest.fixture
def boss(berlin):
    rights = ("view_invoice", "change_client", "generate_invoice", "send_statement", "approve_invoice", "collect_money")
    return reader(berlin, permissions=rights, name="boss")


def text_of(answer):
    return " ".join(answer.content.decode().replace("\u202f", " ").split())


def sent(browser, act, hour, do="on"):
    once = browser.get("/schedules/").context["once"]
    body = {"act": act, "hour": hour, "do": do, "once": f"{once}-{act}"}
    return text_of(browser.post("/schedules/", body, follow=True))


def test_a_task_is_switched_on_moved_and_switched_off(boss):
    page = text_of(boss.get("/schedules/"))
    assert "No schedule is on" in page and "Hours are in Europe/Berlin" in page and page.count("Switch on</button>") == 7
    assert "Starts a billing run over all accounts that are due." in page
    assert "Done each day from 06:00 on: Bill all accounts that are due." in sent(boss, "bill", 6)
    page = text_of(boss.get("/schedules/"))
    assert "Jan 10, 2026, 6:00:00 AM" in page and "No schedule is on" not in page
    assert (page.count("Switch on</button>"), page.count("Switch off</button>")) == (6, 1)
    sent(boss, "bill", 23)
    assert Schedule.objects.get().next_at == datetime(2026, 1, 10, 22, tzinfo=UTC)
    assert "Switched off: Bill all accounts that are due." in sent(boss, "bill", 23, "off")
    assert [one.is_on for one in Schedule.objects.all()] == [False]
    assert "No schedule is on" in text_of(boss.get("/schedules/"))


def test_a_form_that_is_sent_twice_is_done_once(boss):
    body = {"act": "audit", "hour": 6, "do": "on", "once": "a" * 32}
    for _ in "12":
        assert boss.post("/schedules/", body).url == "/schedules/"
    assert Schedule.objects.count() == 1


@pytest.mark.parametrize("act, hour, do", [("bill", "24", "on"), ("dance", "6", "on"), ("bill", "6", "x"), ("bill", "", "on")])
def test_a_form_that_is_not_valid_is_refused_on_the_page(boss, act, hour, do):
    answer = boss.post("/schedules/", {"act": act, "hour": hour, "do": do}, follow=True)
    assert answer.status_code == 200 and "alert-danger" in text_of(answer)
    assert Schedule.objects.count() == 0


def test_who_may_not_set_schedules_only_looks(berlin):
    set_schedule(client=berlin, act=ScheduledAct.AUDIT, hour=6, caller=PROCESS)
    viewer = reader(berlin)
    page = text_of(viewer.get("/schedules/"))
    assert page.count("You can look, but not change schedules") == 1
    assert "Switch o" not in page and "06:00" in page
    viewer.post("/schedules/", {"act": "audit", "hour": 7, "do": "off"})
    assert (Schedule.objects.get().is_on, Schedule.objects.get().hour) == (True, 6)


def test_tasks_that_the_reader_may_not_do_have_no_form(berlin):
    page = text_of(reader(berlin, permissions=("view_invoice", "change_client")).get("/schedules/"))
    assert "You can set only the tasks that your roles let you do." in page
    assert page.count("Switch on</button>") == 2  # pruning the log, and the audit


def test_late_and_failed_schedules_are_on_page_and_dashboard(berlin, boss):
    an_account(berlin)
    set_schedule(client=berlin, act=ScheduledAct.AUDIT, hour=6, caller=PROCESS)
    set_schedule(client=berlin, act=ScheduledAct.SEND_STATEMENTS, hour=6, caller=PROCESS)
    Schedule.objects.filter(act="audit").update(message="The audit has 2 findings.")
    assert "Late or failed" in text_of(boss.get("/")) and "is late since" not in text_of(boss.get("/"))
    with time_machine.travel("2026-01-10T06:30Z", tick=False):
        boss.force_login(get_user_model().objects.get(username="boss"))
        page, dashboard = text_of(boss.get("/schedules/")), text_of(boss.get("/"))
    assert page.count(">Late<") == 2 and page.count("The audit has 2 findings.") == 1
    assert "No worker is running, so nothing on this page is done." in page
    for text in (
        "“Send statements” is late since Jan 10, 2026, 6:00:00 AM.",
        "“Audit” failed: The audit has 2 findings.",
        "No worker is running. Start one on the server: manage.py work.",
    ):
        assert text in dashboard
    with time_machine.travel("2026-01-10T06:30Z", tick=False), working("work"):
        page, dashboard = text_of(boss.get("/schedules/")), text_of(boss.get("/"))
    assert "No worker is running" not in page + dashboard and "is late since" in dashboard
