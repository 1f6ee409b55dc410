"""Billing runs: filters, modes, dry runs, several at once, limits, and what a person does with them."""

from datetime import date
from decimal import Decimal as D

import pytest

from accounts.callers import Caller
from accounts.models import Account, Client, Event, PaymentMethod
from billing_site.errors import BillingError
from invoices.kinds import ACTIVE_RUNS, ENDED_RUNS, RUN_TRANSITIONS, RunMode, RunResult, RunState
from invoices.models import BillingRun, Invoice, RunFilter
from invoices.services.approving.discarding_runs import discard_pending_of_run
from invoices.services.runs.batches import claim_accounts
from invoices.services.runs.due_accounts import count_due
from invoices.services.runs.figures import count_flags, count_results, difference, run_totals
from invoices.services.runs.filters import AccountFilter, delete_filter, read_filter, save_filter, stored_filter
from invoices.services.runs.runs import (
    begin_run,
    cancel_run,
    continue_run,
    pause_run,
    plan_run,
    resume_run,
    retry_run,
    start_run,
    work_on_run,
)
from invoices.services.work.workers import working
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import a_plan, an_account
from tests.support.runs import a_world

pytestmark = pytest.mark.django_db


CALLER = Caller(process="test")


def ran(client: Client, process, day=JAN_10, **options) -> BillingRun:
    run = start_run(client=client, today=day, caller=process, **options)
    continue_run(run, caller=process)
    return run


def test_every_state_is_reached_and_left():
    assert set(RUN_TRANSITIONS) == set(RunState)
    assert {state for after in RUN_TRANSITIONS.values() for state in after} == set(RunState) - {RunState.PLANNED}
    assert set(ACTIVE_RUNS) | set(ENDED_RUNS) == set(RunState)


def test_a_filter_is_typed_checked_and_stored(acme, umbra):
    account = an_account(acme)
    plan = account.plan_instances.get().plan
    typed = {
        "due_until": "2026-01-05",
        "bill_days": ["10", 10],
        "accounts": [str(account.pk), account.client_acct_id, f" {account.pk} "],
        "plans": [plan.client_plan_id],
        "currencies": ["USD"],
        "countries": ["United States"],
        "regions": ["usa-California"],
        "payment_methods": ["none", "card"],
    }
    chosen = read_filter(acme, typed)
    assert chosen == AccountFilter(
        date(2026, 1, 5), (10,), (account.pk,), (plan.pk,), ("usd",), ("US",), ("US-CA",), ("none", "card")
    )
    assert stored_filter(chosen.stored()) == chosen
    assert AccountFilter().stored() == {}


@pytest.mark.parametrize(
    "typed, code, words",
    [
        ({"accounts": ["4711", "nobody"]}, 1009, "4711, nobody are unknown"),
        ({"acounts": ["1"]}, 1016, "Did you mean `accounts`?"),
        ({"accounts": "17"}, 1016, "must be a list"),
        ({"bill_days": [0, 31, "32"]}, 1016, "bill_days: 0, 32 are not valid"),
        ({"currencies": ["usd", "dollars"]}, 1016, "currencies: dollars is not valid"),
        ({"countries": ["Atlantis"]}, 1016, "countries: Atlantis is not valid"),
        ({"regions": ["California"]}, 1016, "regions: California is not valid"),
        ({"plans": ["none"]}, 1016, "plans: none is not valid"),
        ({"payment_methods": ["gold"]}, 1016, "payment_methods: gold is not valid"),
        ({"due_until": "January"}, 1024, "due_until: January"),
    ],
)
def test_what_a_filter_does_not_know_is_named(acme, typed, code, words):
    with pytest.raises(BillingError) as refused:
        read_filter(acme, typed)
    assert refused.value.code.number == code
    assert words in refused.value.message


def test_accounts_of_another_client_are_unknown(acme, umbra):
    foreign = an_account(umbra)
    with pytest.raises(BillingError, match=f"accounts: {foreign.pk} is unknown"):
        read_filter(acme, {"accounts": [foreign.pk]})


