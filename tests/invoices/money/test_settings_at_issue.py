"""Collecting at issue: which setting applies, what is not collected, and the consequences of a failure."""

from decimal import Decimal as D

import pytest

from accounts.kinds import AccountStatus
from accounts.models import Account, Event, PaymentMethod
from billing_site.errors import ErrorCode
from invoices.gateways.sandbox import SandboxGateway
from invoices.kinds import EntryKind, InvoiceStatus, PaymentType, RunResult
from invoices.models import CollectionAttempt, Invoice, RunOutcome
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices
from invoices.services.billing.generating import generate_invoice
from invoices.services.collecting import collecting
from invoices.services.collecting.collecting import resume_collecting
from invoices.services.documents.collection_results import CollectionResult
from invoices.services.money.ledger.entries import account_balance
from invoices.services.runs.runs import continue_run, start_run
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.factories import a_plan, an_account
from tests.support.outcomes import code_of, error_of
from tests.support.paying import billed, books, due, ledger, paying, unapplied
from tests.support.payments import billed_in, pay

pytestmark = pytest.mark.usefixtures("audited")


def set_up(client, **settings):
    for name, value in settings.items():
        setattr(client, name, value)
    client.save()
    return client


@pytest.fixture
def collecting_acme(acme):
    """Bills at once, and collects what it bills."""
    return set_up(acme, collect_on_approval=True)


@pytest.fixture
def collecting_umbra(umbra):
    """Approve pending invoices, and collect them."""
    return set_up(umbra, collect_on_approval=True)


def generate(account, caller, day=JAN_10, collect=None):
    number = generate_invoice(
        client=account.client, account_no=account.pk, request=BillingRequest(day), caller=caller, collect=collect
    )
    return Invoice.objects.get(pk=number)


def approve(invoice, caller, collect=None, today=JAN_31):
    (outcome,) = approve_invoices(client=invoice.client, invoice_nos=[invoice.pk], caller=caller, today=today, collect=collect)
    return outcome


def run(client, caller, day=JAN_10):
    one = start_run(client=client, today=day, caller=caller)
    continue_run(one, caller=caller)
    return one


def attempts():
    return list(CollectionAttempt.objects.order_by("pk").values_list("status", "error_code", "at_issue"))


# When it is collected.


def test_an_invoice_that_is_issued_at_once_is_collected(collecting_acme, process):
    account = paying(collecting_acme)
    invoice = generate(account, process)
    assert (invoice.status, due(invoice), books(), account_balance(account)) == ("approved", 0, [D(30)], 0)
    assert attempts() == [("collected", 0, True)]


def test_a_pending_invoice_is_collected_when_it_is_approved_and_not_before(collecting_umbra, process):
    _account, invoice = billed(collecting_umbra, process)
    assert attempts() == []
    outcome = approve(invoice, process)
    assert (error_of(outcome), outcome.collection.result, outcome.collection.amount) == (
        None,
        CollectionResult.COLLECTED,
        D(30),
    )
    assert (due(invoice), books()) == (0, [D(30)])


def test_a_run_collects_what_it_bills(collecting_acme, process):
    good, bad = paying(collecting_acme), paying(collecting_acme, "sandbox_declined", "20.00")
    one = run(collecting_acme, process)
    assert set(one.outcomes.values_list("account_id", "result")) == {(good.pk, "invoiced"), (bad.pk, "invoiced")}
    assert (books(), [account_balance(account) for account in (good, bad)]) == ([D(30)], [0, D(20)])


@pytest.mark.parametrize(("setting", "asked", "collected"), [(True, False, []), (False, True, [D(30)]), (False, None, [])])
def test_what_a_call_asks_for_counts_before_the_setting(acme, process, setting, asked, collected):
    account = paying(set_up(acme, collect_on_approval=setting))
    generate(account, process, collect=asked)
    assert (books(), len(attempts())) == (collected, len(collected))


@pytest.mark.parametrize(("setting", "asked", "collected"), [(True, False, []), (False, True, [D(30)]), (False, None, [])])
def test_what_an_approval_asks_for_counts_before_the_setting(umbra, process, setting, asked, collected):
    _account, invoice = billed(set_up(umbra, collect_on_approval=setting), process)
    outcome = approve(invoice, process, collect=asked)
    assert (books(), outcome.collection is not None) == (collected, bool(collected))


