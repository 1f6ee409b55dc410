"""What people and programs get wrong about billing runs, on the page and over REST: a clear message, or a defined outcome."""

from datetime import UTC, date, datetime

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from accounts.callers import Caller
from accounts.kinds import AccountStatus
from invoices.kinds import RunMode, RunResult, RunState
from invoices.models import BillingRun, Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.lists.dashboard import attention
from invoices.services.runs.comparisons import comparisons_of
from invoices.services.runs.due_accounts import DueAccounts, count_due
from invoices.services.runs.figures import count_results
from invoices.services.runs.filters import AccountFilter
from invoices.services.runs.runs import begin_run, cancel_run, continue_run, pause_run, plan_run, start_run
from tests.support.billing import JAN_10
from tests.support.factories import a_plan, an_account
from tests.support.invoice_pages import reader
from tests.support.money_api import get, post, with_key

pytestmark = pytest.mark.django_db
NEW = "/billing-runs/new/"
PROCESS = Caller(process="test")


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 18, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def signed_in(acme):
    return reader(acme, permissions=("view_invoice", "generate_invoice"))


@pytest.fixture
def api(acme):
    return with_key(acme)


def text_of(answer):
    return " ".join(answer.content.decode().split())


def once(number):
    return {"once": f"{number:032d}"}


def act(signed_in, run, name, number=1):
    answer = signed_in.post(f"/billing-runs/{run.pk}/act/{name}/", once(number), follow=True)
    run.refresh_from_db()
    return text_of(answer)


def finished(client, **options):
    run = start_run(client=client, today=JAN_10, caller=PROCESS, **options)
    continue_run(run, caller=PROCESS)
    run.refresh_from_db()
    return run


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_list_as_a_spreadsheet_writes_it_is_read(acme, signed_in, encoding, separator):
    first, second = an_account(acme), an_account(acme, client_acct_id="Müller & Söhne")
    rows = [("name", " Acct_No "), ("Ada", f"  {first.pk} "), ("", ""), ("Bob", "Müller & Söhne")]
    text = "\r\n".join(separator.join(row) for row in rows) + "\r\n"
    file = SimpleUploadedFile("a.csv", text.encode(encoding))
    signed_in.post(NEW, {"act": "start", "accounts_file": file, **once(1)})
    assert BillingRun.objects.get().filter == {"accounts": [first.pk, second.pk]}


def test_texts_that_are_no_account_are_listed(acme, umbra, signed_in):
    account, foreign = an_account(acme), an_account(umbra)
    wrong = ["1e3", f"{account.pk}.0", f"0{account.pk}", "-1", "9" * 30, str(foreign.pk), f"{account.pk}"]
    sent = {"act": "start", "accounts": "\n".join([str(account.pk), *wrong]), **once(1)}
    answer = signed_in.post(NEW, sent)
    found = [(one.row, one.text, one.problem.value) for one in answer.context["wrong"]]
    unknown = [(row, text, "unknown") for row, text in enumerate(wrong[:-1], 2)]
    assert found == [*unknown, (8, str(account.pk), "doubled")]
    assert (answer.status_code, BillingRun.objects.count()) == (422, 0)


def test_a_list_of_several_columns_without_a_header_is_refused(acme, signed_in):
    """Nothing says which cell is the account: the others would be left out unseen."""
    one, two = an_account(acme), an_account(acme)
    answer = signed_in.post(NEW, {"act": "start", "accounts": f"{one.pk},{two.pk}", **once(1)})
    assert (answer.status_code, BillingRun.objects.count()) == (422, 0)
    assert "row 1 has several cells" in text_of(answer)


def test_an_empty_list_of_accounts_does_not_bill_all_over_rest(acme, api):
    an_account(acme)
    refused = post(api, "billing-runs", {"filter": {"accounts": []}}, 400)
    assert (refused["error_code"], list(refused["errors"])) == (1010, ["filter.accounts"])
    refused = post(api, "run-filters", {"name": "None", "filter": {"accounts": []}}, 400)
    assert refused["error_code"] == 1010


def test_more_than_100_percent_is_no_limit(acme, api):
    assert post(api, "billing-runs", {"stop_above_refused_percent": "100.01"}, 400)["error_code"] == 1016
    assert post(api, "billing-runs", {"stop_above_refused_percent": "100"}, 201)["stop_above_refused_percent"] == "100.00"


