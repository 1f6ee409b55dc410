"""A billing run that is started in a browser goes on when the browser is closed, and when its worker is killed."""

import re
import signal

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from accounts.clock import today
from tests.support.factories import ClientFactory, a_plan, an_account
from tests.support.served_work import (
    answers,
    halted_and_killed,
    is_alive,
    read,
    served_with_worker,
    wait_until,
    workers_of,
)

ACCOUNTS = 25
RUNS, INVOICES = "SELECT state FROM invoices_billingrun", "SELECT count(*), sum(total_amount) FROM invoices_invoice"


def start_run_and_close(chromium, site):
    context = chromium.new_context(base_url=f"http://127.0.0.1:{site.port}", locale="en-US")
    page = context.new_page()
    page.goto("/billing-runs/new/")
    page.get_by_label("Username").fill("boss")
    page.get_by_label("Password").fill("a-password-of-the-tests")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=f"Start billing run for {ACCOUNTS} accounts").click()
    page.wait_for_url(re.compile(r"/billing-runs/\d+/$"))
    assert "No worker is running" not in page.locator("main").inner_text()
    context.close()


def test_a_run_is_finished_by_the_worker_after_its_browser_was_closed(chromium, transactional_db, tmp_path):
    client = ClientFactory()
    plan = a_plan(client, {"phone": "30.00"})
    for _ in range(ACCOUNTS):
        an_account(client, plan, start=today(client))
    # The site is a process of its own, which does not know the quick passwords of the tests.
    get_user_model().objects.create(
        username="boss",
        is_staff=True,
        is_superuser=True,
        password=make_password("a-password-of-the-tests", hasher="pbkdf2_sha256"),
    )
    with served_with_worker(tmp_path) as (site, supervisor):
        (worker,) = workers_of(site)
        with halted_and_killed(site, worker):
            start_run_and_close(chromium, site)
            assert (read(site, RUNS), read(site, INVOICES)) == ([("running",)], [(0, None)])
        wait_until(lambda: read(site, RUNS) == [("finished",)])
        assert read(site, INVOICES) == [(ACCOUNTS, 750)]
        (replacement,) = workers_of(site)
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(timeout=60) == 0
        assert (worker != replacement, is_alive(replacement), answers(site)) == (True, False, False)
