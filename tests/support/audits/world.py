"""Data for the audit: three clients with documents of every kind, created by the services."""

from datetime import date
from decimal import Decimal as D
from types import SimpleNamespace

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.kinds import ChargeType
from accounts.models import Contact, PlanCharge, PlanInstance, RateSchedule, Service, ServiceLocation
from accounts.rates import RateTerms
from accounts.receipts import claim_for
from accounts.services.prices import add_price
from invoices.models import Coupon, CouponRedemption, Invoice, OneTimeCharge, ServiceCredit, Surcharge
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices, discard_invoices, regenerate_invoices
from invoices.services.billing.generating import generate_invoice
from invoices.services.runs.runs import continue_run, start_run
from tests.support.factories import (
    BY_TEST,
    ClientFactory,
    PlanFactory,
    ServiceFactory,
    TaxRateFactory,
    a_charge,
    a_plan,
    an_account,
    an_instance,
    some_usage,
)

JAN_10, FEB_10, MAR_10 = date(2026, 1, 10), date(2026, 2, 10), date(2026, 3, 10)
JAN_15, JAN_20, FEB_1, FEB_15, FEB_20, MAR_15 = (
    date(2026, 1, 15),
    date(2026, 1, 20),
    date(2026, 2, 1),
    date(2026, 2, 15),
    date(2026, 2, 20),
    date(2026, 3, 15),
)
PROCESS = Caller(process="test")
ACTIVATION, USAGE, ARREARS = ChargeType.ACTIVATION, ChargeType.USAGE, ChargeType.ARREARS


def generate(account, day, *, advance=False, pending=False, caller=PROCESS, **options):
    request = BillingRequest(day, advance=advance, force_pending=pending)
    return generate_invoice(client=account.client, account_no=account.pk, request=request, caller=caller, **options)


def build_world():
    """Create the data, and return row numbers by the names that the tests' statements use."""
    alice = get_user_model().objects.create_user("alice", is_staff=True)
    alice.user_permissions.add(Permission.objects.get(codename="approve_invoice"))
    approver = Caller(staff=alice)
    plain = two_clients_with_plain_charges(approver)
    rated = a_client_with_everything_that_is_charged_and_taken_off(approver)
    return SimpleNamespace(alice=approver.identity, **plain, **rated)