def test_each_part_of_a_filter_finds_its_accounts(acme):
    euro = an_account(acme, a_plan(acme, currency="eur"), currency="eur")
    late = an_account(acme, start=date(2026, 1, 3))
    card = an_account(acme)
    PaymentMethod.objects.create(account=card, type="card", token="tok")
    nevada = an_account(acme)
    nevada.contacts.update(region="NV")
    plan = nevada.plan_instances.get().plan

    def found(**parts):
        chosen = AccountFilter(**parts)
        assert count_due(acme, JAN_10, chosen).ready == plan_of(chosen)
        return sorted(accounts_of(chosen))

    def accounts_of(chosen):
        run = plan_run(client=acme, today=JAN_10, caller=CALLER, chosen=chosen, is_dry_run=True)
        return list(run.outcomes.values_list("account_id", flat=True))

    def plan_of(chosen):
        return len(accounts_of(chosen))

    assert found(currencies=("eur",)) == [euro.pk]
    assert found(due_until=date(2026, 1, 9)) == [late.pk]
    assert found(bill_days=(3,)) == [late.pk]
    assert found(payment_methods=("card",)) == [card.pk]
    assert found(payment_methods=("none",), currencies=("usd",)) == [late.pk, nevada.pk]
    assert found(regions=("US-NV",)) == [nevada.pk]
    assert found(countries=("US",)) == [euro.pk, late.pk, card.pk, nevada.pk]
    assert found(plans=(plan.pk,), accounts=(nevada.pk, card.pk)) == [nevada.pk]


def test_a_filter_that_finds_nobody_and_a_day_to_come_are_refused(acme, process):
    an_account(acme)
    with pytest.raises(BillingError) as nobody:
        plan_run(client=acme, today=JAN_10, caller=process, chosen=AccountFilter(currencies=("jpy",)))
    assert nobody.value.code.number == 90112
    with pytest.raises(BillingError, match="is after today"):
        plan_run(client=acme, today=JAN_10, caller=process, chosen=AccountFilter(due_until=FEB_10))
    assert BillingRun.objects.count() == 0
    assert start_run(client=acme, today=date(2026, 1, 1), caller=process).state == RunState.FINISHED


def test_filters_are_kept_by_name(acme, process):
    save_filter(client=acme, name=" Euro ", chosen=AccountFilter(currencies=("eur",)), caller=process)
    save_filter(client=acme, name="Euro", chosen=AccountFilter(currencies=("eur",), bill_days=(1,)), caller=process)
    assert RunFilter.objects.get().filter == {"bill_days": [1], "currencies": ["eur"]}
    delete_filter(client=acme, name="Euro", caller=process)
    with pytest.raises(BillingError, match="filter Euro"):
        delete_filter(client=acme, name="Euro", caller=process)


def test_all_pending_and_in_advance(acme, process, audited):
    an_account(acme)
    pending = ran(acme, process, mode=RunMode.ALL_PENDING)
    assert Invoice.objects.get().status == "pending"
    assert list(discard_pending_of_run(pending, caller=process, today=JAN_10)) == [Invoice.objects.get().pk]
    assert Invoice.objects.get().status == "discarded"
    ran(acme, process)
    advance = ran(acme, process, mode=RunMode.ADVANCE)
    assert [one.total_amount for one in run_totals(advance)] == [D(30)]
    assert Invoice.objects.get(run_outcomes__run=advance).kind == "advance"