def test_a_pending_invoice_is_not_collected_whatever_the_call_that_generates_it_asks(umbra, process):
    invoice = generate(paying(umbra), process, collect=True)
    assert (invoice.status, books(), attempts()) == ("pending", [], [])


def test_of_an_approval_of_many_each_has_its_own_outcome(collecting_umbra, process):
    tokens = ("sandbox_approved", "sandbox_declined", "sandbox_timeout_before")
    invoices = [billed(collecting_umbra, process, token)[1] for token in tokens]
    bare = bill(an_account(collecting_umbra, a_plan(collecting_umbra)), process, JAN_10)
    numbers = [one.pk for one in (*invoices, bare)]
    outcomes = approve_invoices(client=collecting_umbra, invoice_nos=[*numbers, 0], caller=process, today=JAN_31)
    *settled, unknown = outcomes
    assert (unknown.invoice_no, code_of(unknown)) == (0, 3015)
    results = {one.invoice_no: one.collection and (one.collection.result, one.collection.error_code) for one in settled}
    assert results == {
        numbers[0]: (CollectionResult.COLLECTED, 0),
        numbers[1]: (CollectionResult.DECLINED, 4011),
        numbers[2]: (CollectionResult.UNKNOWN, 90019),
        numbers[3]: (CollectionResult.REFUSED, 7025),
    }
    assert Invoice.objects.filter(status=InvoiceStatus.APPROVED).count() == 4


# What is not collected, and says why.


@pytest.mark.parametrize(
    ("currency", "rate", "threshold", "text"),
    [
        ("usd", "9.99", "10", "9.99 usd is below the minimum collection threshold of 10.00."),
        ("jpy", "99", "100", "99 jpy is below the minimum collection threshold of 100."),
    ],
)
def test_less_than_the_threshold_counts_as_success_and_is_said(collecting_umbra, process, currency, rate, threshold, text):
    collecting_umbra.collection_thresholds.create(currency=currency, amount=D(threshold))
    _account, invoice = billed_in(currency, collecting_umbra, process, rate)
    outcome = approve(invoice, process)
    assert (outcome.collection.result, outcome.collection.error_code) == (CollectionResult.BELOW_THRESHOLD, 0)
    assert outcome.collection.message == text
    attempt = CollectionAttempt.objects.get()
    assert (attempt.status, attempt.error_code, attempt.message, attempt.amount) == ("not_made", 0, text, None)
    assert (books(), due(invoice)) == ([], D(rate))


def test_exactly_the_threshold_is_collected(collecting_umbra, process):
    collecting_umbra.collection_thresholds.create(currency="usd", amount=D(10))
    _account, invoice = billed(collecting_umbra, process, rate="10.00")
    assert (approve(invoice, process).collection.result, books()) == (CollectionResult.COLLECTED, [D(10)])


def test_a_threshold_is_of_its_own_currency(collecting_acme, process):
    collecting_acme.collection_thresholds.create(currency="eur", amount=D(1000))
    generate(paying(collecting_acme), process)
    assert books() == [D(30)]


@pytest.mark.parametrize("setting", ["void_on_collection_failure", "dunning_on_collection_failure"])
def test_what_is_below_the_threshold_is_no_failure(collecting_acme, process, setting):
    set_up(collecting_acme, **{setting: True}).collection_thresholds.create(currency="usd", amount=D(100))
    account = paying(collecting_acme)
    invoice = generate(account, process)
    account.refresh_from_db()
    assert (invoice.status, account.status, due(invoice)) == ("approved", 1, D(30))


def test_without_a_payment_method_the_invoice_stays_approved_and_due(collecting_umbra, process):
    account = an_account(collecting_umbra, a_plan(collecting_umbra))
    PaymentMethod.objects.create(account=account, type="mailed_check")
    PaymentMethod.objects.create(account=account, type="card", token="")
    invoice = bill(account, process, JAN_10)
    outcome = approve(invoice, process)
    assert (error_of(outcome), outcome.collection.result, outcome.collection.error_code) == (
        None,
        CollectionResult.REFUSED,
        7025,
    )
    invoice.refresh_from_db()
    assert (invoice.status, due(invoice), attempts()) == ("approved", D(30), [("not_made", 7025, True)])