def two_clients_with_plain_charges(alice):
    acme, umbra = ClientFactory(), ClientFactory(name="Umbra Cable", invoice_approval_required=True)
    for client in (acme, umbra):
        TaxRateFactory(client=client)
    plain, mixed, yen, _dinar, paused, barred = (
        an_account(acme, client_acct_id="A-plain"),
        an_account(acme, client_acct_id="A-mixed"),
        an_account(acme, a_plan(acme, {"phone": "1000"}, currency="jpy"), currency="jpy"),
        an_account(acme, a_plan(acme, {"phone": "10.005"}, currency="kwd"), currency="kwd"),
        an_account(acme, client_acct_id="A-paused"),
        an_account(acme, is_test=True),
    )
    ServiceFactory(client=acme, client_service_id="tv", tax_inclusive=True)
    an_instance(mixed, a_plan(acme, {"line": "90.00"}, billing_interval=3), JAN_10)
    own_price_plan = a_plan(acme, {"tv": "12.00"})
    tv = an_instance(mixed, own_price_plan, JAN_10, prices={own_price_plan.charges.get(): RateTerms("usd", D("11.00"))})
    run = start_run(client=acme, today=JAN_10, caller=PROCESS)
    continue_run(run, caller=PROCESS)
    plain_feb = generate(plain, FEB_10, pending=True)
    approve_invoices(client=acme, invoice_nos=[plain_feb], caller=alice, today=FEB_10)
    discarded = generate(mixed, FEB_10, pending=True)
    discard_invoices(client=acme, invoice_nos=[discarded], caller=alice)
    pending = generate(mixed, FEB_10, pending=True)
    once_asked = Caller(process="test", receipt=claim_for("R-1", "gen_invoice", {"acct_no": yen.pk}))
    yen_advance = generate(yen, JAN_10, advance=True, caller=once_asked)
    plan_charge = PlanCharge.objects.get(plan__instances__account=paused)
    PlanCharge.objects.filter(pk=plan_charge.pk).delete()
    assert generate(paused, FEB_10) is None
    plan_charge.save(force_insert=True)
    add_price(plan_charge, RateTerms("usd", D(30)), caller=BY_TEST)
    paused_mar = generate(paused, MAR_10)
    waiting, approved = an_account(umbra, client_acct_id="A-waiting"), an_account(umbra)
    key, _ = create_key(umbra, name="integrator", may_approve=True, caller=BY_TEST)
    umbra_pending, umbra_approved = generate(waiting, JAN_10), generate(approved, JAN_10, caller=Caller(api_key=key))
    approve_invoices(client=umbra, invoice_nos=[umbra_approved], caller=alice, today=JAN_10)
    first = {account.pk: Invoice.objects.filter(account=account).earliest("pk").pk for account in (plain, mixed, yen, paused)}
    instance = {one.account_id: one.pk for one in PlanInstance.objects.order_by("-pk")}
    return {
        "acme": acme.pk,
        "umbra": umbra.pk,
        "plain": plain.pk,
        "mixed": mixed.pk,
        "yen": yen.pk,
        "paused": paused.pk,
        "barred": barred.pk,
        "waiting": waiting.pk,
        "approved": approved.pk,
        "plain_jan": first[plain.pk],
        "mixed_jan": first[mixed.pk],
        "yen_jan": first[yen.pk],
        "paused_jan": first[paused.pk],
        "plain_feb": plain_feb,
        "discarded": discarded,
        "pending": pending,
        "yen_advance": yen_advance,
        "paused_mar": paused_mar,
        "umbra_pending": umbra_pending,
        "umbra_approved": umbra_approved,
        "umbra_key": key.pk,
        "plain_instance": instance[plain.pk],
        "mixed_instance": instance[mixed.pk],
        "paused_instance": instance[paused.pk],
        "waiting_instance": instance[waiting.pk],
        "tv_instance": tv.pk,
        "plain_plan": plain.plan_instances.get().plan_id,
        "umbra_plan": waiting.plan_instances.get().plan_id,
        "yen_plan": yen.plan_instances.get().plan_id,
        "tv_plan": own_price_plan.pk,
        "plain_charge": plain.plan_instances.get().plan.charges.get().pk,
        "umbra_service": Service.objects.get(client=umbra).pk,
        "plain_contact": Contact.objects.get(account=plain).pk,
        "mixed_contact": Contact.objects.get(account=mixed).pk,
        "umbra_location": ServiceLocation.objects.create(client=umbra, client_service_location_id="HQ").pk,
        "run": run.pk,
    }


