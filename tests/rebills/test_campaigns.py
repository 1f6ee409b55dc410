"""Campaigns: one correction of many documents, previewed, approved by another person, and carried out."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.models import Event, PlanMinimum, RateSchedule, RateTier
from accounts.services.plans import change_plan
from billing_site.errors import BillingError
from invoices.kinds import InvoiceStatus
from invoices.models import CollectionAttempt, Invoice, ReasonCode, Refund, Statement
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.write_offs import write_off
from invoices.services.money.ledger.acts import Why
from invoices.services.money.payment_methods import add_payment_method
from invoices.services.work.workers import working
from rebills.kinds import RuleChange, Statements
from rebills.plan.campaign_rules import Rule
from rebills.services.campaigns.campaigns import (
    CampaignOptions,
    approve_campaign,
    approve_undo,
    ask_for_undo,
    cancel_campaign,
    change_campaign,
    create_campaign,
    pause_campaign,
    preview_campaign_again,
    resume_campaign,
    retry_campaign,
    start_campaign,
    work_on_campaign,
)
from rebills.services.campaigns.figures import count_refused, find_outliers, sum_by_currency, sum_taxes
from rebills.services.campaigns.rechecking import campaign_of_recheck, start_recheck
from rebills.services.campaigns.selection import Selection, read_selection
from rebills.services.campaigns.undo_preview import preview_campaign_undo
from tests.support.billing import ACTIVATION, ARREARS, FEB_10, JAN_10, JAN_31, MAR_5, MAR_10, USAGE, bill
from tests.support.campaigns import CHEAPER, a_campaign, differences, previewed, run, states
from tests.support.coupons import a_coupon, redeem
from tests.support.factories import TaxRateFactory, a_charge, a_plan, an_account, some_usage
from tests.support.paying import due, paying, unapplied
from tests.support.rebilling import amounts_of, line, rebilled

pytestmark = pytest.mark.usefixtures("audited")

RATES = {"phone": "30.00", "net": "50.00"}


@pytest.fixture
def boss(acme, django_user_model):
    """Another person, who may do everything."""
    user = django_user_model.objects.create_user("boss", is_staff=True, is_superuser=True)
    acme.staff.add(user)
    return Caller(staff=user)


@pytest.fixture
def invoices(acme, process):
    """Three invoices of 80.00 and 8.00 of tax."""
    TaxRateFactory(client=acme)
    plan = a_plan(acme, RATES)
    return [bill(an_account(acme, plan), process, JAN_10) for _ in range(3)]


def test_the_preview_shows_each_difference_and_writes_no_document(acme, process, invoices):
    before = Invoice.objects.count()
    campaign = a_campaign(acme, process, invoices=invoices)
    assert campaign.state == "previewed"
    assert states(campaign) == ["ready"] * 3
    assert differences(campaign) == [D("-1.76")] * 3
    (totals,) = sum_by_currency(campaign)
    assert (totals.documents, totals.total_before, totals.total_after, totals.difference) == (
        3,
        D(264),
        D("258.72"),
        D("-5.28"),
    )
    (tax,) = sum_taxes(campaign)
    assert (tax.percent, tax.before, tax.after, tax.difference) == (D(10), D(24), D("23.52"), D("-0.48"))
    assert Invoice.objects.count() == before


def test_an_approved_campaign_rebills_each_document_as_it_was_previewed(acme, process, boss, invoices):
    campaign = run(a_campaign(acme, process, invoices=invoices), process, boss)
    assert campaign.state == "finished"
    assert states(campaign) == ["rebilled"] * 3
    item = campaign.items.select_related("rebill").order_by("pk")[0]
    assert amounts_of(item.rebill) == [D("29.40"), D("49.00"), D("7.84")]
    assert (item.rebill.generated_by, item.rebill.approved_by) == ("process:test", boss.identity)
    assert [due(invoice) for invoice in invoices] == [0, 0, 0]
    assert due(item.rebill) == D("86.24")


def test_nothing_is_rebilled_before_another_person_has_approved(acme, process, alice, boss, invoices):
    campaign = a_campaign(acme, boss, invoices=invoices)
    for caller, code in ((boss, 90187), (Caller(staff=boss.staff), 90187)):
        with pytest.raises(BillingError) as refused:
            approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=caller)
        assert refused.value.code.number == code
    with pytest.raises(BillingError) as refused:
        start_campaign(campaign, caller=boss)
    assert refused.value.code.number == 90180
    with pytest.raises(BillingError) as refused:
        approve_campaign(campaign, fingerprint="of another preview", caller=alice)
    assert refused.value.code.number == 90185
    approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=alice)
    assert Event.objects.get(act="campaign.approved").staff == alice.staff
    assert states(campaign) == ["ready"] * 3


def test_who_has_changed_a_campaign_cannot_approve_it(acme, process, alice, boss, invoices):
    campaign = a_campaign(acme, process, invoices=invoices)
    seen = campaign.fingerprint
    previewed(change_campaign(campaign, rules=[Rule(RuleChange.DISCOUNT, D(10))], caller=boss))
    assert differences(campaign) == [D("-8.80")] * 3
    for caller, fingerprint, code in ((boss, campaign.fingerprint, 90187), (alice, seen, 90185)):
        with pytest.raises(BillingError) as refused:
            approve_campaign(campaign, fingerprint=fingerprint, caller=caller)
        assert refused.value.code.number == code


def test_what_has_changed_since_the_preview_is_told_and_previewed_again(acme, process, boss, invoices):
    first, second, third = invoices
    campaign = a_campaign(acme, process, invoices=invoices)
    approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=boss)
    rebilled(first, process, line(1, amount="10"), line(2))
    paying_now(acme, process, second)
    start_campaign(campaign, caller=process)
    previewed(campaign)
    assert states(campaign) == ["failed", "moved", "rebilled"]
    assert [(one.error_code, one.documents) for one in count_refused(campaign)] == [(90003, 1), (90033, 1)]
    previewed(preview_campaign_again(campaign, caller=process))
    assert (campaign.state, states(campaign)) == ("previewed", ["refused", "ready", "rebilled"])
    run(campaign, process, boss)
    assert states(campaign) == ["refused", "rebilled", "rebilled"]
    rebill = Invoice.objects.get(corrects=second, kind="rebill")
    assert (due(rebill), unapplied(second.account)) == (0, D("1.76"))


def paying_now(client, caller, invoice):
    """Collect an invoice by a card that the account gets now."""
    add_payment_method(
        client=client, account_no=invoice.account_id, caller=caller, type="card", token="sandbox_approved", label="Card"
    )
    collect_invoices(client=client, invoice_nos=[invoice.pk], caller=caller, today=JAN_31)


def test_several_documents_of_one_account_are_all_rebilled(acme, process, boss):
    account = paying(acme, rate="30.00")
    bills = [bill(account, process, day) for day in (JAN_10, FEB_10)]
    for one in bills:
        collect_invoices(client=acme, invoice_nos=[one.pk], caller=process, today=FEB_10)
    campaign = run(a_campaign(acme, process, Rule(RuleChange.RATE, D(25)), invoices=bills), process, boss)
    assert states(campaign) == ["rebilled"] * 2
    assert unapplied(account) == D(10)


def test_lines_are_matched_by_service_rate_and_days(acme, process, invoices):
    phone = invoices[0].lines.get(description__icontains="phone", line_type=1).service_id
    rule = Rule(RuleChange.RATE, D(20), services=(phone,), at_rate=D(30), charged_from=date(2026, 1, 1))
    assert differences(a_campaign(acme, process, rule, invoices=invoices)) == [D(-11)] * 3
    for other in (rule._replace(at_rate=D(31)), rule._replace(charged_until=date(2026, 1, 9)), rule._replace(line_types=(6,))):
        assert states(a_campaign(acme, process, other, invoices=invoices)) == ["unchanged"] * 3


def test_invoices_are_selected_by_what_they_charged(acme, process, invoices):
    phone = invoices[0].lines.get(description__icontains="phone", line_type=1).service_id
    bill(an_account(acme, a_plan(acme, {"tv": "20.00"})), process, JAN_10)
    days = {"charged_from": "2026-01-10", "charged_until": "2026-01-31"}
    chosen = read_selection(acme, {"services": [phone], "rate": "30", **days})
    assert a_campaign(acme, process, selection=chosen).items.count() == 3
    rebilled(invoices[0], process, line(1), line(2, amount="1"))
    assert a_campaign(acme, process, selection=chosen).items.count() == 3  # the rebill in the place of its original
    with pytest.raises(BillingError) as refused:
        a_campaign(acme, process, selection=Selection(rate=D(31)))
    assert refused.value.code.number == 90181


def test_each_refusal_is_counted_by_its_reason(acme, process, boss, invoices):
    first, second, third = invoices
    rebilled(first, process, line(1, amount="1"), line(2))
    write_off(client=acme, invoice_no=second.pk, why=_why(acme), everything=True, caller=process, today=JAN_31)
    campaign = a_campaign(acme, process, invoices=invoices)
    assert states(campaign) == ["refused", "refused", "ready"]
    assert [one.documents for one in count_refused(campaign)] == [1, 1]
    run(campaign, process, boss)
    assert states(campaign) == ["refused", "refused", "rebilled"]


def _why(client):
    return Why(ReasonCode.objects.filter(type="write_off").values_list("code", flat=True)[0])


def test_a_campaign_is_paused_resumed_and_cancelled_between_its_documents(acme, process, boss, invoices):
    campaign = a_campaign(acme, process, invoices=invoices)
    approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=boss)
    start_campaign(campaign, caller=process)
    with working("test") as worker:
        assert work_on_campaign(campaign, worker=worker, size=1) == 1
        pause_campaign(campaign, caller=process)
        assert work_on_campaign(campaign, worker=worker, size=1) == 0
        resume_campaign(campaign, caller=process)
        assert work_on_campaign(campaign, worker=worker, size=1) == 1
    cancel_campaign(campaign, caller=process)
    assert (campaign.state, states(campaign)) == ("cancelled", ["rebilled", "rebilled", "cancelled"])


def test_the_document_of_an_approved_campaign_is_refused_by_another_one(acme, process, boss, invoices):
    campaign = a_campaign(acme, process, invoices=invoices[:2])
    other = a_campaign(acme, process, invoices=invoices)
    approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=boss)
    later = a_campaign(acme, process, invoices=invoices)
    assert states(later) == ["refused", "refused", "ready"]
    assert [one.error_code for one in count_refused(later)] == [90183]
    start_campaign(campaign, caller=process)
    previewed(campaign)
    run(other, process, boss)  # it was previewed before: each document is rebilled once
    assert states(other) == ["failed", "failed", "rebilled"]
    assert Invoice.objects.filter(kind="rebill", status=InvoiceStatus.APPROVED).count() == 3


@pytest.mark.parametrize("is_reversed", [False, True])
def test_two_campaigns_over_the_same_documents_correct_each_once(acme, process, boss, invoices, is_reversed):
    """Both are previewed before one is carried out. The other one is told, also when it is previewed again."""
    lower = a_campaign(acme, process, Rule(RuleChange.DISCOUNT, D(10)), invoices=invoices)
    other = a_campaign(acme, process, Rule(RuleChange.AMOUNT, D(1)), invoices=invoices)
    first, second = (other, lower) if is_reversed else (lower, other)
    run(first, process, boss)
    done = {one.pk: one.total_amount for one in Invoice.objects.filter(kind="rebill")}
    assert set(done.values()) == {D("2.20") if is_reversed else D("79.20")}
    run(second, process, boss)
    assert (states(first), states(second)) == (["rebilled"] * 3, ["failed"] * 3)
    rebill = Invoice.objects.get(corrects=invoices[0], kind="rebill")
    assert rebill.document_number in second.items.get(invoice=invoices[0]).message
    previewed(preview_campaign_again(second, caller=process))
    assert (states(second), [one.error_code for one in count_refused(second)]) == (["refused"] * 3, [90033])
    assert {one.pk: one.total_amount for one in Invoice.objects.filter(kind="rebill")} == done


def test_a_filter_that_finds_rebills_of_another_campaign_says_so(acme, process, boss, invoices):
    chosen = Selection(rate=D(50))
    again = Selection(rate=D(49))
    first = a_campaign(acme, process, selection=chosen)
    assert find_outliers(first).corrected_before == 0
    run(first, process, boss)
    second = a_campaign(acme, process, selection=again)
    assert (states(second), find_outliers(second).corrected_before) == (["ready"] * 3, 3)
    ask_for_undo(first, caller=process)
    approve_undo(first, fingerprint=preview_campaign_undo(first).fingerprint, caller=boss)
    previewed(first)
    assert states(run(second, process, boss)) == ["failed"] * 3
    assert [due(invoice) for invoice in invoices] == [D(88)] * 3


def test_money_is_collected_up_to_the_limits(acme, process, boss):
    cheap, dear = paying(acme, rate="30.00"), paying(acme, rate="300.00")
    bills = [bill(account, process, JAN_10) for account in (cheap, dear)]
    collect_invoices(client=acme, invoice_nos=[one.pk for one in bills], caller=process, today=JAN_31)
    rule = Rule(RuleChange.FACTOR, D("1.1"))
    campaign = a_campaign(acme, process, rule, invoices=bills, collect=True, collect_limit=D(10), collect_total_limit=D("2.99"))
    assert [(one.is_collected, one.collected) for one in campaign.items.order_by("pk")] == [(True, D(3)), (False, D(0))]
    with pytest.raises(BillingError) as refused:
        approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=boss)
    assert refused.value.code.number == 90184
    campaign = a_campaign(acme, process, rule, invoices=bills, collect=True, collect_limit=D(10), collect_total_limit=D(3))
    run(campaign, process, boss)
    rebills = [one.rebill for one in campaign.items.order_by("pk")]
    assert [due(one) for one in rebills] == [0, D(30)]
    assert list(CollectionAttempt.objects.filter(invoice__in=rebills).values_list("amount", flat=True)) == [D(3)]


@pytest.mark.parametrize(("credit_to", "kind"), [("refund", "electronic_refund"), ("refund_by_hand", "refund")])
def test_money_is_refunded_up_to_the_limits(acme, process, boss, credit_to, kind):
    """A tenth less on 30.00 and 300.00 frees 3.00 and 30.00. Above 10.00 for one rebill, it is kept as credit."""
    cheap, dear = paying(acme, rate="30.00"), paying(acme, rate="300.00")
    bills = [bill(account, process, JAN_10) for account in (cheap, dear)]
    collect_invoices(client=acme, invoice_nos=[one.pk for one in bills], caller=process, today=JAN_31)
    rule, limits = Rule(RuleChange.FACTOR, D("0.9")), {"credit_to": credit_to, "refund_limit": D(10)}
    campaign = a_campaign(acme, process, rule, invoices=bills, refund_total_limit=D("2.99"), **limits)
    assert [(one.keeps_credit, one.refunded, one.left_as_credit) for one in campaign.items.order_by("pk")] == [
        (False, D(3), D(0)),
        (True, D(0), D(30)),
    ]
    assert [(one.refunded, one.left_as_credit) for one in sum_by_currency(campaign)] == [(D(3), D(30))]
    with pytest.raises(BillingError) as refused:
        approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=boss)
    assert (refused.value.code.number, refused.value.field) == (90341, "refund_total_limit")
    acme.four_eyes, acme.second_person_for = "another_person", "refunds"
    acme.save()
    campaign = a_campaign(acme, process, rule, invoices=bills, refund_total_limit=D(3), **limits)
    run(campaign, process, boss)
    assert states(campaign) == ["rebilled", "rebilled"]
    assert [(one.entry.kind, one.entry.amount) for one in Refund.objects.select_related("entry")] == [(kind, D(3))]
    assert [unapplied(account) for account in (cheap, dear)] == [0, D(30)]


@pytest.mark.parametrize(("when", "count"), [(Statements.AT_ONCE, 3), (Statements.HELD, 0), (Statements.NONE, 0)])
def test_statements_are_sent_as_the_campaign_says(acme, process, boss, invoices, when, count):
    campaign = run(a_campaign(acme, process, invoices=invoices, statements=when), process, boss)
    assert Statement.objects.filter(invoice__campaign_item__campaign=campaign).count() == count


def test_what_stands_out_is_shown(acme, process, invoices):
    plan = a_plan(acme, {"phone": "300.00"})
    large = bill(an_account(acme, plan), process, JAN_10)
    up = bill(an_account(acme, a_plan(acme, {"cable": "10.00"})), process, JAN_10)
    cable = up.lines.get(line_type=1).service_id
    rules = CHEAPER, Rule(RuleChange.RATE, D(20), services=(cable,))
    found = find_outliers(a_campaign(acme, process, *rules, invoices=[*invoices, large, up]))
    assert (found.largest[0].invoice, found.largest[1].invoice) == (up, large)
    assert [one.difference for one in found.largest[:2]] == [D(11), D("-6.60")]
    assert (found.other_sign, found.zero) == (1, 0)


def test_the_preview_of_many_takes_as_many_queries_as_of_few(acme, process, invoices):
    def queries(documents):
        campaign = create_campaign(
            client=acme,
            name="Wrong price",
            rules=[CHEAPER, Rule(RuleChange.VALID_PRICE)],
            selection=Selection(invoices=tuple(one.pk for one in documents)),
            options=_options(),
            caller=process,
        )
        with working("test") as worker, CaptureQueriesContext(connection) as captured:
            assert work_on_campaign(campaign, worker=worker) == len(documents)
        return len(captured)

    plan = a_plan(acme, {"cable": "10.00"})
    many = [*invoices, *(bill(an_account(acme, plan), process, JAN_10) for _ in range(9))]
    queries(invoices[:1])
    assert queries(many) == queries(invoices[1:2])


def _options():
    return CampaignOptions(reason_code=1)


def test_a_whole_campaign_is_undone_item_by_item_after_another_person_has_approved(acme, process, boss, invoices):
    paying_now(acme, process, invoices[0])
    campaign = run(a_campaign(acme, process, invoices=invoices), process, boss)
    third = Invoice.objects.get(corrects=invoices[2], kind="rebill")
    rebilled(third, process, line(1), line(2, amount="1"))
    ask_for_undo(campaign, caller=process)
    with pytest.raises(BillingError) as refused:
        approve_undo(campaign, fingerprint=preview_campaign_undo(campaign).fingerprint, caller=process)
    assert refused.value.code.number == 90187
    approve_undo(campaign, fingerprint=preview_campaign_undo(campaign).fingerprint, caller=boss)
    previewed(campaign)
    assert (campaign.state, states(campaign)) == ("finished", ["undone", "undone", "rebilled"])
    assert campaign.items.get(invoice=invoices[2]).error_code == 90171
    assert [due(invoice) for invoice in invoices] == [0, D(88), 0]
    assert unapplied(invoices[0].account) == 0
    assert states(a_campaign(acme, process, invoices=invoices)) == ["ready", "ready", "refused"]


def test_a_recheck_finds_what_would_differ_today_and_becomes_a_campaign(acme, process, boss, invoices):
    span = Selection(dated_from=date(2026, 1, 1), dated_until=date(2027, 1, 1))
    assert states(previewed(start_recheck(client=acme, selection=span, caller=process))) == ["unchanged"] * 3
    RateSchedule.objects.filter(charge__service__client_service_id="phone").update(rate_per_unit=D(29))
    before = Invoice.objects.count()
    recheck = previewed(start_recheck(client=acme, selection=span, caller=process))
    assert (states(recheck), differences(recheck)) == (["ready"] * 3, [D("-1.10")] * 3)
    with pytest.raises(BillingError) as refused:
        approve_campaign(recheck, fingerprint=recheck.fingerprint, caller=boss)
    assert (refused.value.code.number, Invoice.objects.count()) == (90180, before)
    campaign = campaign_of_recheck(recheck, name="Differences", options=CampaignOptions(reason_code=1), caller=process)
    run(previewed(campaign), process, boss)
    assert states(previewed(start_recheck(client=acme, selection=span, caller=process))) == ["unchanged"] * 3


def test_a_recheck_compares_a_whole_plan(acme, process):
    """A fee, activation, arrears and usage by band, less a coupon of 10 percent, and 10 percent of tax."""
    TaxRateFactory(client=acme)
    plan = a_plan(acme, {"fee": "30.00"})
    a_charge(plan, "setup", "15.00", ACTIVATION)
    a_charge(plan, "support", "20.00", ARREARS)
    a_charge(plan, "calls", line_type=USAGE, tiers={"0": "0.10", "100": "0.05"})
    account = an_account(acme, plan)
    redeem(account, a_coupon(acme))
    first = bill(account, process, JAN_10)
    some_usage(account.plan_instances.get(), "calls", "150", JAN_31)
    second = bill(account, process, FEB_10)
    change_plan(instance=account.plan_instances.get(), plan=plan, start_date=MAR_5, units=D(2), caller=process)
    third = bill(account, process, MAR_10)
    assert [one.total_amount for one in (first, second, third)] == [D("44.55"), D("61.88"), D("117.74")]
    everything = Selection(invoices=(first.pk, second.pk, third.pk))
    recheck = previewed(start_recheck(client=acme, selection=everything, caller=process))
    assert states(recheck) == ["unchanged"] * 3
    for service, rate in {"fee": "29", "setup": "14", "support": "18"}.items():
        RateSchedule.objects.filter(charge__service__client_service_id=service).update(rate_per_unit=D(rate))
    RateTier.objects.filter(from_unit=0).update(rate_per_unit=D("0.08"))
    recheck = previewed(start_recheck(client=acme, selection=everything, caller=process))
    # 29 + 14 - 4.30 + 3.87, and 29 + 18 + 8 + 2.50 - 5.75 + 5.18. In the third one the units changed inside the cycle:
    # 14.79 + 28 + 10.36 + 58 + 6.43 - 11.76 + 10.58 of tax, less unused days as they are: 4.82 and 0.48 of tax.
    assert [one.total_after for one in recheck.items.order_by("invoice_id")] == [D("42.57"), D("56.93"), D("111.10")]


def test_the_minimum_of_a_plan_follows_the_charges_that_it_is_added_to(acme, process):
    """A fee of 50.00, calls of 30.00, and 20.00 up to the minimum of 100.00 for the fee before and these calls."""
    plan = a_plan(acme, {"fee": "50.00"})
    a_charge(plan, "calls", "1.00", USAGE)
    PlanMinimum.objects.create(plan=plan, currency="usd", amount=D(100))
    account = an_account(acme, plan)
    bill(account, process, JAN_10)
    some_usage(account.plan_instances.get(), "calls", "30", JAN_31)
    invoice = bill(account, process, FEB_10)
    assert invoice.total_amount == D(100)
    span = Selection(invoices=(invoice.pk,))
    assert states(previewed(start_recheck(client=acme, selection=span, caller=process))) == ["unchanged"]
    discount = Rule(RuleChange.DISCOUNT, D(10))
    assert differences(a_campaign(acme, process, discount, invoices=[invoice])) == [D(-5)]  # 45 + 27 + 23
    RateSchedule.objects.filter(charge__service__client_service_id="calls").update(rate_per_unit=D(2))
    assert differences(previewed(start_recheck(client=acme, selection=span, caller=process))) == [D(10)]  # 50 + 60


def test_only_failures_that_something_was_in_the_way_of_are_retried(acme, process, boss, invoices):
    campaign = run(a_campaign(acme, process, invoices=invoices), process, boss)
    assert retry_campaign(campaign, caller=process) == 0
    assert campaign.state == "finished"