def test_a_cancelled_run_is_not_compared(acme, signed_in):
    for _ in range(2):
        an_account(acme)
    finished(acme, is_dry_run=True)
    run = plan_run(client=acme, today=JAN_10, caller=PROCESS, compared_with=BillingRun.objects.get())
    assert len(comparisons_of(run)) == 1
    cancel_run(run, caller=PROCESS)
    run.refresh_from_db()
    assert comparisons_of(run) == []


@pytest.mark.parametrize("content", [b"\xff\xfe1\x002\x00", b"M\xfcller", b"1\n\x00\n"])
def test_a_file_that_is_no_text_is_refused(acme, signed_in, content):
    an_account(acme)
    answer = signed_in.post(NEW, {"act": "start", "accounts_file": SimpleUploadedFile("a.csv", content), **once(1)})
    assert (answer.status_code, BillingRun.objects.count()) == (422, 0)


def test_a_limit_of_0_on_the_page_stops_at_the_first_refusal(acme, signed_in):
    an_account(acme)
    an_account(acme, is_test=True)
    signed_in.post(NEW, {"act": "start", "stop_above_refusals": "0", **once(1)})
    run = BillingRun.objects.get()
    continue_run(run, caller=PROCESS)
    run.refresh_from_db()
    assert (run.state, run.stop_reason) == (RunState.STOPPED, "More than 0 accounts were refused.")
    assert "More than 0 accounts were refused." in text_of(signed_in.get(f"/billing-runs/{run.pk}/"))


def test_two_browsers_that_start_the_same_run_bill_each_account_once(acme, signed_in, audited):
    an_account(acme)
    other = reader(acme, name="bea", permissions=("view_invoice", "generate_invoice"))
    for browser, number in ((signed_in, 1), (other, 2)):
        browser.post(NEW, {"act": "start", **once(number)})
    first, second = BillingRun.objects.order_by("pk")
    assert count_results(second) == {RunResult.IN_ANOTHER_RUN: 1}
    for run in (first, second):
        continue_run(run, caller=PROCESS)
    assert (Invoice.objects.count(), count_results(first)) == (1, {RunResult.INVOICED: 1})
    assert f"Run {first.pk}" in text_of(other.get(f"/billing-runs/{second.pk}/"))


def test_a_run_that_another_browser_has_begun_cannot_be_begun_again(acme, signed_in):
    an_account(acme)
    run = plan_run(client=acme, today=JAN_10, caller=PROCESS)
    begin_run(run, caller=PROCESS)
    assert f"run {run.pk} is running" in act(signed_in, run, "begin")
    assert run.state == RunState.RUNNING


def test_a_finished_run_cannot_be_cancelled(acme, signed_in, api):
    an_account(acme)
    run = finished(acme)
    assert f"run {run.pk} is finished" in act(signed_in, run, "cancel")
    assert post(api, f"billing-runs/{run.pk}/cancel")["error_code"] == 90111
    assert (run.state, Invoice.objects.count()) == (RunState.FINISHED, 1)


def test_a_run_without_refusals_has_nothing_to_retry(acme, signed_in, api):
    an_account(acme)
    run = finished(acme)
    assert "No account is tried again" in act(signed_in, run, "retry")
    again = post(api, f"billing-runs/{run.pk}/retry")
    assert (again["state"], again["counts"]) == ("finished", {"invoiced": 1})


def test_what_a_cancelled_run_has_left_pending_is_discarded_over_rest(umbra, audited):
    an_account(umbra)
    an_account(umbra)
    api = with_key(umbra, may_approve=True)
    run = finished(umbra, chosen=AccountFilter(accounts=(an_account(umbra).pk,)))
    left = start_run(client=umbra, today=JAN_10, caller=PROCESS)
    address = f"billing-runs/{left.pk}"
    assert post(api, f"{address}/discard_pending")["error_code"] == 90111
    continue_run(left, caller=PROCESS)
    assert get(api, address)["pending"] == 2
    outcomes = post(api, f"{address}/discard_pending")["outcomes"]
    assert [(one["error_code"], one["acct_no"] is not None) for one in outcomes] == [(0, True), (0, True)]
    assert get(api, address)["pending"] == 0
    assert post(api, f"{address}/discard_pending")["outcomes"] == []
    assert get(api, f"billing-runs/{run.pk}")["pending"] == 1
    refused = post(with_key(umbra, may_approve=False), f"billing-runs/{run.pk}/discard_pending")
    assert (refused["error_code"], Invoice.objects.filter(status="pending").count()) == (90001, 1)