def test_a_dry_run_writes_nothing_but_itself_and_is_compared(acme, process, audited):
    billed = a_world(acme)
    for account in billed:
        bill(account, process, JAN_10)
    acme.flag_change_percent = D(1)
    acme.save()
    billed[0].plan_instances.update(units=2)
    of_others = Event.objects.exclude(act="run.finished")
    events, invoices = of_others.count(), Invoice.objects.count()
    dry = ran(acme, process, FEB_10, is_dry_run=True)
    assert (of_others.count(), Invoice.objects.count()) == (events, invoices)
    assert count_results(dry) == {RunResult.BILLABLE: 3, RunResult.NOTHING_TO_BILL: 1, RunResult.REFUSED: 1}
    assert [tuple(one) for one in run_totals(dry)] == [("usd", 3, D(100), D(10), D(110))]
    doubled = dry.outcomes.get(account=billed[0])
    assert (doubled.net_amount, doubled.tax_amount, doubled.total_amount) == (D(60), D(6), D(66))
    assert (doubled.previous_total, doubled.change_amount, doubled.flags) == (D(33), D(33), "changed")
    assert {flag.value: count for flag, count in count_flags(dry).items() if count} == {"changed": 1, "first": 1}
    Account.objects.filter(pk=billed[1].pk).update(status=-1)
    run = ran(acme, process, FEB_10, compared_with=dry)
    beside = difference(run, dry)
    assert (beside.accounts, beside.invoiced, beside.refused) == (0, -1, 1)
    assert (beside.refusals, beside.totals) == ({7002: 1}, {"usd": D(-11)})
    with pytest.raises(BillingError, match="is not a finished dry run"):
        plan_run(client=acme, today=FEB_10, caller=process, compared_with=run)


def test_accounts_of_an_active_run_are_left_out_of_another_and_listed(acme, process, audited):
    first, second = an_account(acme), an_account(acme)
    active = start_run(client=acme, today=JAN_10, caller=process, chosen=AccountFilter(accounts=(first.pk,)))
    assert tuple(count_due(acme, JAN_10)) == (1, 0, 0, 1)
    other = ran(acme, process)
    assert count_results(other) == {RunResult.INVOICED: 1, RunResult.IN_ANOTHER_RUN: 1}
    left_out = other.outcomes.get(account=first)
    assert (left_out.result, left_out.other_run) == ("in_another_run", active)
    assert other.outcomes.get(account=second).invoice is not None
    continue_run(active, caller=process)
    assert Invoice.objects.count() == 2


def test_a_run_is_planned_begun_paused_and_resumed(acme, process):
    an_account(acme)
    run = plan_run(client=acme, today=JAN_10, caller=process)
    continue_run(run, caller=process)
    assert count_results(run) == {RunResult.WAITING: 1}
    with pytest.raises(BillingError) as planned:
        pause_run(run, caller=process)
    assert (planned.value.code.number, f"run {run.pk} is planned" in planned.value.message) == (90111, True)
    begin_run(run, caller=process)
    pause_run(run, caller=process)
    continue_run(run, caller=process)
    assert count_results(run) == {RunResult.WAITING: 1}
    resume_run(run, caller=process)
    continue_run(run, caller=process)
    assert (run.state, count_results(run)) == (RunState.FINISHED, {RunResult.INVOICED: 1})
    states = Event.objects.filter(act__startswith="run.").order_by("pk")
    assert [one.after["state"] for one in states] == ["paused", "running", "finished"]


def test_a_cancelled_run_bills_nobody_else(acme, process, audited):
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    an_account(acme)
    assert cancel_run(run, caller=process).state == RunState.CANCELLED
    continue_run(run, caller=process)
    assert count_results(run) == {RunResult.CANCELLED: 1}
    assert run.finished_at is not None
    with pytest.raises(BillingError, match="is cancelled"):
        cancel_run(run, caller=process)
    assert count_results(ran(acme, process)) == {RunResult.INVOICED: 2}
    planned = plan_run(client=acme, today=FEB_10, caller=process)
    assert cancel_run(planned, caller=process).state == RunState.CANCELLED


def test_a_batch_that_has_begun_is_settled_before_a_run_is_cancelled(acme, process, audited):
    for _ in range(3):
        an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=process)
    with working("busy") as busy:
        claim_accounts(run, busy, 2)
        assert cancel_run(run, caller=process).state == RunState.CANCELLING
        with working("other") as other:
            assert work_on_run(run, worker=other, caller=process) == 0
        run.refresh_from_db()
        assert run.state == RunState.CANCELLING
    with working("other") as other:
        assert work_on_run(run, worker=other, caller=process) == 0
    run.refresh_from_db()
    assert (run.state, count_results(run)) == (RunState.CANCELLED, {RunResult.CANCELLED: 3})


