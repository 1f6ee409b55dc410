"""Approving, discarding and regenerating pending invoices, alone and in batches."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.contrib.auth import get_user_model

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Event, PlanInstance, RateSchedule
from accounts.services.plans import end_plan_instance
from billing_site.errors import ErrorCode
from invoices.fingerprints import fingerprint
from invoices.models import Invoice
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices, discard_invoices, regenerate_invoices
from invoices.services.approving.deciding import discard_stale
from invoices.services.billing.generating import generate_invoice
from invoices.services.documents.document_storage import stored_contents
from invoices.services.documents.remarks import Remarks
from invoices.services.money.ledger.entries import account_balance
from tests.support.factories import BY_TEST, ClientFactory, TaxRateFactory, a_plan, an_account
from tests.support.outcomes import error_of
from tests.support.pending import JAN_10, a_pending

JAN_14 = date(2026, 1, 14)


def approve(invoice, caller, **options):
    (outcome,) = approve_invoices(client=invoice.client, invoice_nos=[invoice.pk], caller=caller, today=JAN_14, **options)
    invoice.refresh_from_db()
    return outcome


def test_approval_issues_what_was_stored_and_moves_the_account(acme, process, alice):
    invoice = a_pending(acme, process)
    RateSchedule.objects.update(rate_per_unit=D(99))  # A later price does not change a pending document.
    account = invoice.account
    assert account_balance(account) == 0
    assert error_of(approve(invoice, alice)) is None
    assert (invoice.status, invoice.document_number, invoice.total_amount) == ("approved", "INV-000001", D(30))
    assert (invoice.invoice_date, invoice.due_date) == (JAN_14, date(2026, 1, 28))
    assert (invoice.approved_by, invoice.approved_at is not None) == (alice.identity, True)
    account.refresh_from_db()
    assert (account.last_bill_date, account.next_bill_date) == (JAN_10, date(2026, 2, 10))
    assert account.plan_instances.get().billed_through == date(2026, 2, 9)
    assert account_balance(account) == D(30)
    assert invoice.fingerprint == fingerprint(stored_contents([invoice.pk])[invoice.pk])


def test_approval_keeps_reason_notes_and_custom_status(acme, process, alice):
    invoice = a_pending(acme, process)
    approve(invoice, alice, remarks=Remarks("checked", client_notes="call first", custom_status_label="VIP"))
    assert (invoice.client_notes, invoice.custom_status_label) == ("call first", "VIP")
    event = Event.objects.get(act="invoice.approved")
    assert (event.staff, event.invoice_no, event.after["reason"]) == (alice.staff, invoice.pk, "checked")
    assert (event.before, event.after["document_number"]) == ({"status": "pending"}, "INV-000001")


def test_an_instance_that_begins_while_an_invoice_waits_is_due_with_the_next(acme, process, alice):
    invoice = a_pending(acme, process)
    account = invoice.account
    an_account_plan = a_plan(acme, {"tv": "31.00"})
    PlanInstance.objects.create(account=account, plan=an_account_plan, start_date=date(2026, 1, 12))
    approve(invoice, alice)
    account.refresh_from_db()
    assert account.next_bill_date == date(2026, 2, 10)


def test_an_instance_that_ends_while_an_invoice_waits_is_not_billed_again(acme, process, alice):
    invoice = a_pending(acme, process)
    end_plan_instance(invoice.account.plan_instances.get(), date(2026, 1, 20), caller=BY_TEST)
    approve(invoice, alice)
    invoice.account.refresh_from_db()
    assert invoice.account.next_bill_date is None


@pytest.mark.parametrize("decide", [approve_invoices, discard_invoices, regenerate_invoices])
def test_only_pending_invoices_are_decided_on(acme, process, alice, decide):
    invoice = a_pending(acme, process)
    approve(invoice, alice)
    today = {} if decide is discard_invoices else {"today": JAN_14}
    outcomes = decide(client=acme, invoice_nos=[invoice.pk, 99_999_999], caller=alice, **today)
    assert {outcome.invoice_no: error_of(outcome).code for outcome in outcomes} == {
        invoice.pk: ErrorCode.NOT_PENDING,
        99_999_999: ErrorCode.NOT_PENDING,
    }
    invoice.refresh_from_db()
    assert invoice.status == "approved"


def test_another_clients_invoice_does_not_exist(acme, umbra, process, alice):
    invoice = a_pending(umbra, process)
    (outcome,) = approve_invoices(client=acme, invoice_nos=[invoice.pk], caller=alice, today=JAN_14)
    assert error_of(outcome).code is ErrorCode.NOT_PENDING
    assert "does not exist" in error_of(outcome).message
    invoice.refresh_from_db()
    assert invoice.status == "pending"


def test_discarding_leaves_the_account_as_before_and_the_cycle_can_be_billed_again(acme, process, alice):
    invoice = a_pending(acme, process)
    discard_invoices(client=acme, invoice_nos=[invoice.pk], caller=alice, remarks=Remarks("wrong price"))
    invoice.refresh_from_db()
    assert (invoice.status, invoice.document_number) == ("discarded", "")
    assert Event.objects.get(act="invoice.discarded").after == {"status": "discarded", "reason": "wrong price"}
    assert a_pending(acme, process, invoice.account).bill_date == JAN_10


def test_regenerating_replaces_the_invoice_for_the_same_cycle_at_todays_prices(acme, process, alice):
    invoice = a_pending(acme, process, alt_bill_day=15)
    RateSchedule.objects.update(rate_per_unit=D(62))
    (outcome,) = regenerate_invoices(
        client=acme, invoice_nos=[invoice.pk], caller=alice, today=JAN_14, remarks=Remarks(client_notes="new price")
    )
    invoice.refresh_from_db()
    renewed = Invoice.objects.get(pk=outcome.invoice_no)
    assert (invoice.status, renewed.status) == ("discarded", "pending")
    assert (renewed.bill_date, renewed.period_end, renewed.bill_day) == (invoice.bill_date, invoice.period_end, 15)
    assert (invoice.total_amount, renewed.total_amount) == (D("4.84"), D("10.00"))
    assert renewed.client_notes == "new price"


def test_regenerating_an_advance_invoice_makes_an_advance_invoice(acme, process, alice):
    account = an_account(acme, start=date(2026, 2, 1))
    invoice = a_pending(acme, process, account, advance=True)
    (outcome,) = regenerate_invoices(client=acme, invoice_nos=[invoice.pk], caller=alice, today=JAN_14)
    assert Invoice.objects.get(pk=outcome.invoice_no).kind == "advance"


def test_a_regeneration_that_is_refused_leaves_the_old_invoice(acme, process, alice):
    invoice = a_pending(acme, process)
    acme.tax_engine = "failing"
    acme.save()
    (outcome,) = regenerate_invoices(client=acme, invoice_nos=[invoice.pk], caller=alice, today=JAN_14)
    assert (outcome.invoice_no, error_of(outcome).code) == (invoice.pk, ErrorCode.TAXATION_FAILED)
    invoice.refresh_from_db()
    assert invoice.status == "pending"
    assert Event.objects.filter(act="invoice.regeneration_refused", invoice_no=invoice.pk).count() == 1


# The fingerprint that was seen


def test_approval_of_what_was_seen(acme, process, alice):
    TaxRateFactory(client=acme)
    invoice = a_pending(acme, process)
    seen = fingerprint(stored_contents([invoice.pk])[invoice.pk])
    assert error_of(approve(invoice, alice, seen={invoice.pk: seen})) is None


@pytest.mark.parametrize(
    ("damage", "moved"),
    [
        (lambda invoice: invoice.lines.filter(line_no=1).update(amount=D(31)), "lines"),
        (lambda invoice: invoice.tax_details.update(percent=D(11)), "taxes"),
        (lambda invoice: Invoice.objects.update(total_amount=D(34)), "terms"),
        (lambda invoice: Invoice.objects.update(bill_to={"name": "Somebody"}), "parties"),
        (lambda invoice: invoice.billed_periods.update(end_date=JAN_14), "periods"),
    ],
)
def test_approval_of_what_has_moved_is_refused_and_says_what_moved(acme, process, alice, damage, moved):
    TaxRateFactory(client=acme)
    invoice = a_pending(acme, process)
    seen = fingerprint(stored_contents([invoice.pk])[invoice.pk])
    damage(invoice)
    error = error_of(approve(invoice, alice, seen={invoice.pk: seen}))
    assert error.code is ErrorCode.DOCUMENT_MOVED
    assert error.message.endswith(f"moved: {moved}. Read it again, then repeat the request")
    assert invoice.status == "pending"


def test_a_fingerprint_that_is_none_is_refused(acme, process, alice):
    invoice = a_pending(acme, process)
    assert error_of(approve(invoice, alice, seen={invoice.pk: "x"})).code is ErrorCode.DOCUMENT_MOVED


# Who may approve


def test_approval_needs_the_permission(acme, process):
    clerk = Caller(staff=get_user_model().objects.create_user("clerk", is_staff=True))
    invoice = a_pending(acme, process)
    assert error_of(approve(invoice, clerk)).code is ErrorCode.APPROVAL_NOT_PERMITTED
    assert invoice.status == "pending"
    assert Event.objects.get(act="invoice.approval_refused").error_code == 90001


@pytest.mark.parametrize("decide", [discard_invoices, regenerate_invoices])
def test_discarding_and_regenerating_need_it_too(acme, process, decide):
    key, _ = create_key(acme, name="reader", may_approve=False, caller=BY_TEST)
    invoice = a_pending(acme, process)
    today = {} if decide is discard_invoices else {"today": JAN_14}
    (outcome,) = decide(client=acme, invoice_nos=[invoice.pk], caller=Caller(api_key=key), **today)
    assert error_of(outcome).code is ErrorCode.APPROVAL_NOT_PERMITTED
    invoice.refresh_from_db()
    assert invoice.status == "pending"


def test_a_key_with_the_right_may_approve(acme, process, key_caller):
    assert error_of(approve(a_pending(acme, process), key_caller)) is None


def test_under_four_eyes_who_made_it_may_not_approve_it(process, alice, bob):
    client = ClientFactory(four_eyes="another_person")
    invoice = a_pending(client, alice)
    assert error_of(approve(invoice, alice)).code is ErrorCode.FOUR_EYES
    assert invoice.status == "pending"
    assert error_of(approve(invoice, bob)) is None


def test_under_four_eyes_every_generation_waits(process):
    client = ClientFactory(four_eyes="another_person")
    number = generate_invoice(client=client, account_no=an_account(client).pk, request=BillingRequest(JAN_10), caller=process)
    assert Invoice.objects.get(pk=number).status == "pending"


@pytest.mark.parametrize(("amount", "waits"), [("29.99", True), ("30.00", False), ("30.01", False)])
def test_four_eyes_above_an_amount(alice, amount, waits):
    client = ClientFactory(four_eyes="above_amount", four_eyes_amount=D(amount))
    number = generate_invoice(client=client, account_no=an_account(client).pk, request=BillingRequest(JAN_10), caller=alice)
    assert (Invoice.objects.get(pk=number).status == "pending") is waits
    pending = a_pending(client, alice)
    assert (error_of(approve(pending, alice)) is not None) is waits


def test_an_alternate_caller_id_does_not_make_another_person(alice):
    client = ClientFactory(four_eyes="another_person")
    invoice = a_pending(client, alice)
    disguised = Caller(staff=alice.staff, declared={"alt_caller_id": "bob"})
    assert error_of(approve(invoice, disguised)).code is ErrorCode.FOUR_EYES


def test_two_keys_of_one_client_are_two_pairs_of_eyes(key_caller):
    client = key_caller.api_key.client
    client.four_eyes = "another_person"
    client.save()
    other, _ = create_key(client, name="other", may_approve=True, caller=BY_TEST)
    invoice = a_pending(client, key_caller)
    assert error_of(approve(invoice, key_caller)).code is ErrorCode.FOUR_EYES
    assert error_of(approve(invoice, Caller(api_key=other))) is None


# Many at once


def test_a_batch_approves_what_it_may_and_says_why_not_of_the_rest(acme, process, alice):
    invoices = [a_pending(acme, process) for _ in range(5)]
    discard_invoices(client=acme, invoice_nos=[invoices[3].pk], caller=alice)
    outcomes = approve_invoices(
        client=acme,
        invoice_nos=[invoice.pk for invoice in invoices],
        caller=alice,
        today=JAN_14,
        seen={invoices[1].pk: "stale"},
    )
    assert {outcome.invoice_no: error_of(outcome) and error_of(outcome).code for outcome in outcomes} == {
        invoices[0].pk: None,
        invoices[1].pk: ErrorCode.DOCUMENT_MOVED,
        invoices[2].pk: None,
        invoices[3].pk: ErrorCode.NOT_PENDING,
        invoices[4].pk: None,
    }
    approved = Invoice.objects.filter(status="approved").order_by("account_id")
    assert [invoice.number for invoice in approved] == [1, 2, 3]


def test_a_batch_takes_the_same_number_of_queries_however_large(acme, process, alice, django_assert_max_num_queries, copied):
    def queries(count):
        numbers = [a_pending(acme, process).pk for _ in range(count)]
        with django_assert_max_num_queries(100) as captured:
            approve_invoices(client=acme, invoice_nos=numbers, caller=alice, today=JAN_14)
        return len(captured)

    queries(1)  # makes the number series
    assert queries(3) == queries(12)


# Stale ones


def test_pending_invoices_older_than_the_setting_are_discarded(process):
    client = ClientFactory(pending_discard_days=30)
    old = a_pending(client, process)
    newer = a_pending(client, process, day=date(2026, 1, 11))
    assert list(discard_stale(client=client, caller=process, today=date(2026, 2, 10))) == [old.pk]
    old.refresh_from_db()
    newer.refresh_from_db()
    assert (old.status, newer.status) == ("discarded", "pending")
    assert "30 days" in Event.objects.get(act="invoice.discarded").after["reason"]


def test_without_the_setting_nothing_is_stale(acme, process):
    a_pending(acme, process)
    assert discard_stale(client=acme, caller=process, today=date(2036, 1, 1)) == {}