def test_discarding_by_a_repeated_request_answers_the_same(umbra):
    an_account(umbra)
    api = with_key(umbra, may_approve=True)
    run = finished(umbra)
    answers = [api.post(f"/api/v1/billing-runs/{run.pk}/discard_pending/", HTTP_IDEMPOTENCY_KEY="k-1").json() for _ in range(2)]
    assert len(answers[0]["outcomes"]) == 1
    assert answers[0] == answers[1]


def test_everyone_counts_the_same_of_an_odd_world(acme, signed_in, api, capsys):
    """Accounts to bill, held by a pending invoice, without plan, of the future, in an active run, suspended, and tests."""
    for _ in range(2):
        an_account(acme)
    held = an_account(acme)
    generate_invoice(client=acme, account_no=held.pk, request=BillingRequest(JAN_10, force_pending=True), caller=PROCESS)
    bare = an_account(acme, a_plan(acme))
    bare.plan_instances.all().delete()
    an_account(acme, start=date(2026, 1, 11))
    an_account(acme, status=AccountStatus.SUSPENDED)
    an_account(acme, is_test=True)
    in_run = an_account(acme)
    busy = plan_run(client=acme, today=JAN_10, caller=PROCESS, chosen=AccountFilter(accounts=(in_run.pk,)))
    expected = DueAccounts(ready=3, pending=1, not_billed=2, in_runs=1)
    assert count_due(acme, JAN_10) == expected
    assert attention(acme, JAN_10).due_accounts == expected
    tiles = {str(tile.title): tile for tile in signed_in.get("/").context["tiles"]}
    assert tiles["Accounts due to bill"].how_many == 3
    assert signed_in.get(NEW).context["look"].due == expected
    page = text_of(signed_in.get(NEW))
    assert "Start billing run for 6 accounts, 3 of them blocked" in page and signed_in.get(NEW).context["look"].looked_at == 6
    planned = post(api, "billing-runs", {}, status=201)
    assert planned["counts"] == {"waiting": expected.taken_in, "in_another_run": expected.in_runs}
    assert "1 of 7 accounts" in text_of(signed_in.get(f"/billing-runs/{planned['id']}/"))
    cancel_run(BillingRun.objects.get(pk=planned["id"]), caller=PROCESS)
    call_command("bill", "--due")
    said = " ".join(capsys.readouterr().out.split())
    assert "accounts 7 invoices 2 nothing to bill 1 refused 3" in said
    assert count_results(busy) == {RunResult.WAITING: 1}
    assert count_due(acme, JAN_10) == DueAccounts(ready=0, pending=1, not_billed=2, in_runs=1)


def test_a_paused_run_keeps_its_accounts_out_of_every_count(acme, signed_in):
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=PROCESS, mode=RunMode.ALL_PENDING)
    pause_run(run, caller=PROCESS)
    assert count_due(acme, JAN_10) == DueAccounts(ready=0, pending=0, not_billed=0, in_runs=1)
    assert signed_in.get(NEW).context["look"].due.all == 1


def test_listed_accounts_that_are_not_due_are_named_with_their_next_bill_date(acme, signed_in, api):
    due, later, bare = an_account(acme), an_account(acme, start=date(2026, 1, 11)), an_account(acme, a_plan(acme))
    bare.plan_instances.all().delete()
    bare.next_bill_date = None
    bare.save()
    ids = [one.client_acct_id for one in (due, later, bare)]
    page = text_of(signed_in.post(NEW, {"act": "count", "accounts": "\n".join(ids)}))
    assert "2 of 3 listed accounts are not in the run." in page and "Start billing run for 1 account<" in page
    assert f'{later.client_acct_id}</a></th><td class="nowrap">Jan 11, 2026</td><td>It is not due.</td>' in page
    dry = post(api, "billing-runs/dry_run", {"filter": {"accounts": ids}}, status=201)
    assert dry["left_out"] == {
        "count": 2,
        "accounts": [
            {"acct_no": later.pk, "client_acct_id": ids[1], "next_bill_date": "2026-01-11", "reason": "not_due"},
            {"acct_no": bare.pk, "client_acct_id": ids[2], "next_bill_date": None, "reason": "no_cycle"},
        ],
    }
    assert "2 of 3 listed accounts are not in the run." in text_of(signed_in.get(f"/billing-runs/{dry['id']}/"))
    nobody = post(api, "billing-runs/dry_run", {"filter": {"accounts": ids[1:2]}}, status=409)
    assert (nobody["error_code"], f"{ids[1]}: next bill date 2026-01-11" in nobody["error_msg"]) == (90112, True)
    assert "No account that is due matches" in text_of(signed_in.post(NEW, {"act": "count", "accounts": ids[1]}))