def test_refused_accounts_are_retried(acme, process, audited):
    healthy, barred = an_account(acme), an_account(acme, status=-1)
    acme.tax_engine = "failing"
    acme.save()
    run = ran(acme, process)
    assert count_results(run) == {RunResult.REFUSED: 2}
    acme.tax_engine = "table"
    acme.save()
    run = BillingRun.objects.get()
    assert retry_run(run, caller=process, only_failed=True) == 1
    continue_run(run, caller=process)
    assert run.outcomes.get(account=healthy).result == "invoiced"
    assert run.outcomes.get(account=barred).error_code == 7002
    Account.objects.filter(pk=barred.pk).update(status=1)
    assert retry_run(run, caller=process) == 1
    continue_run(run, caller=process)
    assert (run.state, count_results(run)) == (RunState.FINISHED, {RunResult.INVOICED: 2})
    assert retry_run(run, caller=process) == 0


@pytest.mark.parametrize(
    "limits, reason",
    [
        ({"stop_above_refusals": 0}, "More than 0 accounts were refused."),
        ({"stop_above_refused_percent": D(25)}, "More than 25 % of the accounts were refused."),
        ({"stop_above_invoice": D(25)}, "is 33.00 USD, above 25."),
        ({"stop_above_invoice": D(0)}, "USD, above 0."),
    ],
)
def test_a_limit_stops_a_run_until_a_person_resumes_it(acme, process, audited, limits, reason):
    a_world(acme)
    an_account(acme, is_test=True)
    run = ran(acme, process, limits=limits)
    assert (run.state, reason in run.stop_reason) == (RunState.STOPPED, True)
    before = Invoice.objects.count()
    continue_run(run, caller=process)
    assert Invoice.objects.count() == before
    resume_run(run, caller=process)
    continue_run(run, caller=process)
    assert (run.state, run.stop_reason) == (RunState.FINISHED, "")
    assert count_results(run) == {RunResult.INVOICED: 2, RunResult.NOTHING_TO_BILL: 1, RunResult.REFUSED: 2}


def test_limits_that_are_kept_do_not_stop_a_run(acme, process):
    a_world(acme)
    limits = {"stop_above_refusals": 1, "stop_above_refused_percent": D(25), "stop_above_invoice": D(33)}
    assert ran(acme, process, limits=limits).state == RunState.FINISHED


def test_an_invoice_above_the_limit_is_not_written(acme, process):
    an_account(acme)
    run = ran(acme, process, limits={"stop_above_invoice": D(25)})
    assert (Invoice.objects.count(), count_results(run)) == (0, {RunResult.WAITING: 1})


def test_a_total_beyond_the_last_run_stops_a_run_and_new_runs_have_the_limits_of_the_client(acme, process, audited):
    for _ in range(2):
        an_account(acme)
    ran(acme, process)
    an_account(acme, start=FEB_10)
    acme.stop_above_percent_of_last = D(140)
    acme.save()
    run = ran(acme, process, FEB_10)
    assert run.stop_reason == f"The total of 90.00 USD is above 140 % of run {run.pk - 1}."
    cancel_run(run, caller=process)
    with pytest.raises(BillingError, match="must be a limit of 0 or more"):
        plan_run(client=acme, today=FEB_10, caller=process, limits={"stop_above_refusals": -1})


def test_who_may_not_generate_any_more_stops_the_run(acme, process, alice):
    an_account(acme)
    run = start_run(client=acme, today=JAN_10, caller=alice)
    alice.staff.is_active = False
    alice.staff.save()
    with working("work") as worker:
        assert work_on_run(run, worker=worker, caller=alice) == 0
    run.refresh_from_db()
    assert (run.state, "You have no permission" in run.stop_reason) == (RunState.STOPPED, True)
