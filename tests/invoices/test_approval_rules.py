"""Approval rules: which one decides, approval by itself, by several people or a role, escalation, stand-ins, and the trial."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models.functions import Now
from django.utils import timezone

from accounts.callers import Caller
from accounts.kinds import GuardedAct
from accounts.models import Client, Event
from billing_site.common.guards import lifted
from billing_site.errors import BillingError
from invoices.kinds import DecisionAct, Flag, InvoiceKind
from invoices.models import ApprovalProgress, ApprovalRules, GivenApproval, Invoice, StandIn, Worker
from invoices.services.approving.automatic import approve_due, do_batch, escalate_due, resume_approval, stop_approval
from invoices.services.approving.deciding import decide, decide_on_one
from invoices.services.approving.rule_trial import try_rules
from invoices.services.approving.rules import make_rules, remove_stand_in, set_stand_in, switch_off, switch_on
from invoices.services.documents.approval_rules import approval_amount_of, four_eyes_apply, needs_another_person
from invoices.services.planning.rule_matching import matched_rule, roles_of, ruled_documents, rules_on
from tests.support.administrators import an_administrator
from tests.support.approval_rules import code, event_of, on, priced, rule_of
from tests.support.billing import bill
from tests.support.factories import a_plan, an_account
from tests.support.outcomes import code_of
from tests.support.pending import a_pending
from tests.support.rebilling import line, rebilled

JAN_10 = date(2026, 1, 10)
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def money_adds_up(audited):
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def clock(money_adds_up):
    return money_adds_up


@pytest.fixture
def by(acme):
    return {"client": acme, "today": JAN_10}


CONDITIONS = [
    ({"total_below": D("100.00"), "currency": "usd"}, "99.99", "100.00"),
    ({"total_above": D("100.00"), "currency": "usd"}, "100.01", "100.00"),
    ({"total_above": D(10), "total_below": D(20), "currency": "usd"}, "15.00", "20.00"),
    ({"is_zero": True}, "0.00", "0.01"),
    ({"flags": "not_positive"}, "0.00", "5.00"),
]


@pytest.mark.parametrize(("rule", "applying", "other"), CONDITIONS)
def test_conditions_on_totals_and_flags(acme, rule, applying, other):
    on(acme, {**rule, "role": ""})
    assert rule_of(acme, priced(acme, applying)) == 1
    assert rule_of(acme, priced(acme, other)) is None


def test_limits_are_of_their_currency(acme):
    on(acme, {"total_below": D(100), "currency": "eur"})
    assert rule_of(acme, priced(acme, "5.00")) is None


def test_the_first_rule_that_applies_decides(acme):
    on(acme, {"total_above": D(50), "currency": "usd"}, {"kinds": "recurring"}, {})
    assert [rule_of(acme, priced(acme, amount)) for amount in ("50.01", "50.00")] == [1, 2]


def test_clean_documents_and_small_changes(acme, process):
    """A first invoice is flagged and has no last one to differ from. The second differs by 4 percent."""
    Client.objects.filter(pk=acme.pk).update(flag_change_percent=D(10))
    acme.refresh_from_db()
    on(acme, {"is_clean": True, "change_below_percent": D(4)}, {"change_below_percent": D("4.01")}, {"is_clean": False})
    account = an_account(acme, plan := a_plan(acme, {"phone": "25.00"}))
    first = a_pending(acme, process, account)
    assert rule_of(acme, first) == 3
    decide_on_one(DecisionAct.APPROVE, client=acme, invoice_no=first.pk, caller=process, today=JAN_10)
    price = plan.charges.get().rates.get()
    price.rate_per_unit = D("26.00")
    price.save()
    second = a_pending(acme, process, account, date(2026, 2, 10))
    assert (second.total_amount, second.comparison.change_percent) == (D(26), D(4))
    assert rule_of(acme, second) == 2
    assert rule_of(acme, priced(acme, "26.00")) == 3


def test_plans_kinds_and_the_age_of_accounts(acme, process):
    plan = a_plan(acme, {"phone": "30.00"})
    on(acme, {"plan": plan, "account_days": 30}, {"kinds": "rebill"}, {"plan": plan})
    account = an_account(acme, plan)
    type(account).objects.filter(pk=account.pk).update(created_at=NOON - timedelta(days=30))
    young = an_account(acme, plan)
    type(young).objects.filter(pk=young.pk).update(created_at=NOON - timedelta(days=29))
    assert [rule_of(acme, a_pending(acme, process, one)) for one in (account, young)] == [1, 3]
    assert rule_of(acme, priced(acme, "30.00")) is None
    Client.objects.filter(pk=acme.pk).update(rebill_approval_required=True)
    acme.refresh_from_db()
    original = bill(an_account(acme), process, JAN_10)
    rebill = rebilled(original, process, line(1, rate_per_unit="20.00"))
    assert (rebill.status, rule_of(acme, rebill)) == ("pending", 2)


def test_accounts_with_a_tag(acme, process):
    on(acme, {"tag": "Reseller"})
    for tags, applies in (("press, reseller", 1), ("resellers", None), ("", None)):
        invoice = a_pending(acme, process, an_account(acme, tags=tags))
        assert rule_of(acme, invoice) == applies, tags


def test_a_document_approves_by_itself_after_its_hours(acme, clock):
    on(acme, {"total_below": D(100), "currency": "usd", "approves_after_hours": 24})
    small, large = priced(acme, "99.00"), priced(acme, "100.00")
    clock.move_to(NOON + timedelta(hours=23, minutes=59))
    assert approve_due(acme) == 0
    clock.move_to(NOON + timedelta(hours=24))
    assert approve_due(acme) == 1
    small.refresh_from_db()
    large.refresh_from_db()
    assert (small.status, small.document_number, large.status) == ("approved", "INV-000001", "pending")
    assert small.approved_by == "process:approval rules"
    after = event_of(small, "invoice.approved").after
    assert (after["rule"], after["rule_name"], after["rule_version"]) == (1, "rule 1", 1)
    assert approve_due(acme) == 0


def test_the_hours_of_older_documents_count_from_switching_on(acme, clock):
    invoice = priced(acme, "99.00")
    clock.move_to(NOON + timedelta(days=3))
    on(acme, {"approves_after_hours": 2})
    assert approve_due(acme) == 0
    clock.move_to(NOON + timedelta(days=3, hours=2))
    assert approve_due(acme) == 1
    invoice.refresh_from_db()
    assert invoice.status == "approved"


def test_a_person_stops_one_document_and_lets_it_go_on(acme, clock, alice):
    on(acme, {"approves_after_hours": 0})
    stopped, other = priced(acme, "5.00"), priced(acme, "6.00")
    stop_approval(client=acme, invoice_no=stopped.pk, caller=alice, reason="Ask sales")
    assert event_of(stopped, "invoice.approval_stopped").after["reason"] == "Ask sales"
    assert code(stop_approval, client=acme, invoice_no=stopped.pk, caller=alice) == 90253
    assert code(resume_approval, client=acme, invoice_no=other.pk, caller=alice) == 90253
    assert approve_due(acme) == 1
    assert code(stop_approval, client=acme, invoice_no=other.pk, caller=alice) == 3015
    resume_approval(client=acme, invoice_no=stopped.pk, caller=alice)
    assert approve_due(acme) == 1


def test_what_cannot_be_approved_is_stopped_with_its_reason_and_not_tried_again(acme):
    """The account has no address, so the document cannot be a valid electronic invoice."""
    invoice = priced(acme, "5.00")
    Client.objects.filter(pk=acme.pk).update(e_invoice="ubl")
    acme.refresh_from_db()
    on(acme, {"approves_after_hours": 0})
    assert (approve_due(acme), approve_due(acme)) == (1, 0)
    progress = ApprovalProgress.objects.get(pk=invoice.pk)
    assert progress.stopped_by == "process:approval rules"
    assert "cannot be a valid electronic invoice" in progress.reason
    assert event_of(invoice, "invoice.approval_stopped").after["reason"] == progress.reason


def test_four_eyes_never_leave_a_document_to_a_rule(acme):
    Client.objects.filter(pk=acme.pk).update(four_eyes="above_amount", four_eyes_amount=D(50))
    acme.refresh_from_db()
    version = make_rules(client=acme, rules=[{"name": "all", "approves_after_hours": 0}], caller=Caller(process="test"))
    switch_on(client=acme, version_no=version.pk, caller=Caller(process="another"))
    large, small = priced(acme, "50.01"), priced(acme, "50.00")
    assert ruled_documents(acme, [large.pk])[large.pk].needs_person
    assert approve_due(acme) == 1
    assert [Invoice.objects.get(pk=one.pk).status for one in (large, small)] == ["pending", "approved"]


@pytest.mark.parametrize("four_eyes", ["off", "another_person", "above_amount"])
@pytest.mark.parametrize("acts", ["invoices,rebills", "rebills", "memos"])
def test_the_query_of_four_eyes_says_what_the_rule_says(acme, process, four_eyes, acts):
    fields = {"four_eyes_amount": D(50), "second_person_for": acts, "rebill_approval_required": True}
    Client.objects.filter(pk=acme.pk).update(**fields)
    acme.refresh_from_db()
    big = bill(an_account(acme, a_plan(acme, {"phone": "60.00"})), process, JAN_10)
    documents = [priced(acme, "50.00"), priced(acme, "50.01"), rebilled(big, process, line(1, rate_per_unit="1.00"))]
    acme.four_eyes = four_eyes
    found = set(Invoice.objects.filter(needs_another_person(acme)).values_list("pk", flat=True))
    for one in documents:
        act = GuardedAct.REBILLS if one.kind == InvoiceKind.REBILL else GuardedAct.INVOICES
        assert (one.pk in found) == four_eyes_apply(acme, act, approval_amount_of(one)), one


def test_two_different_people_approve(acme, alice, bob, by):
    on(acme, {"approvers": 2})
    invoice = priced(acme, "5.00")
    first = decide_on_one(DecisionAct.APPROVE, invoice_no=invoice.pk, caller=alice, **by)
    assert first.recorded.approvals_missing == 1
    again = decide_on_one(DecisionAct.APPROVE, invoice_no=invoice.pk, caller=alice, **by)
    assert again.recorded.approvals_missing == 1
    invoice.refresh_from_db()
    assert (invoice.status, GivenApproval.objects.count()) == ("pending", 1)
    assert event_of(invoice, "invoice.approval_given").after["approvals_missing"] == 1
    last = decide_on_one(DecisionAct.APPROVE, invoice_no=invoice.pk, caller=bob, **by)
    assert last.recorded.approvals_missing == 0
    invoice.refresh_from_db()
    assert (invoice.status, invoice.document_number, invoice.approved_by) == ("approved", "INV-000001", bob.identity)
    assert event_of(invoice, "invoice.approved").after["approvers"] == [alice.identity, bob.identity]


def test_an_approval_of_another_content_does_not_count(acme, alice, bob, by):
    on(acme, {"approvers": 2})
    invoice = priced(acme, "5.00")
    decide_on_one(DecisionAct.APPROVE, invoice_no=invoice.pk, caller=alice, **by)
    with lifted():
        GivenApproval.objects.update(fingerprint="3:of.another.content")
    assert decide_on_one(DecisionAct.APPROVE, invoice_no=invoice.pk, caller=bob, **by).recorded.approvals_missing == 1


def test_a_rule_asks_for_a_role_and_a_stand_in_has_it(acme, alice, bob, by, process):
    on(acme, {"role": "Approver"})
    first, second = priced(acme, "5.00"), priced(acme, "6.00")
    alice.staff.groups.add(Group.objects.get(name="Approver"))
    assert code(decide_on_one, act=DecisionAct.APPROVE, invoice_no=first.pk, caller=bob, **by) == 90250
    assert code(decide_on_one, act=DecisionAct.APPROVE, invoice_no=first.pk, caller=process, **by) == 90250
    decide_on_one(DecisionAct.APPROVE, invoice_no=first.pk, caller=alice, **by)
    acme.staff.add(alice.staff, bob.staff)
    days = {"first_day": JAN_10, "last_day": JAN_10, "today": JAN_10}
    row = set_stand_in(client=acme, person="alice", stand_in="bob", caller=process, **days)
    remove_stand_in(client=acme, stand_in_no=row.pk, caller=process)
    assert code(decide_on_one, act=DecisionAct.APPROVE, invoice_no=second.pk, caller=bob, **by) == 90250
    set_stand_in(client=acme, person="alice", stand_in="bob", caller=process, **days)
    tomorrow = {**by, "today": date(2026, 1, 11)}
    assert code(decide_on_one, act=DecisionAct.APPROVE, invoice_no=second.pk, caller=bob, **tomorrow) == 90250
    decide_on_one(DecisionAct.APPROVE, invoice_no=second.pk, caller=bob, **by)
    acts = list(Event.objects.filter(act__startswith="stand_in").order_by("pk").values_list("act", flat=True))
    assert acts == ["stand_in.set", "stand_in.removed", "stand_in.set"]


@pytest.mark.parametrize(
    ("person", "stand_in", "last_day"),
    [("alice", "alice", JAN_10), ("alice", "carol", JAN_10), ("nobody", "alice", JAN_10), ("alice", "bob", date(2026, 1, 9))],
)
def test_who_cannot_stand_in(acme, alice, bob, process, person, stand_in, last_day):
    acme.staff.add(alice.staff, bob.staff)
    get_user_model().objects.create_user("carol", is_staff=True)
    days = {"first_day": date(2026, 1, 9), "last_day": last_day, "today": JAN_10}
    assert code(set_stand_in, client=acme, person=person, stand_in=stand_in, caller=process, **days) == 90254


def test_a_document_escalates_once(acme, clock):
    on(acme, {"escalates_after_days": 3})
    invoice = priced(acme, "5.00")
    clock.move_to(NOON + timedelta(days=3) - timedelta(seconds=1))
    assert escalate_due(acme) == 0
    clock.move_to(NOON + timedelta(days=3))
    assert (escalate_due(acme), escalate_due(acme)) == (1, 0)
    after = event_of(invoice, "invoice.escalated").after
    assert after == {"rule": 1, "rule_name": "rule 1", "rule_version": 1, "pending_days": 3}
    assert ApprovalProgress.objects.get(pk=invoice.pk).escalated_at == NOON + timedelta(days=3)


def test_a_worker_carries_out_the_rules_of_each_client(acme, umbra):
    worker = Worker.objects.create(host="h", pid=1, name="test", started_at=Now(), seen_at=Now())
    for client in (acme, umbra):
        on(client, {"approves_after_hours": 0})
        priced(client, "5.00")
    assert (do_batch(worker), do_batch(worker)) == (True, False)
    assert Invoice.objects.filter(status="approved").count() == 2
    assert not ApprovalRules.objects.exclude(claimed_by=None).exists()


def test_another_live_worker_is_left_alone(acme):
    first, second = (Worker.objects.create(host="h", pid=n, name="t", started_at=Now(), seen_at=Now()) for n in (1, 2))
    version = on(acme, {"approves_after_hours": 0})
    priced(acme, "5.00")
    ApprovalRules.objects.filter(pk=version.pk).update(claimed_by=first.pk)
    assert not do_batch(second)
    Worker.objects.filter(pk=first.pk).delete()
    assert do_batch(second)


def test_versions_are_never_changed_and_one_is_on(acme, process):
    first, second = on(acme, {"approvers": 2}), on(acme, {"approvers": 3}, {})
    first.refresh_from_db()
    assert (first.version, first.is_on, second.version, second.is_on) == (1, False, 2, True)
    assert [rule.approvers for rule in rules_on(acme)] == [3, 1]
    assert code(switch_on, client=acme, version_no=second.pk, caller=process) == 90251
    assert code(switch_off, client=acme, version_no=first.pk, caller=process) == 90251
    switch_off(client=acme, version_no=second.pk, caller=process)
    assert rules_on(acme) == []
    acts = list(Event.objects.filter(act__startswith="approval_rules").order_by("pk").values_list("act", flat=True))
    assert acts == [
        f"approval_rules.{act}" for act in ("made", "switched_on", "made", "switched_off", "switched_on", "switched_off")
    ]


def test_under_four_eyes_another_person_switches_rules_on(acme):
    Client.objects.filter(pk=acme.pk).update(four_eyes="another_person")
    acme.refresh_from_db()
    one, two = (Caller(staff=get_user_model().objects.create_superuser(name)) for name in ("one", "two"))
    version = make_rules(client=acme, rules=[{"name": "all"}], caller=one)
    assert code(switch_on, client=acme, version_no=version.pk, caller=one) == 90002
    assert switch_on(client=acme, version_no=version.pk, caller=two).is_on


WRONG = {
    "rules": [],
    "rules.1.currency": [{"total_above": D(5)}],
    "rules.1.total_below": [{"total_above": D(5), "total_below": D(5), "currency": "usd"}],
    "rules.2.approves_after_hours": [{}, {"approves_after_hours": 1, "approvers": 2}],
    "rules.1.approves_after_hours": [{"approves_after_hours": 1, "role": "Approver"}],
    "rules.1.role": [{"role": "Nobody"}],
    "rules.1.kinds": [{"kinds": "credit_memo"}],
    "rules.1.flags": [{"is_clean": True, "flags": "first"}],
    "rules.1.approvers": [{"approvers": 6}],
    "rules.1.change_below_percent": [{"change_below_percent": D(-1)}],
}


@pytest.mark.parametrize(("field", "rules"), WRONG.items())
def test_rules_that_cannot_be_used_are_refused_by_name(acme, process, field, rules):
    with pytest.raises(BillingError) as refused:
        make_rules(client=acme, rules=[{"name": "x", **rule} for rule in rules], caller=process)
    assert (refused.value.code.number, refused.value.field) == (90252, field)
    assert not ApprovalRules.objects.exists()


def test_a_plan_of_another_client_is_refused(acme, umbra, process):
    rule = {"name": "x", "plan": a_plan(umbra)}
    assert code(make_rules, client=acme, rules=[rule], caller=process) == 90252


def test_rules_are_tried_on_history(acme, process, by):
    """Of five decided documents it would have approved four by itself: one was rebilled later, one discarded by a person."""
    decided = [priced(acme, amount) for amount in ("10.00", "20.00", "30.00", "40.00", "500.00")]
    *approved, discarded, _large = decided
    decide(DecisionAct.APPROVE, invoice_nos=[one.pk for one in (*approved, _large)], caller=process, **by)
    decide(DecisionAct.DISCARD, invoice_nos=[discarded.pk], caller=process, **by)
    rebilled(Invoice.objects.get(pk=approved[0].pk), process, line(1, rate_per_unit="9.00"))
    bill(an_account(acme), process, JAN_10)
    priced(acme, "1.00")
    rules = [
        {"name": "small", "total_below": D(100), "currency": "usd", "approves_after_hours": 4},
        {"name": "all", "approvers": 2},
    ]
    version = make_rules(client=acme, rules=rules, caller=process)
    trial = try_rules(version, acme)
    assert [one[1:] for one in trial.rules] == [(4, 4, 1, 0, 0, 1), (1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0)]
    assert trial.total[1:] == (5, 4, 1, 0, 0, 1)
    assert trial.not_pending == 2
    assert Invoice.objects.filter(status="pending").count() == 1


def test_old_documents_are_not_tried_and_no_decided_one_is_out_of_date(acme, process, by, clock):
    invoice = priced(acme, "10.00")
    decide(DecisionAct.APPROVE, invoice_nos=[invoice.pk], caller=process, **by)
    acme.flag_first = False
    acme.save()
    for rate in type(invoice.lines.first().plan_instance.plan.charges.first()).objects.first().rates.all():
        rate.save()
    version = make_rules(client=acme, rules=[{"name": "clean", "is_clean": True, "approves_after_hours": 1}], caller=process)
    assert try_rules(version, acme).total.by_itself == 1
    clock.move_to(NOON + timedelta(days=91))
    assert try_rules(version, acme).total.documents == 0


def test_every_flag_can_be_a_condition(acme, process):
    on(acme, *({"flags": flag} for flag in Flag))
    assert rule_of(acme, priced(acme, "5.00")) == list(Flag).index(Flag.FIRST) + 1
    assert Invoice.objects.annotate(rule=matched_rule(rules_on(acme), acme, decided=True)).get().rule == 1


def test_rules_cost_two_queries_and_without_rules_one(acme, django_assert_num_queries):
    invoices = [priced(acme, "5.00").pk for _ in range(3)]
    with django_assert_num_queries(1):
        assert ruled_documents(acme, invoices) == {}
    on(acme, {"is_clean": True}, {})
    with django_assert_num_queries(2):
        assert len(ruled_documents(acme, invoices)) == 3


def test_a_bulk_decision_says_what_is_missing(acme, alice, by):
    from invoices.services.approving.bulk import continue_decision, start_decision
    from invoices.services.documents.remarks import Remarks

    on(acme, {"approvers": 3})
    invoice = priced(acme, "5.00")
    rows = Invoice.objects.filter(pk=invoice.pk)
    decision = start_decision(client=acme, act=DecisionAct.APPROVE, invoices=rows, caller=alice, remarks=Remarks())
    continue_decision(decision, caller=alice, today=JAN_10)
    outcome = decision.outcomes.get()
    assert (outcome.result, outcome.message) == ("done", "approved by you; approvals by other people that are missing: 2")
    assert code_of(decide(DecisionAct.APPROVE, invoice_nos=[invoice.pk], caller=alice, **by)[invoice.pk]) == 0
    assert timezone.now() == NOON


@pytest.fixture
def chief(acme):
    """An administrator of the client."""
    return Caller(staff=an_administrator(acme, "chief"))


def lend(acme, caller, person, stand_in):
    days = {"first_day": JAN_10, "last_day": JAN_10, "today": JAN_10}
    return set_stand_in(client=acme, caller=caller, person=person, stand_in=stand_in, **days)


def test_nobody_makes_themselves_the_stand_in(acme, alice, chief):
    acme.staff.add(alice.staff)
    assert code(lend, acme=acme, caller=chief, person="alice", stand_in="chief") == 90254
    assert lend(acme, chief, "chief", "alice").stand_in == alice.staff


def test_only_roles_within_the_callers_own_rights_are_lent(acme, alice, bob):
    """Alice may change settings, so she may change rules, but she has not the rights of an Approver or Corrector."""
    an_administrator(acme, "chief")
    acme.staff.add(alice.staff, bob.staff)
    alice.staff.user_permissions.set(Permission.objects.filter(codename="change_client"))
    caller = Caller(staff=get_user_model().objects.get(pk=alice.staff.pk))
    assert code(lend, acme=acme, caller=caller, person="chief", stand_in="bob") == 90213
    assert not StandIn.objects.exists()
    root = Caller(staff=get_user_model().objects.create_superuser("root"))
    assert lend(acme, root, "chief", "bob").stand_in == bob.staff


@pytest.mark.parametrize("lost", ["is_active", "is_staff", "client"])
def test_who_has_no_access_any_more_lends_nothing(acme, alice, bob, by, process, lost):
    on(acme, {"role": "Approver"})
    invoice = priced(acme, "5.00")
    alice.staff.groups.add(Group.objects.get(name="Approver"))
    acme.staff.add(alice.staff, bob.staff)
    lend(acme, process, "alice", "bob")
    assert roles_of(acme, bob, JAN_10) == {"Approver"}
    if lost == "client":
        acme.staff.remove(alice.staff)
    else:
        get_user_model().objects.filter(pk=alice.staff.pk).update(**{lost: False})
    assert roles_of(acme, bob, JAN_10) == frozenset()
    assert code(decide_on_one, act=DecisionAct.APPROVE, invoice_no=invoice.pk, caller=bob, **by) == 90250


@pytest.mark.parametrize("strict", [{"approvers": 2}, {"role": "Approver"}])
def test_under_four_eyes_nobody_switches_strict_rules_off_alone(acme, strict):
    one, two = (Caller(staff=get_user_model().objects.create_superuser(name)) for name in ("one", "two"))
    Client.objects.filter(pk=acme.pk).update(four_eyes="above_amount", four_eyes_amount=D(50))
    acme.refresh_from_db()
    loose, guarded = (
        make_rules(client=acme, rules=[{"name": "first"}, {"name": "rest", **terms}], caller=one) for terms in ({}, strict)
    )
    switch_on(client=acme, version_no=guarded.pk, caller=two)
    for caller in (one, two):
        assert code(switch_off, client=acme, version_no=guarded.pk, caller=caller) == 90251
    assert len(rules_on(acme)) == 2
    assert code(switch_on, client=acme, version_no=loose.pk, caller=one) == 90002
    switch_on(client=acme, version_no=loose.pk, caller=two)
    switch_off(client=acme, version_no=loose.pk, caller=one)
    assert rules_on(acme) == []