@pytest.mark.parametrize(
    ("change", "code"),
    [({"is_test": True}, 7021), ({"status": AccountStatus.ARCHIVED}, 7022), ({"status": AccountStatus.PERMANENT}, 7022)],
)
def test_an_account_that_is_a_test_or_archived_is_not_collected(collecting_umbra, process, change, code):
    account, invoice = billed(collecting_umbra, process)
    Account.objects.filter(pk=account.pk).update(**change)
    outcome = approve(invoice, process)
    assert (error_of(outcome), outcome.collection.error_code, books()) == (None, code, [])
    assert (due(invoice), attempts()) == (D(30), [("not_made", code, True)])


@pytest.mark.parametrize("setting", ["void_on_collection_failure", "dunning_on_collection_failure"])
def test_an_account_that_cannot_be_asked_is_no_declined_one(collecting_acme, process, setting):
    """Nothing was declined: the invoice stays due, and the account unchanged."""
    account = an_account(set_up(collecting_acme, **{setting: True}), a_plan(collecting_acme))
    invoice = generate(account, process)
    account.refresh_from_db()
    assert (invoice.status, account.status, due(invoice)) == ("approved", 1, D(30))


# Credit first.


def test_unapplied_credit_is_taken_first_and_the_rest_collected(collecting_umbra, process):
    account, invoice = billed(collecting_umbra, process)
    pay(account, process, "12.50")
    assert approve(invoice, process).collection.amount == D("17.50")
    assert (books(), due(invoice), unapplied(account)) == ([D("17.50")], 0, 0)
    assert ledger(account) == [
        (EntryKind.PAYMENT, D("-12.50"), D("-12.50")),
        (EntryKind.INVOICE, D(30), D("17.50")),
        (EntryKind.ELECTRONIC_PAYMENT, D("-17.50"), D(0)),
    ]


def test_an_invoice_that_credit_pays_is_not_collected(collecting_umbra, process):
    account, invoice = billed(collecting_umbra, process)
    pay(account, process, "30.00")
    outcome = approve(invoice, process)
    assert (error_of(outcome), outcome.collection, due(invoice), books(), attempts()) == (None, None, 0, [], [])


def test_what_credit_leaves_is_what_is_held_against_the_threshold(collecting_umbra, process):
    collecting_umbra.collection_thresholds.create(currency="usd", amount=D(20))
    account, invoice = billed(collecting_umbra, process)
    pay(account, process, "10.01")
    assert approve(invoice, process).collection.result is CollectionResult.BELOW_THRESHOLD
    assert (due(invoice), books()) == (D("19.99"), [])


def test_an_invoice_of_zero_is_not_collected(collecting_acme, process):
    invoice = generate(paying(collecting_acme, rate="0.00"), process)
    assert (invoice.total_amount, due(invoice), books(), attempts()) == (0, 0, [], [])


# A declined one.


def test_without_settings_a_declined_invoice_stays_approved_and_due(collecting_umbra, process):
    account, invoice = billed(collecting_umbra, process, "sandbox_declined")
    outcome = approve(invoice, process)
    assert (error_of(outcome), outcome.collection.result, outcome.collection.error_code) == (
        None,
        CollectionResult.DECLINED,
        4011,
    )
    invoice.refresh_from_db()
    account.refresh_from_db()
    assert (invoice.status, due(invoice), account.status, account_balance(account)) == ("approved", D(30), 1, D(30))


def test_a_declined_invoice_is_voided_where_the_client_says_so_and_its_period_is_due_again(collecting_acme, process):
    account = paying(set_up(collecting_acme, void_on_collection_failure=True), "sandbox_declined")
    invoice = generate(account, process)
    account.refresh_from_db()
    assert (invoice.status, invoice.void_reason_code, invoice.document_number) == ("voided", 12, "INV-000001")
    assert (due(invoice), account_balance(account), account.status) == (0, 0, 1)
    assert (account.next_bill_date, account.last_bill_date) == (JAN_10, None)
    assert account.plan_instances.get().billed_through is None
    assert ledger(account) == [(EntryKind.INVOICE, D(30), D(30)), (EntryKind.VOID, D(-30), D(0))]