def a_client_with_everything_that_is_charged_and_taken_off(alice):
    """Create an account with bill day 15 that is billed three times, with all nine line types. Other accounts have pending
    or advance invoices."""
    globe = ClientFactory(name="Globe Fibre")
    TaxRateFactory(client=globe)
    TaxRateFactory(client=globe, name="Federal tax", region="", percent=D("3"))
    plan = an_office_plan(globe)
    office, ahead, held = (
        an_account(globe, plan, start=JAN_15, client_acct_id=f"G-{name}") for name in ("office", "ahead", "held")
    )
    office_jan, ahead_jan, held_jan = (generate(account, JAN_15) for account in (office, ahead, held))
    instance = {account.pk: account.plan_instances.get() for account in (office, ahead, held)}
    fibre = a_fibre_plan(globe)
    own = {fibre.charges.get(service__client_service_id="fibre"): RateTerms("usd", D("45.00"))}
    fibre_instance = an_instance(office, fibre, FEB_15, units=D("12.5"), prices=own)
    what_is_added_to_charges(globe)
    ten, five = what_is_taken_off(globe)
    for number, account in enumerate((office, held), 1):
        redemptions = [
            CouponRedemption.objects.create(coupon=coupon, account=account, redemption_no=number, redeemed_on=JAN_15)
            for coupon in (ten, five)
        ]
        an_order(account, D("79.90"))
        ServiceCredit.objects.create(account=account, amount=D("20.00"), reason="Outage in January")
        of_line = ServiceFactory(client=globe, client_service_id="line")
        ServiceCredit.objects.create(account=account, amount=D("50.00"), reason="Goodwill", service=of_line)
        if account == office:
            office_ten, office_five = redemptions
    for service, units in {"calls": "120", "sms": "60", "data": "7", "fax": "20"}.items():
        some_usage(instance[office.pk], service, units, JAN_20, f"office {service}")
    some_usage(instance[office.pk], "calls", "40.5", date(2026, 2, 14), "office calls, last day")
    some_usage(instance[held.pk], "calls", "80.25", JAN_20, "held calls")
    some_usage(instance[ahead.pk], "calls", "10", JAN_20, "ahead calls")

    thrown_away = generate(office, FEB_15, pending=True)
    discard_invoices(client=globe, invoice_nos=[thrown_away], caller=alice)
    regenerated = generate(office, FEB_15, pending=True)
    (outcome,) = regenerate_invoices(client=globe, invoice_nos=[regenerated], caller=alice, today=FEB_15)
    office_feb = outcome.invoice_no
    approve_invoices(client=globe, invoice_nos=[office_feb], caller=alice, today=FEB_15)
    held_feb = generate(held, FEB_15, pending=True)
    ahead_feb = generate(ahead, FEB_1, advance=True)

    late_usage(instance[office.pk])
    some_usage(instance[office.pk], "calls", "15", FEB_20, "office calls in February")
    some_usage(instance[office.pk], "sms", "30", FEB_20, "office sms in February")
    some_usage(instance[office.pk], "calls", "1", MAR_15, "not billed yet")
    office_mar = generate(office, MAR_15)

    support = PlanFactory(client=globe, name="Support")
    a_charge(support, "support", "12.00", ARREARS)
    a_charge(support, "backup", None, ARREARS, tiers={"0": "3.00", "0.5": "2.00"})
    after, idle = (an_account(globe, support, start=JAN_15, client_acct_id=f"G-{name}") for name in ("after", "idle"))
    assert generate(after, JAN_15) is None
    after_feb = generate(after, FEB_15)
    assert generate(idle, JAN_10, advance=True) is None
    quiet = an_account(globe, a_metered_plan(globe), start=JAN_15, client_acct_id="G-quiet")
    some_usage(quiet.plan_instances.get(), "calls", "4", JAN_20, "quiet calls")
    assert generate(quiet, JAN_15) is None
    quiet_feb = generate(quiet, FEB_15)
    assert generate(quiet, MAR_15) is None
    early = an_account(globe, plan, start=FEB_15, client_acct_id="G-early")
    early_feb = generate(early, FEB_1, advance=True)
    credits = list(ServiceCredit.objects.filter(account=office).order_by("pk").values_list("pk", flat=True))
    return {
        "globe": globe.pk,
        "office": office.pk,
        "ahead": ahead.pk,
        "held": held.pk,
        "after": after.pk,
        "idle": idle.pk,
        "early": early.pk,
        "quiet": quiet.pk,
        "office_jan": office_jan,
        "ahead_jan": ahead_jan,
        "held_jan": held_jan,
        "thrown_away": thrown_away,
        "regenerated": regenerated,
        "office_feb": office_feb,
        "held_feb": held_feb,
        "ahead_feb": ahead_feb,
        "office_mar": office_mar,
        "after_feb": after_feb,
        "early_feb": early_feb,
        "quiet_feb": quiet_feb,
        "office_instance": instance[office.pk].pk,
        "held_instance": instance[held.pk].pk,
        "after_instance": after.plan_instances.get().pk,
        "fibre_instance": fibre_instance.pk,
        "office_plan": plan.pk,
        "fibre_plan": fibre.pk,
        "office_order": OneTimeCharge.objects.get(account=office).pk,
        "held_order": OneTimeCharge.objects.get(account=held).pk,
        "ten": ten.pk,
        "five": five.pk,
        "office_ten": office_ten.pk,
        "office_five": office_five.pk,
        "outage": credits[0],
        "goodwill": credits[1],
        "surcharge": Surcharge.objects.get(percent=D(2)).pk,
        "line_fee": Surcharge.objects.get(percent=None).pk,
        "own_price": RateSchedule.objects.get(plan_instance=fibre_instance).pk,
        **{f"{one.client_service_id}_service": one.pk for one in Service.objects.filter(client=globe)},
        **{f"{one.charge.service.client_service_id}_price": one.pk for one in prices_of(plan)},
    }


