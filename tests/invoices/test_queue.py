"""The approval queue: flags, tabs, decisions on many documents, and who may see and decide."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from accounts import receipts
from accounts.callers import Caller
from accounts.kinds import FourEyes
from accounts.models import Account
from invoices.kinds import DecisionAct, DecisionResult, Flag
from invoices.models import Comparison, Decision, DecisionOutcome, Invoice
from invoices.pages import pending
from invoices.plan.facts import BillingRequest
from invoices.services.approving import bulk
from invoices.services.approving.bulk import continue_decision, count_results, retry_failed, start_decision
from invoices.services.approving.queue import Sum, Tab, pending_documents, tab_sums
from invoices.services.billing.generating import generate_invoice
from invoices.services.documents.remarks import Remarks
from invoices.services.planning.flags import flags_of, with_flags
from tests.support.adjusting import a_line, adjusted
from tests.support.factories import ClientFactory, a_charge, a_plan, an_account, an_instance

JANUARY, FEBRUARY = date(2026, 1, 10), date(2026, 2, 10)


@pytest.fixture
def user(umbra):
    person = get_user_model().objects.create(username="ann", is_staff=True)
    names = ["view_invoice", "generate_invoice", "approve_invoice"]
    person.user_permissions.set(Permission.objects.filter(codename__in=names))
    umbra.staff.add(person)
    return person


@pytest.fixture
def ann(user):
    return Caller(staff=user)


@pytest.fixture
def signed_in(client, user):
    client.force_login(user)
    return client


def bill(account, caller, day, *, pending=True):
    request = BillingRequest(day, force_pending=pending)
    return generate_invoice(client=account.client, account_no=account.pk, request=request, caller=caller)


def approve(client, numbers, caller):
    rows = Invoice.objects.filter(pk__in=numbers)
    decision = start_decision(client=client, act=DecisionAct.APPROVE, invoices=rows, caller=caller, remarks=Remarks())
    while continue_decision(decision, caller=caller, today=FEBRUARY):
        pass
    return decision


def flags(client, number):
    return flags_of(with_flags(Invoice.objects.all(), client).get(pk=number))


def test_first_invoice_has_nothing_to_be_compared_with(umbra, ann, audited):
    number = bill(an_account(umbra), ann, JANUARY)
    assert flags(umbra, number) == [Flag.FIRST]
    assert Comparison.objects.get(pk=number).change_amount is None


def test_same_again_has_no_flag(umbra, ann, audited):
    account = an_account(umbra)
    first = bill(account, ann, JANUARY)
    approve(umbra, [first], ann)
    second = bill(account, ann, FEBRUARY)
    assert flags(umbra, second) == []
    comparison = Comparison.objects.get(pk=second)
    assert (comparison.previous_id, comparison.change_amount, comparison.change_percent) == (first, 0, 0)


def test_a_new_service_is_flagged_with_what_it_changes(umbra, ann, audited):
    account = an_account(umbra)
    approve(umbra, [bill(account, ann, JANUARY)], ann)
    an_instance(account, a_plan(umbra, {"internet": "15.00"}), FEBRUARY)
    second = bill(account, ann, FEBRUARY)
    assert flags(umbra, second) == [Flag.CHANGED, Flag.NEW_LINES]
    comparison = Comparison.objects.get(pk=second)
    assert (comparison.change_amount, comparison.change_percent) == (Decimal("15.00"), Decimal("50.00"))
    umbra.flag_change_percent = Decimal("50.00")
    assert flags(umbra, second) == [Flag.NEW_LINES]
    umbra.flag_lines = False
    assert flags(umbra, second) == []


def test_a_service_that_is_gone_is_flagged(umbra, ann, audited):
    plan = a_plan(umbra, {"phone": "30.00", "tv": "1.00"})
    account = an_account(umbra, plan)
    approve(umbra, [bill(account, ann, JANUARY)], ann)
    instance = account.plan_instances.get()
    instance.plan.charges.get(service__client_service_id="tv").delete()
    assert flags(umbra, bill(account, ann, FEBRUARY)) == [Flag.MISSING_LINES]


def test_zero_and_missing_po_are_flagged(umbra, ann, audited):
    umbra.flag_first, umbra.flag_missing_po = False, True
    umbra.save()
    plan = a_plan(umbra, {"phone": "0.00"})
    number = bill(an_account(umbra, plan), ann, JANUARY)
    assert flags(umbra, number) == [Flag.NOT_POSITIVE, Flag.NO_PO]
    account = an_account(umbra)
    account.plan_instances.update(po_num="PO-1")
    assert flags(umbra, bill(account, ann, JANUARY)) == []


def test_tabs_count_and_add_up_per_currency(umbra, ann, process, audited):
    umbra.flag_first = False
    umbra.save()
    bill(an_account(umbra), ann, JANUARY)
    bill(an_account(umbra), process, JANUARY)
    bill(an_account(umbra, a_plan(umbra, {"phone": "0"}, currency="jpy"), currency="jpy"), process, JANUARY)
    sums = tab_sums(pending_documents(umbra), umbra, ann)
    assert sums[Tab.ALL] == [Sum("jpy", 1, Decimal(0)), Sum("usd", 2, Decimal(60))]
    assert sums[Tab.FLAGGED] == [Sum("jpy", 1, Decimal(0)), Sum("usd", 0, Decimal(0))]
    assert sums[Tab.CLEAN] == [Sum("jpy", 0, Decimal(0)), Sum("usd", 2, Decimal(60))]
    assert sums[Tab.MINE] == [Sum("jpy", 0, Decimal(0)), Sum("usd", 1, Decimal(30))]


def test_the_queue_costs_the_same_for_any_number_of_documents(
    umbra, signed_in, ann, django_assert_max_num_queries, django_assert_num_queries
):
    plan = a_plan(umbra)
    bill(an_account(umbra, plan), ann, JANUARY)
    signed_in.get("/invoices/pending/")
    with django_assert_max_num_queries(30) as few:
        signed_in.get("/invoices/pending/")
    for _ in range(20):
        bill(an_account(umbra, plan), ann, JANUARY)
    with django_assert_num_queries(len(few.captured_queries)):
        signed_in.get("/invoices/pending/")


def test_a_mixed_selection_is_decided_on_each_for_itself(umbra, signed_in, ann, process, audited):
    umbra.four_eyes = FourEyes.ANOTHER_PERSON
    umbra.save()
    mine, other, gone = (bill(an_account(umbra), who, JANUARY) for who in (ann, process, process))
    Invoice.objects.filter(pk=gone).exists()
    page = signed_in.post("/invoices/pending/decide/", {"act": "approve", "invoice_no": [mine, other, gone]})
    assert page.context["count"] == 3
    assert page.context["blocked"] == {"You cannot approve your own document or request. Another person must approve it": 1}
    started = signed_in.post(
        "/invoices/pending/decide/",
        {"act": "approve", "invoice_no": [mine, other], "confirmed": "yes", "once": "a" * 32, "reason": "looked at"},
    )
    decision = Decision.objects.get()
    assert started.url == f"/invoices/decisions/{decision.pk}/"
    results = dict(decision.outcomes.values_list("invoice", "result"))
    assert results == {mine: "refused", other: "done"}
    assert decision.outcomes.get(invoice=mine).error_code == 90002
    text = b"".join(signed_in.get(f"/invoices/decisions/{decision.pk}/outcomes.csv").streaming_content).decode()
    assert f"{other},INV-000001," in text and "refused,,90002" in text


def test_the_page_before_a_decision_says_whom_any_rule_refuses(umbra, signed_in, process):
    good, closed = (bill(an_account(umbra), process, JANUARY) for _ in range(2))
    Account.objects.filter(invoices=closed).update(status=-1)
    chosen = {"invoice_no": [good, closed]}
    page = signed_in.post("/invoices/pending/decide/", {"act": "regenerate", **chosen})
    assert page.context["blocked"] == {"The account is not billed in its status. Change the status first": 1}
    assert signed_in.post("/invoices/pending/decide/", {"act": "approve", **chosen}).context["blocked"] == {}
    assert signed_in.post("/invoices/pending/decide/", {"act": "remark", **chosen}).context["blocked"] == {}


def test_what_another_has_decided_since_it_was_seen_is_told_as_refused(umbra, signed_in, ann, process, audited):
    mine, theirs = (bill(an_account(umbra), process, JANUARY) for _ in range(2))
    form = {"act": "approve", "invoice_no": [mine, theirs], "confirmed": "yes", "once": "9" * 32}
    approve(umbra, [theirs], ann)
    signed_in.post("/invoices/pending/decide/", form)
    decision = Decision.objects.latest("pk")
    assert dict(decision.outcomes.values_list("invoice", "result")) == {mine: "done", theirs: "refused"}
    assert decision.outcomes.get(invoice=theirs).message == f"invalid pending invoice number: invoice {theirs} is approved"


def test_when_nothing_is_left_of_all_that_matched_nothing_is_decided(umbra, signed_in, ann, process):
    number = bill(an_account(umbra), process, JANUARY)
    approve(umbra, [number], ann)
    form = {"act": "approve", "scope": "all", "newest": number, "confirmed": "yes", "once": "8" * 32}
    answer = signed_in.post("/invoices/pending/decide/", form)
    assert (answer.url, Decision.objects.count()) == ("/invoices/pending/", 1)


@pytest.mark.parametrize("scope", ["", "all"])
def test_a_double_click_makes_one_decision(umbra, signed_in, ann, scope):
    number = bill(an_account(umbra), ann, JANUARY)
    chosen = {"scope": "all", "newest": number} if scope else {"invoice_no": [number]}
    form = {"act": "approve", **chosen, "confirmed": "yes", "once": "b" * 32}
    addresses = {signed_in.post("/invoices/pending/decide/", form).url for _ in range(2)}
    assert len(addresses) == 1
    assert Decision.objects.count() == 1


def test_a_decision_that_died_as_it_began_is_gone_on_with_when_it_is_sent_again(umbra, signed_in, ann, monkeypatch):
    first, second = (bill(an_account(umbra), ann, JANUARY) for _ in range(2))

    def die(*args, **kwargs):
        raise RuntimeError("the process has died")

    form = {"act": "approve", "invoice_no": [first], "confirmed": "yes", "once": "7" * 32}
    with monkeypatch.context() as dying, pytest.raises(RuntimeError):
        dying.setattr(pending, "continue_decision", die)
        signed_in.post("/invoices/pending/decide/", form)
    begun = Decision.objects.get()
    signed_in.post("/invoices/pending/decide/", {**form, "invoice_no": [second], "once": "8" * 32})
    monkeypatch.setattr(receipts, "ANSWER_WAIT", timedelta())
    assert signed_in.post("/invoices/pending/decide/", form).url == f"/invoices/decisions/{begun.pk}/"
    assert Decision.objects.count() == 2


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one write at a time")
@pytest.mark.django_db(transaction=True)
def test_two_equal_decisions_at_the_same_moment_are_one(umbra, user, ann):
    number = bill(an_account(umbra), ann, JANUARY)
    form = {"act": "approve", "invoice_no": [number], "confirmed": "yes", "once": "9" * 32}
    together = Barrier(4)

    def send(_):
        signed_in = Browser()
        signed_in.force_login(user)
        together.wait()
        try:
            return signed_in.post("/invoices/pending/decide/", form).url
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        addresses = set(pool.map(send, range(4)))
    assert addresses == {f"/invoices/decisions/{Decision.objects.get().pk}/"}


def test_all_that_match_are_those_that_were_there_when_it_was_asked(umbra, signed_in, ann):
    first = bill(an_account(umbra), ann, JANUARY)
    page = signed_in.post("/invoices/pending/decide/?tab=flagged", {"act": "discard", "scope": "all"})
    assert page.context["newest"] == first
    late = bill(an_account(umbra), ann, JANUARY)
    form = {"act": "discard", "scope": "all", "newest": first, "confirmed": "yes", "once": "c" * 32}
    signed_in.post("/invoices/pending/decide/?tab=flagged", form)
    assert dict(Invoice.objects.values_list("pk", "status")) == {first: "discarded", late: "pending"}


@pytest.mark.parametrize("scope", ["", "all"])
def test_what_changed_after_the_reader_was_shown_the_sums_is_not_approved(umbra, signed_in, ann, scope):
    first, second = (bill(an_account(umbra), ann, JANUARY) for _ in range(2))
    chosen = {"act": "approve", "scope": scope, "invoice_no": [first, second]}
    page = signed_in.post("/invoices/pending/decide/", chosen)
    adjusted(Invoice.objects.get(pk=first), Caller(process="test"), a_line(1, rate_per_unit="9000"), day=JANUARY)
    sent = {**chosen, "newest": second, "mark": page.context["mark"], "confirmed": "yes", "once": "1" * 32}
    answer = signed_in.post("/invoices/pending/decide/", sent)
    assert answer.status_code == 409 and "1 document has changed" in answer.content.decode()
    assert set(Invoice.objects.values_list("status", flat=True)) == {"pending"} and not Decision.objects.exists()
    signed_in.post("/invoices/pending/decide/", {**sent, "mark": answer.context["mark"], "once": "2" * 32})
    assert set(Invoice.objects.values_list("status", flat=True)) == {"approved"}


def test_what_changed_after_the_decision_is_not_approved_by_it(umbra, ann):
    first, second = (bill(an_account(umbra), ann, JANUARY) for _ in range(2))
    rows = Invoice.objects.filter(pk__in=[first, second])
    decision = start_decision(client=umbra, act=DecisionAct.APPROVE, invoices=rows, caller=ann, remarks=Remarks())
    adjusted(Invoice.objects.get(pk=first), Caller(process="test"), a_line(1, rate_per_unit="9000"), day=JANUARY)
    continue_decision(decision, caller=ann, today=JANUARY)
    found = {one.invoice_id: (one.result, one.error_code) for one in decision.outcomes.all()}
    assert found == {first: (DecisionResult.REFUSED, 90003), second: (DecisionResult.DONE, 0)}
    assert dict(Invoice.objects.values_list("pk", "status")) == {first: "pending", second: "approved"}


@pytest.mark.parametrize("newest", ["9" * 5000, "9" * 19, "²", "-1", "a\0b"])
def test_a_newest_document_that_is_no_number_is_none(umbra, signed_in, ann, newest):
    bill(an_account(umbra), ann, JANUARY)
    page = signed_in.post("/invoices/pending/decide/", {"act": "discard", "scope": "all", "newest": newest})
    assert page.context["count"] == 1


def test_the_page_that_confirms_is_no_dead_end(umbra, signed_in):
    """The browser comes back to its address from other colours, from signing in again and from a refusal."""
    answer = signed_in.get("/invoices/pending/decide/?tab=flagged")
    assert (answer.status_code, answer.url) == (302, "/invoices/pending/?tab=flagged")


def test_a_decision_goes_on_where_it_was(umbra, signed_in, ann, monkeypatch, audited):
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    plan = a_plan(umbra)
    numbers = [bill(an_account(umbra, plan), ann, JANUARY) for _ in range(5)]
    form = {"act": "approve", "invoice_no": numbers, "confirmed": "yes", "once": "d" * 32}
    address = signed_in.post("/invoices/pending/decide/", form).url
    assert Invoice.objects.filter(status="approved").count() == 2
    page = signed_in.get(address)
    assert (page.context["settled"], page.context["of"]) == (2, 5)
    for _ in range(3):
        signed_in.post(address)
    assert Invoice.objects.filter(status="approved").count() == 5
    assert count_results(Decision.objects.get())[DecisionResult.DONE] == 5


def test_who_has_died_on_the_way_is_followed_up(umbra, ann, audited):
    """What was approved before its outcome was written is done, and what was not begun with is decided on."""
    done, left = (bill(an_account(umbra), ann, JANUARY) for _ in range(2))
    rows = Invoice.objects.filter(pk__in=[done, left])
    decision = start_decision(client=umbra, act=DecisionAct.APPROVE, invoices=rows, caller=ann, remarks=Remarks())
    approve(umbra, [done], ann)
    long_ago = decision.made_at - bulk.GIVEN_UP * 2
    DecisionOutcome.objects.filter(decision=decision, invoice=done).update(taken_at=long_ago)
    continue_decision(decision, caller=ann, today=FEBRUARY)
    assert count_results(decision)[DecisionResult.DONE] == 2


def test_what_has_failed_is_tried_again_and_what_was_refused_is_not(umbra, ann):
    failed, refused = (bill(an_account(umbra), ann, JANUARY) for _ in range(2))
    rows = Invoice.objects.filter(pk__in=[failed, refused])
    decision = start_decision(client=umbra, act=DecisionAct.APPROVE, invoices=rows, caller=ann, remarks=Remarks())
    decision.outcomes.filter(invoice=failed).update(result="failed", error_code=3108)
    decision.outcomes.filter(invoice=refused).update(result="refused", error_code=90002)
    assert retry_failed(decision, caller=ann) == 1
    continue_decision(decision, caller=ann, today=FEBRUARY)
    assert dict(decision.outcomes.values_list("invoice", "result")) == {failed: "done", refused: "refused"}


def test_recalculating_names_what_was_made_anew(umbra, ann, audited):
    number = bill(an_account(umbra), ann, JANUARY)
    rows = Invoice.objects.filter(pk=number)
    decision = start_decision(client=umbra, act=DecisionAct.REGENERATE, invoices=rows, caller=ann, remarks=Remarks())
    continue_decision(decision, caller=ann, today=FEBRUARY)
    outcome = decision.outcomes.get()
    assert (outcome.result, outcome.new_invoice.status) == ("done", "pending")
    assert outcome.new_invoice_id != number


def test_notes_stand_beside_the_document_and_in_the_trail(umbra, signed_in, ann, audited):
    number = bill(an_account(umbra), ann, JANUARY)
    form = {"act": "remark", "invoice_no": [number], "confirmed": "yes", "once": "e" * 32, "client_notes": "ask sales"}
    signed_in.post("/invoices/pending/decide/", form)
    invoice = Invoice.objects.get(pk=number)
    assert (invoice.client_notes, invoice.custom_status_label, invoice.status) == ("ask sales", "", "pending")


def test_who_may_only_look_decides_nothing(umbra, client):
    viewer = get_user_model().objects.create(username="eve", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_invoice"))
    umbra.staff.add(viewer)
    client.force_login(viewer)
    number = bill(an_account(umbra), Caller(process="test"), JANUARY)
    assert "you need the role Approver" in client.get("/invoices/pending/").content.decode()
    form = {"act": "approve", "invoice_no": [number], "confirmed": "yes", "once": "f" * 32}
    client.post("/invoices/pending/decide/", form)
    assert Invoice.objects.get(pk=number).status == "pending"
    assert not Decision.objects.exists()


def test_a_refused_discard_is_not_told_as_done(umbra, client):
    viewer = get_user_model().objects.create(username="eve", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_invoice"))
    umbra.staff.add(viewer)
    client.force_login(viewer)
    number = bill(an_account(umbra), Caller(process="test"), JANUARY)
    answer = client.post(f"/invoices/{number}/act/discard/", {"reason": ""}, follow=True)
    assert [str(told) for told in answer.context["messages"]] == [
        "You have no permission to approve invoices. Ask an administrator for it"
    ]


def test_nothing_of_another_client_is_there(umbra, signed_in, process):
    other = ClientFactory(name="Other", invoice_approval_required=True)
    number = bill(an_account(other), process, JANUARY)
    assert f">{number}<" not in signed_in.get("/invoices/pending/").content.decode()
    assert signed_in.get(f"/invoices/{number}/").status_code == 404
    assert signed_in.get(f"/invoices/pending/{number}/").status_code == 404
    form = {"act": "discard", "invoice_no": [number], "confirmed": "yes", "once": "0" * 32}
    signed_in.post("/invoices/pending/decide/", form)
    assert Invoice.objects.get(pk=number).status == "pending"


def test_usage_bands_do_not_count_as_new_lines(umbra, ann):
    plan = a_plan(umbra)
    a_charge(plan, "calls", line_type=6, tiers={"0": "0.10", "10": "0.05"})
    account = an_account(umbra, plan)
    approve(umbra, [bill(account, ann, JANUARY)], ann)
    assert Flag.NEW_LINES not in flags(umbra, bill(account, ann, FEBRUARY))


def test_the_page_of_a_document_costs_the_same_for_any_number_of_lines(
    umbra, signed_in, ann, django_assert_max_num_queries, django_assert_num_queries
):
    few, many = (
        bill(an_account(umbra, a_plan(umbra, {f"s{n}": "1.00" for n in range(lines)})), ann, JANUARY) for lines in (2, 40)
    )
    signed_in.get(f"/invoices/{few}/")
    with django_assert_max_num_queries(50) as captured:
        signed_in.get(f"/invoices/{few}/")
    with django_assert_num_queries(len(captured.captured_queries)):
        signed_in.get(f"/invoices/{many}/")


def test_the_pages_of_a_decision_cost_the_same_for_any_number_of_documents(umbra, signed_in, ann):
    plan = a_plan(umbra)
    numbers = [bill(an_account(umbra, plan), ann, JANUARY) for _ in range(12)]
    asked, told = [], []
    for some in (numbers[:2], numbers[2:]):
        with CaptureQueriesContext(connection) as captured:
            signed_in.post("/invoices/pending/decide/", {"act": "approve", "invoice_no": some})
        asked.append(len(captured))
        form = {"act": "approve", "invoice_no": some, "confirmed": "yes", "once": f"{some[0]:032d}"}
        address = signed_in.post("/invoices/pending/decide/", form).url
        with CaptureQueriesContext(connection) as captured:
            signed_in.get(address)
        told.append(len(captured))
    assert asked[0] == asked[1] and told[0] == told[1]


def test_a_custom_status_is_searched_filtered_and_downloaded(umbra, signed_in, ann):
    labelled, other = (bill(an_account(umbra), ann, JANUARY) for _ in range(2))
    Invoice.objects.filter(pk=labelled).update(custom_status_label="Ask Sales")
    for query in ({"search": "ask sales"}, {"search": "Ask"}, {"custom_status_label": "ask sales"}):
        rows = signed_in.get("/invoices/pending/", query).context["rows"]
        assert [row.invoice.pk for row in rows] == [labelled], query
    page = signed_in.get("/invoices/pending/").content.decode()
    assert 'href="?format=csv"' in page
    answer = signed_in.get("/invoices/pending/", {"format": "csv", "search": "ask"})
    table = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [(row["invoice_no"], row["state"], row["custom_status_label"]) for row in table] == [
        (str(labelled), "pending", "Ask Sales")
    ]
    assert len(list(signed_in.get("/invoices/pending/", {"format": "csv"}).streaming_content)) == 3
    wrong = signed_in.get("/invoices/pending/", {"format": "csv", "bill_date_from": "soon"})
    assert (wrong.status_code, wrong.headers["Location"]) == (302, "/invoices/pending/")
    assert other  # it is in the whole file only


def test_why_the_reader_may_not_approve_is_said_once_above_the_list(umbra, signed_in, ann):
    umbra.four_eyes = FourEyes.ANOTHER_PERSON
    umbra.save()
    for _ in range(3):
        bill(an_account(umbra), ann, JANUARY)
    page = " ".join(signed_in.get("/invoices/pending/").content.decode().split())
    assert "3 documents of this page cannot be approved by you: You cannot approve your own document or request:" in page
    assert (page.count("for another approver"), page.count("data-reason")) == (3, 1)
