"""The pages of billing runs: the list, the preview, working on a run step by step, and its results."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Event
from billing_site.errors import BillingError
from invoices.kinds import RunResult, RunState
from invoices.models import BillingRun, Invoice, Worker
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.runs import runs
from invoices.services.runs.batches import claim_accounts
from invoices.services.runs.figures import count_results
from invoices.services.runs.runs import continue_run, continue_run_for, open_run, start_run
from invoices.services.work.workers import working
from tests.support.billing import JAN_10
from tests.support.factories import a_plan, an_account
from tests.support.invoice_pages import reader
from tests.support.runs import a_world

pytestmark = pytest.mark.django_db
BILLER = ("view_invoice", "generate_invoice")
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 18, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def signed_in(acme):
    return reader(acme, permissions=BILLER)


@pytest.fixture
def one_by_one(monkeypatch):
    """Each request works on two accounts, and no longer."""
    monkeypatch.setattr(runs, "ACCOUNTS_OF_A_PAGE", 2)
    monkeypatch.setattr("invoices.pages.runs.SECONDS_OF_A_REQUEST", 0)


def text_of(answer):
    return " ".join(answer.content.decode().split())


def test_the_look_before_a_start_tells_totals_and_refusals_and_writes_nothing(acme, signed_in):
    a_world(acme)
    answer = signed_in.get("/billing-runs/new/")
    look = answer.context["look"]
    assert (look.due, look.looked_at, look.nothing_to_bill) == ((3, 0, 1, 0), 4, 1)
    assert [(one.currency, one.invoices, str(one.total_amount)) for one in look.totals] == [("usd", 2, "44.00")]
    assert [(one.error_code, one.accounts) for one in look.refused] == [(7001, 1)]
    page = text_of(answer)
    assert "Start billing run for 4 accounts, 1 of them blocked" in page and "$44.00" in page
    assert "Test accounts, or in a status that is not billed</dt><dd>1<" in page
    assert (Invoice.objects.count(), BillingRun.objects.count(), Event.objects.count()) == (0, 0, 0)


def test_the_dashboard_and_the_start_of_a_run_count_the_same(acme, signed_in, process):
    an_account(acme)
    an_account(acme)
    held = an_account(acme)
    generate_invoice(client=acme, account_no=held.pk, request=BillingRequest(JAN_10, force_pending=True), caller=process)
    tiles = {str(tile.title): tile for tile in signed_in.get("/").context["tiles"]}
    due = tiles["Accounts due to bill"]
    assert (due.how_many, due.hint) == (2, "A billing run generates their invoices. 1 more is due but blocked.")
    page = text_of(signed_in.get("/billing-runs/new/"))
    assert "<dt>Accounts due to bill</dt><dd>2</dd> <dt>Blocked by a pending invoice</dt><dd>1 <a" in page
    assert "Start billing run for 3 accounts, 1 of them blocked" in page


def test_a_run_of_accounts_that_are_all_blocked_says_so(acme, signed_in):
    an_account(acme, is_test=True)
    page = text_of(signed_in.get("/billing-runs/new/"))
    assert "<dt>Accounts due to bill</dt><dd>0</dd>" in page and "Start billing run for 1 account, 1 of them blocked" in page
    assert "Accounts due to bill" not in text_of(signed_in.get("/"))


def test_the_look_is_at_the_first_accounts_only(acme, signed_in, monkeypatch):
    monkeypatch.setattr("invoices.pages.run_start.ACCOUNTS_LOOKED_AT", 1)
    a_world(acme)
    assert "What it would do with the first 1 of them" in text_of(signed_in.get("/billing-runs/new/"))


def test_a_run_is_started_once_and_goes_on_by_itself(acme, signed_in):
    a_world(acme)
    sent = {"once": "a" * 32}
    first, second = signed_in.post("/billing-runs/new/", sent), signed_in.post("/billing-runs/new/", sent)
    run = BillingRun.objects.get()
    assert first.url == second.url == f"/billing-runs/{run.pk}/"
    assert count_results(run) == {RunResult.WAITING: 4}
    assert 'hx-trigger="load delay:100ms"' in text_of(signed_in.get(first.url))
    assert "load delay" not in text_of(signed_in.get(first.url))


def test_a_run_is_worked_off_request_by_request(acme, signed_in, one_by_one, process):
    for _ in range(5):
        an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    address = f"/billing-runs/{run.pk}/"
    assert signed_in.post(address).url == address
    assert count_results(run) == {RunResult.INVOICED: 2, RunResult.WAITING: 3}
    page = text_of(signed_in.get(address))
    assert "2 of 5 accounts" in page and "Continue" in page
    fragment = signed_in.post(address, **HTMX)
    assert text_of(fragment).startswith('<section id="progress"')
    assert "4 of 5 accounts" in text_of(fragment)
    last = signed_in.post(address, **HTMX)
    assert last["HX-Redirect"] == address
    run.refresh_from_db()
    assert run.finished_at is not None
    page = text_of(signed_in.get(address))
    assert "The billing run is finished." in page
    assert "$150.00" in page


def test_two_at_once_do_not_get_in_each_others_way(acme, process):
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    with working("other") as other:
        assert len(claim_accounts(run, other, 5)) == 1
        continue_run_for(run, caller=process, seconds=5)
        assert count_results(run) == {RunResult.WAITING: 1}
    assert not Event.objects.exclude(error_code=0).exists()


def test_a_run_whose_worker_was_killed_is_taken_over(acme, process):
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    with working("killed") as killed:
        claim_accounts(run, killed, 5)
        Worker.objects.update(seen_at=datetime.now(UTC) - timedelta(hours=10000))
        continue_run_for(run, caller=process, seconds=5)
    assert count_results(run) == {RunResult.INVOICED: 1}
    run.refresh_from_db()
    assert (run.state, run.finished_at is not None) == (RunState.FINISHED, True)


def test_a_failure_lets_go_of_the_run(acme, process, monkeypatch):
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    with monkeypatch.context() as broken, pytest.raises(ZeroDivisionError):
        broken.setattr(runs, "settle_batch", lambda *_: 1 / 0)
        continue_run_for(run, caller=process, seconds=5)
    run.refresh_from_db()
    assert (run.state, run.finished_at) == (RunState.RUNNING, None)
    continue_run_for(run, caller=process, seconds=5)
    assert count_results(run) == {RunResult.INVOICED: 1}


def test_accounts_in_an_unfinished_run_are_left_out_of_another_and_counted(acme, signed_in, process):
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    assert open_run(client=acme, today=JAN_10, caller=process) == (run, False)
    an_account(acme)
    page = text_of(signed_in.get("/billing-runs/new/"))
    assert "<dt>Accounts due to bill</dt><dd>1</dd>" in page
    assert f'<dt>Left out, because they are in another run</dt><dd>1 <a href="/billing-runs/{run.pk}/">Run {run.pk}</a>' in page
    signed_in.post("/billing-runs/new/")
    second = BillingRun.objects.latest("pk")
    assert count_results(second) == {RunResult.WAITING: 1, RunResult.IN_ANOTHER_RUN: 1}
    outcome = text_of(signed_in.get(f"/billing-runs/{second.pk}/", {"result": "in_another_run"}))
    assert f'<a href="/billing-runs/{run.pk}/">Run {run.pk}</a>' in outcome


def test_the_page_of_a_run_tells_what_came_of_each_account(acme, signed_in, process):
    a_world(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    continue_run(run, caller=process)
    page = text_of(signed_in.get(f"/billing-runs/{run.pk}/"))
    assert "$40.00" in page and "$4.00" in page and "$44.00" in page
    refused = signed_in.get(f"/billing-runs/{run.pk}/", {"result": "refused", "error_code": "7001"})
    assert [outcome.error_code for outcome in refused.context["pages"].rows] == [7001]
    assert "/invoices/pending/?run=" not in page
    answer = signed_in.get(f"/billing-runs/{run.pk}/", {"format": "csv", "result": "invoiced"})
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["result"] for row in rows] == ["invoiced", "invoiced"]
    assert rows[0]["client_acct_id"].startswith("A-")


def test_what_waits_is_a_link_to_the_queue(umbra, process):
    an_account(umbra)
    run = start_run(client=umbra, today=JAN_10, caller=process)
    continue_run(run, caller=process)
    page = text_of(reader(umbra).get(f"/billing-runs/{run.pk}/"))
    assert f'href="/invoices/pending/?run={run.pk}"' in page
    assert "Approve 1 invoice of this run" in page


def test_who_may_not_bill_is_told_before_and_refused(acme, process):
    an_account(acme)
    signed_in = reader(acme)
    assert "you have no permission to generate invoices" in text_of(signed_in.get("/billing-runs/new/"))
    answer = signed_in.post("/billing-runs/new/", {"once": "b" * 32}, follow=True)
    assert BillingRun.objects.count() == 0
    assert "generating invoices" in text_of(answer)
    run = start_run(client=acme, today=JAN_10, caller=process)
    assert "you have no permission to generate invoices" in text_of(signed_in.get(f"/billing-runs/{run.pk}/"))
    assert "HX-Redirect" in signed_in.post(f"/billing-runs/{run.pk}/", **HTMX)
    assert count_results(run) == {RunResult.WAITING: 1}


def test_the_service_checks_who_starts_a_run(acme, alice):
    alice.staff.user_permissions.set(Permission.objects.none())
    with pytest.raises(BillingError):
        start_run(client=acme, today=JAN_10, caller=alice)


def test_the_list_shows_runs_with_their_counts(acme, umbra, signed_in, process):
    a_world(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    continue_run(run, caller=process)
    an_account(umbra)
    others = start_run(client=umbra, today=JAN_10, caller=process)
    answer = signed_in.get("/billing-runs/")
    assert [(one.pk, one.starter, [count for _, _, count in one.counts]) for one in answer.context["pages"].rows] == [
        (run.pk, "process test", [0, 2, 1, 1])
    ]
    assert (
        signed_in.get(f"/billing-runs/{others.pk}/").status_code
        == signed_in.post(f"/billing-runs/{others.pk}/").status_code
        == 404
    )


def test_however_many_runs_and_accounts_the_queries_are_as_many(acme, signed_in, process):
    def queries(address):
        with CaptureQueriesContext(connection) as captured:
            assert signed_in.get(address).status_code == 200
        return len(captured)

    plan = a_plan(acme)
    start_run(client=acme, today=JAN_10, caller=process)  # the others are compared with the one before them
    an_account(acme, plan)
    run = start_run(client=acme, today=JAN_10, caller=process)
    continue_run(run, caller=process)
    few = [queries("/billing-runs/"), queries(f"/billing-runs/{run.pk}/")]
    for _ in range(4):
        an_account(acme, plan)
    second = start_run(client=acme, today=JAN_10, caller=process)
    continue_run(second, caller=process)
    assert [queries("/billing-runs/"), queries(f"/billing-runs/{second.pk}/")] == few


def test_with_nothing_due_the_page_says_what_comes_next(acme, signed_in):
    assert "There are no accounts yet" in text_of(signed_in.get("/billing-runs/new/"))
    assert "No billing run yet" in text_of(signed_in.get("/billing-runs/"))
    an_account(acme, start=JAN_10 + timedelta(days=3))
    assert "The next one is due on Jan 13, 2026." in text_of(signed_in.get("/billing-runs/new/"))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("accounts", "7,8", "row 1 has several cells"),
        ("bill_days", "40", "40 is not valid"),
        ("regions", "ZZ", "ZZ is not valid"),
        ("countries", "Narnia", "Narnia is not valid"),
    ],
)
def test_a_refused_filter_is_shown_at_its_field_without_the_name_that_programs_use(acme, signed_in, field, value, message):
    answer = signed_in.post(reverse("start-run"), {"act": "show", field: value})
    (shown,) = answer.context["form"].errors[field]
    assert answer.status_code == 422
    assert shown.startswith(f"The entry is not valid: {message}")


def test_a_filter_takes_the_name_of_a_country_as_the_reader_writes_it(acme, signed_in):
    assert signed_in.post(reverse("start-run"), {"act": "show", "countries": "Deutschland, France"}).status_code == 200
