"""A new billing run by page: filter, lists of accounts, dry run, limits, and the buttons of a run in each state."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.callers import Caller
from invoices.kinds import RunMode, RunResult, RunState
from invoices.models import BillingRun, Invoice, RunFilter
from invoices.services.runs.figures import count_results
from invoices.services.runs.runs import continue_run, pause_run, plan_run, start_run
from invoices.services.work.workers import working
from tests.support.billing import FEB_10, JAN_10
from tests.support.factories import an_account
from tests.support.invoice_pages import reader
from tests.support.runs import a_world

pytestmark = pytest.mark.django_db
NEW = "/billing-runs/new/"
HTMX = {"HTTP_HX_REQUEST": "true"}
PROCESS = Caller(process="test")


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 18, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def signed_in(acme):
    return reader(acme, permissions=("view_invoice", "generate_invoice"))


def text_of(answer):
    return " ".join(answer.content.decode().split())


def once(number):
    return {"once": f"{number:032d}"}


def finished(run):
    continue_run(run, caller=PROCESS)
    run.refresh_from_db()
    return run


def act(signed_in, run, name, number=1, **sent):
    answer = signed_in.post(f"/billing-runs/{run.pk}/act/{name}/", {**sent, **once(number)})
    run.refresh_from_db()
    return answer


def test_a_filter_counts_its_accounts_and_is_started_as_a_dry_run(acme, signed_in):
    first, second = a_world(acme)
    sent = {"accounts": f"{second.client_acct_id}\n", "mode": "all_pending", "stop_above_invoice": "5000"}
    page = text_of(signed_in.post(NEW, {**sent, "act": "count"}))
    assert "<dt>Accounts due to bill</dt><dd>1</dd>" in page and "$11.00" in page and "$44.00" not in page
    answer = signed_in.post(NEW, {**sent, **once(1), "act": "dry_run"})
    run = BillingRun.objects.get()
    assert answer.url == f"/billing-runs/{run.pk}/"
    assert (run.is_dry_run, run.filter, run.mode) == (True, {"accounts": [second.pk]}, RunMode.ALL_PENDING)
    assert (run.stop_above_invoice, run.stop_above_refusals) == (5000, None)
    assert count_results(run) == {RunResult.WAITING: 1}


def test_the_result_of_a_dry_run_and_the_run_that_is_started_from_it(acme, signed_in):
    first, _second = a_world(acme)
    dry_run = finished(start_run(client=acme, today=JAN_10, caller=PROCESS, is_dry_run=True))
    page = text_of(signed_in.get(f"/billing-runs/{dry_run.pk}/"))
    for shown in (
        "Dry run",
        "Would be invoiced",
        "$40.00",
        "$4.00",
        "$44.00",
        "First invoice",
        "Start the run of this dry run",
    ):
        assert shown in page, shown
    assert Invoice.objects.count() == 0
    row = text_of(signed_in.get(f"/billing-runs/{dry_run.pk}/", {"acct_no": first.pk}))
    assert '<td data-label="Total" class="num">$33.00</td> <td data-label="Tax" class="num">$3.00</td>' in row
    an_account(acme, is_test=True)
    answer = act(signed_in, dry_run, "start", stop_above_refusals="7")
    run = BillingRun.objects.get(is_dry_run=False)
    assert (answer.url, run.compared_with_id, run.stop_above_refusals) == (f"/billing-runs/{run.pk}/", dry_run.pk, 7)
    page = text_of(signed_in.get(f"/billing-runs/{finished(run).pk}/"))
    assert f'<a href="/billing-runs/{dry_run.pk}/">Dry run {dry_run.pk}</a>' in page
    assert '<td class="num" data-label="Refused">+1</td> <td data-label="Totals"><span>the same<br>+1 ' in page


def test_a_dry_run_shows_the_change_against_the_last_invoices(acme):
    a_world(acme)
    finished(start_run(client=acme, today=JAN_10, caller=PROCESS))
    with time_machine.travel(datetime(2026, 2, 10, 18, tzinfo=UTC), tick=False):
        dry_run = finished(start_run(client=acme, today=FEB_10, caller=PROCESS, is_dry_run=True))
        page = text_of(reader(acme).get(f"/billing-runs/{dry_run.pk}/"))
    assert '<td class="num" data-label="Before">$44.00</td><td class="num" data-label="Change">$0.00</td>' in page


def test_rows_of_a_list_that_cannot_be_used_are_shown_with_their_reason(acme, umbra, signed_in):
    account, others = an_account(acme), an_account(umbra)
    text = f"name;acct_no\nAda;{account.pk}\n\nBob;{others.pk}\nEve;{account.pk}\nTim;A-77-x\n"
    answer = signed_in.post(NEW, {"act": "start", "accounts_file": SimpleUploadedFile("a.csv", text.encode()), **once(1)})
    assert (answer.status_code, BillingRun.objects.count()) == (422, 0)
    page = text_of(answer)
    assert "3 rows of the list of accounts cannot be used." in page
    for row in (
        f'<tr><td class="num">4</td><td>{others.pk}</td><td>There is no such account.</td></tr>',
        f'<tr><td class="num">5</td><td>{account.pk}</td><td>This account is already in the list.</td></tr>',
        '<tr><td class="num">6</td><td>A-77-x</td><td>There is no such account.</td></tr>',
    ):
        assert row in page
    assert f"Ada;{account.pk}" in page  # an uploaded list can be corrected on the page


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"bill_days": "32"}, "32 is not valid"),
        ({"regions": "US-CA, Atlantis-1"}, "Atlantis-1 is not valid"),
        ({"due_until": "2026-01-11"}, "Jan 11, 2026 is after today"),
        ({"due_until": "soon"}, "soon"),
        ({"stop_above_refusals": "-1"}, "greater than or equal to 0"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_started(acme, signed_in, sent, message):
    an_account(acme)
    answer = signed_in.post(NEW, {**sent, **once(1), "act": "start"}, follow=True, HTTP_REFERER=f"http://testserver{NEW}")
    assert (message in text_of(answer), BillingRun.objects.count()) == (True, 0), text_of(answer)


def test_a_filter_that_matches_nobody_says_what_to_do(acme, signed_in):
    an_account(acme)
    page = text_of(signed_in.post(NEW, {"bill_days": "31", "act": "count"}))
    assert "No account that is due matches" in page and "Show all that are due" in page


def test_a_filter_is_saved_by_name_and_used_again(acme, signed_in):
    an_account(acme, currency="eur")
    answer = signed_in.post(NEW, {"bill_days": "10, 31", "currencies": ["eur"], "name": "Euro", "act": "save"})
    assert answer.url == f"{NEW}?saved=Euro"
    assert RunFilter.objects.get().filter == {"bill_days": [10, 31], "currencies": ["eur"]}
    page = text_of(signed_in.get(answer.url))
    assert 'value="10, 31"' in page and '<option value="eur" selected>EUR</option>' in page
    assert signed_in.post(NEW, {"saved": "Euro", "act": "use"}).url == answer.url


def test_each_state_has_its_buttons_and_each_button_does_its_act(acme, signed_in):
    a_world(acme)
    run = plan_run(client=acme, today=JAN_10, caller=PROCESS, limits={"stop_above_refusals": 0})
    address = f"/billing-runs/{run.pk}/"

    def buttons():
        return [choice.words for choice in signed_in.get(address).context["choices"]]

    assert buttons() == ["Start run", "Cancel run"]
    act(signed_in, run, "begin", 1)
    assert (run.state, buttons()) == (RunState.RUNNING, ["Pause run", "Cancel run"])
    act(signed_in, run, "pause", 2)
    assert (run.state, buttons()) == (RunState.PAUSED, ["Resume run", "Cancel run"])
    act(signed_in, run, "resume", 3)
    assert finished(run).state == RunState.STOPPED
    page = text_of(signed_in.get(address))
    assert "The run was stopped." in page and "More than 0 accounts were refused." in page
    assert buttons() == ["Continue past the limit", "Cancel run"]
    act(signed_in, run, "resume", 4)
    assert (finished(run).state, buttons()) == (RunState.FINISHED, ["Retry refused accounts"])
    answer = act(signed_in, run, "retry", 5)
    assert (answer.url, run.state) == (address, RunState.RUNNING)
    assert "1 account is tried again." in text_of(signed_in.get(address))
    act(signed_in, run, "cancel", 6)
    assert (run.state, buttons()) == (RunState.CANCELLED, [])
    refused = act(signed_in, run, "resume", 7)
    assert "is cancelled" in text_of(signed_in.get(refused.url))


def test_where_a_worker_is_alive_the_page_only_shows(acme, signed_in):
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=PROCESS)
    address = f"/billing-runs/{run.pk}/"
    page = text_of(signed_in.get(address))
    assert "No worker is running" in page and "manage.py work" in page and "every 2s" not in page
    with working("work"):
        page = text_of(signed_in.get(address))
        assert f'hx-get="{address}progress/" hx-trigger="every 2s"' in page and "You can close this page." in page
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
        assert "0 of 1 accounts" in text_of(signed_in.get(f"{address}progress/", **HTMX))
        finished(run)
        assert signed_in.get(f"{address}progress/", **HTMX)["HX-Redirect"] == address
    assert signed_in.get(f"{address}progress/").url == address


def test_pending_invoices_of_a_cancelled_run_can_be_discarded(umbra):
    signed_in = reader(umbra, permissions=("view_invoice", "generate_invoice", "approve_invoice"))
    an_account(umbra)
    run = finished(start_run(client=umbra, today=JAN_10, caller=PROCESS))
    page = text_of(signed_in.get(f"/billing-runs/{run.pk}/"))
    assert f'action="/invoices/pending/decide/?run={run.pk}"' in page and "Discard 1 pending invoice of this run" in page
    sent = {"act": "discard", "scope": "all", "newest": Invoice.objects.get().pk}
    assert "Discard 1 document?" in text_of(signed_in.post(f"/invoices/pending/decide/?run={run.pk}", sent))


def test_a_run_of_another_client_does_not_exist(acme, umbra, signed_in):
    an_account(umbra)
    run = start_run(client=umbra, today=JAN_10, caller=PROCESS)
    assert act(signed_in, run, "cancel").status_code == 404
    assert signed_in.get(f"/billing-runs/{run.pk}/progress/").status_code == 404
    assert act(signed_in, pause_run(run, caller=PROCESS), "explode").status_code == 404


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("acct_no\n", "the list names no account"),
        ("acct_no;name\n;Ada\n", "the list names no account"),
        ("\ufeff", "The submitted file is empty."),
        ("\n \n", "The submitted file is empty."),
        ('"1\n2\n', "the list cannot be read"),
        ("1\x00", "Null characters are not allowed."),
    ],
)
def test_a_list_that_names_nobody_never_means_everybody(acme, signed_in, text, message):
    an_account(acme)
    sent = {"accounts_file": SimpleUploadedFile("a.csv", text.encode()), "act": "start", **once(1)}
    answer = signed_in.post(NEW, sent)
    assert (answer.status_code, BillingRun.objects.count()) == (422, 0)
    assert message in text_of(answer)


@pytest.mark.parametrize("act", ["start", "dry_run", "count", "save"])
def test_a_saved_filter_that_is_only_chosen_is_shown_before_anything_is_started(acme, signed_in, act):
    an_account(acme)
    RunFilter.objects.create(client=acme, name="Euro", filter={"currencies": ["eur"]})
    answer = signed_in.post(NEW, {"saved": "Euro", "act": act, "name": "Other", **once(1)})
    assert (answer.status_code, answer.url) == (302, f"{NEW}?saved=Euro")
    assert (BillingRun.objects.count(), RunFilter.objects.count()) == (0, 1)
    page = text_of(signed_in.get(answer.url))
    assert "The fields show the saved filter Euro now. Nothing was started or saved." in page
    assert '<input type="hidden" name="shown_filter" value="Euro"' in page
    sent = {"saved": "Euro", "shown_filter": "Euro", "currencies": ["usd"], "act": "dry_run", **once(2)}
    signed_in.post(NEW, sent)
    assert BillingRun.objects.get().filter == {"currencies": ["usd"]}  # a filter that is shown may be changed


def test_a_saved_filter_that_is_gone_does_not_look_like_one_of_everybody(acme, signed_in):
    an_account(acme)
    answer = signed_in.get(NEW, {"saved": "Gone"}, follow=True)
    assert answer.redirect_chain == [(NEW, 302)]
    assert "There is no saved filter Gone." in text_of(answer)
