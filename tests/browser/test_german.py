"""German words are longer than English ones: nothing is cut off or wider than the screen. A reader can choose German."""

from typing import Any

import pytest

from invoices.kinds import ScheduledAct
from invoices.models import BillingRun, Schedule
from invoices.services.runs.runs import continue_run, start_run
from invoices.services.work.schedules import set_schedule
from tests.browser.conftest import DESK, PHONE, TABLET, wider_than_screen
from tests.support.billing import JAN_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.pending import a_pending
from tests.support.rebilling import line, rebilled

CUT = """[...document.querySelectorAll('main button, main .btn, main .tag, main label, main th, main h1, nav a')]
    .filter(one => one.offsetParent && one.clientWidth > 1 && getComputedStyle(one).overflow !== 'visible')
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => one.textContent.trim())"""
"""The texts of controls that are longer than their box."""


@pytest.fixture
def pages(acme: Any, process: Any, boss: Any) -> list[str]:
    account = an_account(acme, a_plan(acme, {"phone": "1234.50"}))
    invoice = bill(account, process, JAN_10)
    rebill = rebilled(invoice, process, line(1, amount="20.00"), comments="Donaudampfschiff" * 20)
    a_pending(acme, process, an_account(acme))
    other = an_account(acme)
    run = start_run(client=acme, caller=process, today=JAN_10)
    continue_run(run, caller=process)
    set_schedule(client=acme, act=ScheduledAct.RESUME_COLLECTIONS, hour=6, caller=process)
    Schedule.objects.update(message="Billing run 1 is paused. Resume or cancel it.")
    return [
        "/",
        f"/accounts/{other.pk}/",
        f"/accounts/{other.pk}/generate/",
        "/invoices/",
        f"/invoices/{invoice.pk}/",
        "/invoices/pending/",
        f"/invoices/{rebill.pk}/rebill/",
        f"/rebills/{rebill.pk}/",
        f"/billing-runs/{BillingRun.objects.get().pk}/",
        f"/invoices/{invoice.pk}/difference/{rebill.pk}/",
        "/schedules/",
    ]


def test_nothing_is_cut_off_in_german(pages: list[str], opened: Any, boss: Any) -> None:
    page = opened(boss, locale="de-DE")
    page.goto("/")
    assert page.evaluate(
        "document.querySelector('.site-nav ul').scrollWidth <= document.querySelector('.site-nav').clientWidth"
    )
    for address in pages:
        for size in (DESK, TABLET, PHONE):
            page.set_viewport_size(size)
            page.goto(address)
            assert page.locator("html").get_attribute("lang") == "de"
            assert (wider_than_screen(page), page.evaluate(CUT)) == (0, []), (address, size)


def test_the_button_that_starts_a_run_is_not_cut_off_on_a_small_phone(acme: Any, opened: Any, boss: Any) -> None:
    an_account(acme)
    page = opened(boss, locale="de-DE", viewport={"width": 320, "height": 640})
    page.goto("/billing-runs/new/")
    assert page.get_by_role("button", name="Abrechnungslauf für 1 Kundenkonto starten").is_visible()
    assert (wider_than_screen(page), page.evaluate(CUT)) == (0, [])


def test_a_reader_chooses_german_without_scripts(acme: Any, opened: Any, boss: Any) -> None:
    page = opened(boss, java_script_enabled=False)
    page.goto("/accounts/")
    page.get_by_role("button", name="Deutsch").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Kundenkonten"
    assert page.url.endswith("/accounts/")
    page.get_by_role("button", name="English").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Accounts"
