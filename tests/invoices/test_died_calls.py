"""A call dies between the commit and its answer: the same call again gives that answer, field by field, and does nothing."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail

from accounts.models import Account, Client, Contact, PaymentMethod, PlanInstance
from invoices.models import CollectionAttempt, Invoice, LedgerEntry, OneTimeCharge, ReasonCode, Statement
from invoices.services.approving import acts as pending_service
from invoices.services.collecting import collecting
from invoices.services.statements import statements
from invoices.services.undoing.voiding import void_invoice
from tests.support.billing import FEB_10, bill
from tests.support.calling import caller_of
from tests.support.dying import Died, answer_never_told
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.money_api import with_key
from tests.support.orders import order
from tests.support.paying import billed, books, paying
from tests.support.payments import pay
from tests.support.rebilling import rebilled
from tests.support.repeated_calls import ACTS, PROCESS, RIGHTS, World, pending, post

pytestmark = pytest.mark.usefixtures("audited")
WRITTEN = (
    Account,
    Contact,
    CollectionAttempt,
    Invoice,
    LedgerEntry,
    OneTimeCharge,
    PaymentMethod,
    PlanInstance,
    ReasonCode,
    Statement,
)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False) as clock:
        yield clock


def state():
    """What a second doing would change."""
    moved = list(Client.objects.order_by("pk").values_list("clock_offset", flat=True))
    return [model.objects.count() for model in WRITTEN], len(books()), moved, len(mail.outbox)


def billing(client):
    account = an_account(client)
    account.contacts.update(email="a@example.com")
    return {"acct_no": account.pk}


def nothing_to_bill(client):
    return {"acct_no": an_account(client, a_plan(client, {})).pk}


def collected_at_issue(client):
    client.collect_on_approval = client.statement_on_issue = True
    client.save()
    account = paying(client)
    account.contacts.update(email="a@example.com")
    return {"acct_no": account.pk}


def waiting(directive, **members):
    def asked(client):
        account = paying(client)
        order(account, account.plan_instances.get().plan.charges.first().service)
        account.contacts.update(email="a@example.com")
        pending(account)
        return {"acct_no": account.pk, "action_directive": directive, **members}

    return asked


def waiting_rebill(directive, **members):
    def asked(client):
        client.rebill_approval_required = True
        client.save()
        account, invoice = billed(client, PROCESS)
        rebilled(invoice, PROCESS, 1, collect=True)
        return {"acct_no": account.pk, "action_directive": directive, **members}

    return asked


def wrong_invoice(client):
    account, invoice = billed(client, PROCESS)
    return {"acct_no": account.pk, "invoice_no": invoice.pk, "reason_code": 5}


def memo(client):
    account, invoice = billed(client, PROCESS)
    by = with_key(client, **RIGHTS)
    memo_no = post(by, "credit-memos", {"invoice_no": invoice.pk, "amount": "3", "reason_code": 1, "comments": "so"}, "m")[1]
    return {"acct_no": account.pk, "invoice_no": memo_no["invoice_no"], "reason_code": 5}


def owing(client):
    account, _ = billed(client, PROCESS)
    bill(account, PROCESS, FEB_10)
    return {"acct_no": account.pk}


def owing_by_its_other_name(client):
    return {"account_no": owing(client)["acct_no"], "amount_to_collect": "66"}


def nothing_due(client):
    return {"acct_no": paying(client).pk}


def new_card(client):
    card = {"pay_method_type": 13, "bill_agreement_id": "sandbox_approved"}
    return {**owing(client), **card, "do_collect": "true"}


def customers(client):
    card = {"pay_method_type": 13, "bill_agreement_id": "sandbox_approved"}
    return {"acct": [{"client_acct_id": name, "acct_currency": "usd", "payment_method": [card]} for name in ("N-1", "N-2")]}


def payment(client):
    return {"acct_no": paying(client).pk, "payment_amount": "5", "reference_code": "x"}


def rebill(**members):
    def asked(client):
        account, invoice = billed(client, PROCESS)
        account.contacts.update(email="a@example.com")
        lines = [{"line_no": 1, "service_no": invoice.lines.get(line_type=1).service_id, "rb_units": "0.5"}]
        return {"acct_no": account.pk, "orig_invoice_no": invoice.pk, "reason_cd": 1, "rb_line_items": lines, **members}

    return asked


def held_rebill(client):
    client.rebill_approval_required = True
    client.save()
    return rebill(do_collect="true")(client)


def new_reason(client):
    return {"reason_code_type": "rebill", "reason_code": 77, "reason_code_name": "Ours"}


def hours(client):
    return {"hours": 5}


CALLS = {
    "gen_invoice": [billing, nothing_to_bill, collected_at_issue],
    "gen_invoice_m": [billing, nothing_to_bill, collected_at_issue],
    **dict.fromkeys(
        ["manage_pending_invoice", "manage_pending_invoice_m"],
        [
            waiting(1),
            waiting(1, alt_collect_on_approve="true", alt_send_statement_on_approve="true"),
            waiting(2),
            waiting(2, cancel_orders_on_discard=1),
            waiting(3),
            waiting_rebill(1),
            waiting_rebill(2),
        ],
    ),
    **dict.fromkeys(["void_invoice", "void_invoice_m"], [wrong_invoice, memo]),
    "create_reason_code_m": [new_reason],
    **dict.fromkeys(["advance_virtual_datetime", "advance_virtual_datetime_m"], [hours]),
    "update_payment_method_m": [new_card],
    "create_acct_complete_m": [customers],
    "collect_from_account": [owing_by_its_other_name],
    "collect_from_account_m": [owing, nothing_due],
    "record_external_payment": [payment],
    "record_external_payment_m": [payment],
    "gen_rb_m": [rebill(), rebill(do_collect="true"), rebill(do_collect="true", alt_statement_address_seq=1), held_rebill],
}


@pytest.mark.parametrize(
    ("method", "asked"), [(method, asked) for method, several in CALLS.items() for asked in several], ids=str
)
def test_a_method_call_is_answered_as_it_would_have_been(acme, clock, settings, method, asked):
    settings.VIRTUAL_CLOCK = True
    TaxRateFactory(client=acme)
    call, members = caller_of(acme), asked(acme)
    first = answer_never_told(lambda: call(method, client_receipt_id="r1", **members))
    assert first["error_code"] == 0, first
    done = state()
    clock.shift(timedelta(minutes=1))
    assert call(method, client_receipt_id="r1", **members) == first
    assert state() == done


def test_the_clock_that_others_have_moved_since_is_told_as_it_was_set(acme, clock, settings):
    settings.VIRTUAL_CLOCK = True
    call = caller_of(acme)
    first = answer_never_told(lambda: call("advance_virtual_datetime", hours=5, client_receipt_id="r1"))
    call("advance_virtual_datetime", hours=24)
    clock.shift(timedelta(minutes=1))
    assert call("advance_virtual_datetime", hours=5, client_receipt_id="r1") == first
    assert call("get_virtual_datetime")["virtual_datetime"] == "2026-02-01 17:01:00"


def three_invoices(world):
    """A pending invoice, one that does not exist, and an issued one."""
    return {"invoice_nos": [world.pending.pk, 999_999, world.issued.pk]}


def first_line(world):
    return {"invoice_no": world.issued.pk, "reason_code": 1, "lines": [{"line_no": 1}]}


def unapplied(world):
    """The payment is of an invoice that is voided, while another one is open."""
    client = world.account.client
    account, _open = billed(client, PROCESS)
    february = bill(account, PROCESS, FEB_10)
    payment = pay(account, PROCESS, "8.00", invoices={february: "8.00"}, today=FEB_10)
    void_invoice(client=client, invoice_no=february.pk, caller=PROCESS, today=FEB_10, reason_code=5)
    world.payment = payment.pk
    return {}


REQUESTS = {
    **{name: (path, body) for name, (path, body, _) in ACTS.items()},
    "generated, nothing to bill": (
        "invoices",
        lambda world: {"acct_no": an_account(world.account.client, a_plan(world.account.client, {})).pk},
    ),
    "approved in bulk, some": ("invoices/approve", three_invoices),
    "discarded in bulk, some": ("invoices/discard", three_invoices),
    "regenerated in bulk, some": ("invoices/regenerate", three_invoices),
    "approved and collected": ("invoices/{pending}/approve", lambda world: {"collect": True}),
    "approved and collected in bulk": ("invoices/approve", lambda world: {**three_invoices(world), "collect": True}),
    "collected in bulk, some": (
        "invoices/collect",
        lambda world: {"invoice_nos": [world.issued.pk, 999_999, world.pending.pk]},
    ),
    "rebilled and collected": ("rebills", lambda world: {**first_line(world), "collect": True}),
    "rebilled in bulk, some": (
        "rebills/bulk",
        lambda world: {"rebills": [{**first_line(world), "collect": True}, {**first_line(world), "invoice_no": 999_999}]},
    ),
    "rebilled in bulk, one twice": (
        "rebills/bulk",
        lambda world: {
            "rebills": [{**first_line(world), "lines": [{"line_no": 99}]}, first_line(world), {**first_line(world)}]
        },
    ),
    "disputed": ("disputes", lambda world: {"invoice_no": world.issued.pk, "amount": "2", "reason_code": 1}),
    "applied": ("payments/{payment}/apply", unapplied),
    "transaction voided": ("transactions/{payment}/void", lambda world: {"reason_code": 5}),
    "sent": ("invoices/{issued}/send_statement", lambda world: {}),
    "a reason": ("reason-codes", lambda world: {"type": "rebill", "code": 77, "name": "Ours"}),
    "a payment method": (
        "payment-methods",
        lambda world: {"acct_no": world.account.pk, "type": "card", "token": "sandbox_approved", "label": "New"},
    ),
    "a plan ended": ("plan-instances/{instance}/end", lambda world: {"end_date": "2026-12-31"}),
    "a plan changed": (
        "plan-instances/{instance}/change",
        lambda world: {"plan": world.fresh.plan_instances.get().plan_id, "start_date": "2026-03-10"},
    ),
    "a plan given": (
        "plan-instances",
        lambda world: {
            "acct_no": world.account.pk,
            "plan": world.fresh.plan_instances.get().plan_id,
            "start_date": "2026-03-10",
        },
    ),
    "an account": ("accounts", lambda world: {"client_acct_id": "new", "currency": "usd"}),
    "usage": (
        "usage",
        lambda world: {
            "records": [
                {
                    "record_id": "u1",
                    "acct_no": world.account.pk,
                    "service": world.service,
                    "units": "1",
                    "used_at": "2026-01-30T12:00:00Z",
                }
            ]
        },
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_answered_as_it_would_have_been(acme, clock, name):
    path, body = REQUESTS[name]
    world = World(acme)
    world.account.contacts.update(email="a@example.com")
    api = with_key(acme, **RIGHTS)
    path = path.replace("{instance}", str(world.account.plan_instances.get().pk))
    asked = body(world)
    first = answer_never_told(lambda: post(api, world.path(path), asked))
    assert first[0] in (200, 201), first
    done = state()
    clock.shift(timedelta(minutes=1))
    assert list(post(api, world.path(path), asked)) == first
    assert state() == done


@pytest.fixture
def asks(acme):
    """Asks under a key; and one that dies where a function is called, and a minute ago."""
    api = with_key(acme, **RIGHTS)

    def ask(path, body=None):
        return post(api, path, body)

    def die(*args, **options):
        raise Died

    def died(module, name, path, body=None):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
            patch.setattr(module, name, die)
            ask(path, body)

    ask.died = died
    return ask


@pytest.mark.parametrize("act", ["approve", "discard", "regenerate"])
def test_a_decision_on_many_goes_on_where_its_process_has_died(acme, clock, asks, act):
    """Killed with the decision made and no refusal on record: nothing is decided on twice, and the refusals are made now."""
    world = World(acme)
    asked = three_invoices(world)
    asks.died(pending_service, "_record_refusals", f"invoices/{act}", asked)
    done = state()
    clock.shift(timedelta(minutes=1))
    status, answer = asks(f"invoices/{act}", asked)
    assert (status, [row["error_code"] for row in answer["outcomes"]]) == (200, [0, 3015, 3015])
    replaced = answer["outcomes"][0]["new_invoice_no"]
    assert replaced == (Invoice.objects.latest("pk").pk if act == "regenerate" else None)
    assert (state(), asks(f"invoices/{act}", asked)) == (done, (status, answer))


def test_a_collection_of_many_goes_on_where_its_process_has_died(acme, clock, asks):
    """The process is killed when the gateway has charged one, and was not asked for the other."""
    invoices = [billed(acme, PROCESS)[1].pk for _ in range(2)]
    asks.died(collecting, "record", "invoices/collect", {"invoice_nos": invoices})
    clock.shift(timedelta(minutes=1))
    status, answer = asks("invoices/collect", {"invoice_nos": invoices})
    assert (status, [row["result"] for row in answer["outcomes"]]) == (200, ["collected"] * 2)
    assert books() == [30, 30]


def test_what_was_not_due_is_not_collected_when_the_answer_is_given_again(acme, clock):
    api = with_key(acme, **RIGHTS)
    _, due = billed(acme, PROCESS)
    account, paid = billed(acme, PROCESS)
    payment = post(api, "payments", {"acct_no": account.pk, "amount": "30", "type": "check"}, "pay")[1]["transaction_id"]
    asked = {"invoice_nos": [paid.pk, due.pk]}
    first = answer_never_told(lambda: post(api, "invoices/collect", asked))
    assert [row["result"] for row in first[1]["outcomes"]] == ["nothing_due", "collected"]
    post(api, f"payments/{payment}/void", {"reason_code": 5}, "void")
    clock.shift(timedelta(minutes=1))
    assert (list(post(api, "invoices/collect", asked)), books()) == (first, [30])


def test_an_approval_whose_amount_was_too_small_to_collect_is_told_so_again(acme, clock):
    acme.collection_thresholds.create(currency="usd", amount=100)
    api, world = with_key(acme, **RIGHTS), World(acme)
    asked = {"invoice_nos": [world.pending.pk], "collect": True}
    first = answer_never_told(lambda: post(api, "invoices/approve", asked))
    assert first[1]["outcomes"][0]["collection"]["result"] == "below_threshold"
    clock.shift(timedelta(minutes=1))
    assert list(post(api, "invoices/approve", asked)) == first


def test_a_statement_is_sent_again_only_where_its_process_has_died(acme, clock, asks):
    account, invoice = billed(acme, PROCESS)
    account.contacts.update(email="a@example.com")
    path = f"invoices/{invoice.pk}/send_statement"
    asks.died(statements, "_send_one", path)
    clock.shift(timedelta(minutes=1))
    status, answer = asks(path)
    assert (status, answer["error_code"], len(mail.outbox)) == (409, 3108, 0)
    clock.shift(timedelta(hours=1))
    first = asks(path)
    assert (first[0], first[1]["status"], asks(path), len(mail.outbox)) == (200, "sent", first, 1)
    assert Statement.objects.count() == 1


def test_a_statement_that_failed_is_told_so_again(acme, clock):
    api = with_key(acme, **RIGHTS)
    account, invoice = billed(acme, PROCESS)
    account.contacts.update(email="")
    path = f"invoices/{invoice.pk}/send_statement"
    first = answer_never_told(lambda: post(api, path))
    assert (first[0], first[1]["error_code"]) == (409, 90043)
    clock.shift(timedelta(minutes=1))
    assert list(post(api, path)) == first


def test_what_is_deleted_is_deleted_once(acme, clock):
    api, world = with_key(acme, **RIGHTS), World(acme)
    order_no = post(api, "one-time-charges", ACTS["ordered"][1](world), "order")[1]["order_no"]

    def cancel():
        return api.delete(f"/api/v1/one-time-charges/{order_no}/", HTTP_IDEMPOTENCY_KEY="cancel")

    assert answer_never_told(cancel) == [204, None]
    clock.shift(timedelta(minutes=1))
    assert cancel().status_code == 204