def test_a_run_leaves_out_a_cycle_that_could_not_be_collected_until_a_person_has_billed_it(collecting_acme, process):
    account = paying(set_up(collecting_acme, void_on_collection_failure=True), "sandbox_declined")
    run(collecting_acme, process)
    assert Invoice.objects.get().status == "voided"
    assert not run(collecting_acme, process, JAN_31).outcomes.exists()
    assert Invoice.objects.count() == 1
    PaymentMethod.objects.create(account=account, type="card", token="sandbox_approved")
    again = generate(account, process, JAN_31)
    assert (again.status, again.bill_date, again.total_amount, due(again), books()) == ("approved", JAN_10, D(30), 0, [D(30)])
    results = run(collecting_acme, process, FEB_10).outcomes.values_list("account_id", "result", "invoice__bill_date")
    assert list(results) == [(account.pk, RunResult.INVOICED, FEB_10)]


def test_an_invoice_that_is_voided_for_a_run_is_named_by_its_outcome(collecting_acme, process):
    paying(set_up(collecting_acme, void_on_collection_failure=True), "sandbox_declined")
    run(collecting_acme, process)
    assert RunOutcome.objects.get().invoice.status == "voided"


def test_the_credit_that_an_invoice_took_is_free_again_when_it_is_voided(collecting_acme, process):
    account = paying(set_up(collecting_acme, void_on_collection_failure=True), "sandbox_declined")
    pay(account, process, "12.00")
    invoice = generate(account, process)
    assert (invoice.status, unapplied(account), account_balance(account)) == ("voided", D(12), D(-12))


def test_a_declined_invoice_sends_its_account_into_dunning_where_the_client_says_so(collecting_acme, process):
    account = paying(set_up(collecting_acme, dunning_on_collection_failure=True), "sandbox_declined")
    invoice = generate(account, process)
    account.refresh_from_db()
    assert (invoice.status, due(invoice), account.status) == ("approved", D(30), 11)
    event = Event.objects.get(act="account.dunning")
    assert (event.account_id, event.invoice_no, event.before, event.after) == (
        account.pk,
        invoice.pk,
        {"status": 1},
        {"status": 11},
    )


@pytest.mark.parametrize("status", [11, 13, 18])
def test_an_account_that_is_in_dunning_stays_where_it_is(collecting_acme, process, status):
    set_up(collecting_acme, dunning_on_collection_failure=True)
    account = paying(collecting_acme, "sandbox_declined", status=status)
    generate(account, process)
    account.refresh_from_db()
    assert (account.status, Event.objects.filter(act="account.dunning").exists()) == (status, False)


def test_where_both_are_set_the_invoice_is_voided_and_nobody_goes_into_dunning(collecting_acme, process):
    set_up(collecting_acme, void_on_collection_failure=True, dunning_on_collection_failure=True)
    account = paying(collecting_acme, "sandbox_declined")
    invoice = generate(account, process)
    account.refresh_from_db()
    assert (invoice.status, account.status) == ("voided", 1)


def test_a_later_attempt_that_is_declined_neither_voids_nor_begins_dunning(collecting_acme, process):
    account = paying(collecting_acme, "sandbox_declined")
    invoice = generate(account, process)
    set_up(collecting_acme, void_on_collection_failure=True, dunning_on_collection_failure=True)
    collecting.collect_invoices(client=collecting_acme, invoice_nos=[invoice.pk], caller=process, today=JAN_31)
    invoice.refresh_from_db()
    account.refresh_from_db()
    assert (invoice.status, account.status, attempts()) == (
        "approved",
        1,
        [("declined", 4011, True), ("declined", 4011, False)],
    )


def test_an_invoice_whose_outcome_is_not_known_is_not_voided(collecting_acme, process):
    account = paying(set_up(collecting_acme, void_on_collection_failure=True), "sandbox_timeout_after")
    invoice = generate(account, process)
    assert (invoice.status, due(invoice), attempts()) == ("approved", D(30), [("unknown", 90019, True)])
    resume_collecting(client=collecting_acme, caller=process, today=JAN_31)
    assert (due(invoice), books(), attempts()) == (0, [D(30)], [("collected", 0, True)])


def declines_after_silence(monkeypatch):
    """The gateway does not answer at first. When asked for the result of the charge, it has declined it."""
    charge = SandboxGateway.charge

    def silent(gateway, request):
        charge(gateway, request)
        raise TimeoutError

    monkeypatch.setattr(SandboxGateway, "charge", silent)