def an_office_plan(client):
    """Create a plan with charges of every type, and usage at every kind of price."""
    plan = a_plan(client, {"line": "30.00"}, name="Office")
    a_charge(plan, "support", "12.00", ARREARS)
    a_charge(plan, "calls", None, USAGE, tiers={"0": "0.10", "100": "0.05"})
    a_charge(plan, "sms", None, USAGE, tiers={"0": "0.20", "50": "0.10"}, model="volume")
    a_charge(plan, "data", "9.00", USAGE, model="flat")
    a_charge(plan, "fax", "0.50", USAGE, maximum_amount=D("5.00"))
    a_charge(plan, "mail", "1.00", USAGE, minimum_amount=D("4.00"))
    return plan


def a_fibre_plan(client):
    ServiceFactory(client=client, client_service_id="tv", tax_inclusive=True)
    plan = a_plan(client, {"fibre": "50.00", "tv": "12.00"}, name="Fibre")
    a_charge(plan, "installation", "99.00", ACTIVATION)
    a_charge(plan, "seats", None, tiers={"0": "3.00", "5": "2.00", "10": "1.00"})
    return plan


def a_metered_plan(client):
    plan = PlanFactory(client=client, name="Metered")
    a_charge(plan, "calls", "0.10", USAGE)
    return plan


def prices_of(plan):
    return RateSchedule.objects.filter(charge__plan=plan, plan_instance=None).select_related("charge__service")


def what_is_added_to_charges(client):
    fee, line = (ServiceFactory(client=client, client_service_id=name) for name in ("fee", "line"))
    Surcharge.objects.create(client=client, service=fee, name="Recovery fee", percent=D("2"), valid_from=FEB_15)
    once = Surcharge.objects.create(
        client=client, service=fee, name="Line fee", amount=D("1.50"), currency="usd", valid_from=FEB_15
    )
    once.services.add(line)


def what_is_taken_off(client):
    """Create coupons: a percentage for one cycle, and an unlimited amount off one service."""
    ten = Coupon.objects.create(
        client=client, code="TEN", name="Ten percent off", percent=D(10), valid_from=JAN_15, cycles=1, max_redemptions=2
    )
    five = Coupon.objects.create(
        client=client, code="FIVE", name="Five off the line", amount=D(5), currency="usd", valid_from=JAN_15
    )
    five.services.add(ServiceFactory(client=client, client_service_id="line"))
    return ten, five


def an_order(account, rate):
    router = ServiceFactory(client=account.client, client_service_id="router")
    return OneTimeCharge.objects.create(account=account, service=router, rate_per_unit=rate, charge_date=FEB_15)


def late_usage(instance):
    """Load late usage of a billed cycle: tiered, flat, above its maximum, and within its minimum."""
    for service, units in {"calls": "30", "data": "3", "fax": "2", "mail": "2.5"}.items():
        some_usage(instance, service, units, JAN_20, f"office {service}, late")