def test_a_decline_that_is_learnt_of_later_voids_as_one_at_issue(collecting_acme, process, monkeypatch):
    declines_after_silence(monkeypatch)
    account = paying(set_up(collecting_acme, void_on_collection_failure=True), "sandbox_declined")
    invoice = generate(account, process)
    assert (invoice.status, attempts()) == ("approved", [("unknown", 90019, True)])
    resume_collecting(client=collecting_acme, caller=process, today=JAN_31)
    invoice.refresh_from_db()
    assert (invoice.status, attempts(), account_balance(account)) == ("voided", [("declined", 4011, True)], 0)


def test_a_decline_that_is_learnt_of_when_the_next_cycle_is_pending_leaves_the_invoice_due(
    collecting_acme, process, monkeypatch
):
    """Its period cannot open again under a pending invoice of the next one; what the gateway has said is recorded anyway."""
    declines_after_silence(monkeypatch)
    account = paying(set_up(collecting_acme, void_on_collection_failure=True), "sandbox_declined")
    invoice = generate(account, process)
    pending = bill(account, process, FEB_10, force_pending=True)
    assert pending.status == "pending"
    (outcome,) = resume_collecting(client=collecting_acme, caller=process, today=FEB_10)
    invoice.refresh_from_db()
    assert (outcome.result, attempts()) == (CollectionResult.DECLINED, [("declined", 4011, True)])
    assert (invoice.status, due(invoice)) == ("approved", D(30))
    event = Event.objects.get(act="money.refused")
    assert (event.account_id, event.invoice_no, event.error_code) == (account.pk, invoice.pk, 90022)


# A gateway that fails.


def test_a_gateway_that_crashes_leaves_the_approval_standing(collecting_umbra, process, monkeypatch):
    def crash(gateway, request):
        raise RuntimeError("4111 1111 1111 1111")

    monkeypatch.setattr(SandboxGateway, "charge", crash)
    _account, invoice = billed(collecting_umbra, process)
    outcome = approve(invoice, process)
    assert (error_of(outcome), outcome.collection.result, outcome.collection.error_code) == (
        None,
        CollectionResult.UNKNOWN,
        90019,
    )
    invoice.refresh_from_db()
    assert (invoice.status, due(invoice), attempts()) == ("approved", D(30), [("unknown", 90019, True)])
    monkeypatch.undo()
    assert [one.result for one in resume_collecting(client=collecting_umbra, caller=process, today=JAN_31)] == [
        CollectionResult.COLLECTED
    ]


def test_a_gateway_that_is_not_configured_leaves_the_approval_standing(collecting_umbra, process):
    _account, invoice = billed(set_up(collecting_umbra, gateway="no such one"), process)
    assert approve(invoice, process).collection.error_code == 90019
    invoice.refresh_from_db()
    assert (invoice.status, due(invoice)) == ("approved", D(30))


def crashing(*arguments):
    raise RuntimeError


def test_a_bug_in_collecting_leaves_the_approval_standing_and_the_request_to_be_made(collecting_umbra, process, monkeypatch):
    monkeypatch.setattr(collecting, "start", crashing)
    _account, invoice = billed(collecting_umbra, process)
    outcome = approve(invoice, process)
    assert (error_of(outcome), outcome.collection.error_code) == (None, ErrorCode.UNEXPECTED.number)
    invoice.refresh_from_db()
    assert (invoice.status, attempts()) == ("approved", [("requested", 0, True)])
    monkeypatch.undo()
    resume_collecting(client=collecting_umbra, caller=process, today=JAN_31)
    assert (due(invoice), attempts(), books()) == (0, [("collected", 0, True)], [D(30)])


def test_a_cheque_that_comes_in_before_the_request_is_made_is_taken_first(collecting_umbra, process, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(collecting, "start", crashing)
        account, invoice = billed(collecting_umbra, process)
        approve(invoice, process)
    pay(account, process, "30.00", type=PaymentType.CHECK)
    assert (attempts(), due(invoice)) == ([("requested", 0, True)], 0)
    (outcome,) = resume_collecting(client=collecting_umbra, caller=process, today=JAN_31)
    assert (outcome.result, attempts(), books()) == (CollectionResult.NOTHING_DUE, [("not_made", 0, True)], [])
