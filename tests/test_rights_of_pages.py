"""Every page that takes a form is walked as a Viewer: nothing is stored by any of them."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import ApiKey, Client, Contact, PaymentMethod, PlanCharge, PlanInstance, RateSchedule
from accounts.pages.base import StaffPage
from accounts.rates import RateTerms
from accounts.services.prices import add_price
from accounts.urls import urlpatterns as accounts_pages
from billing_site.examples import (
    APPROVED_CAMPAIGN,
    CAMPAIGN,
    FINISHED_CAMPAIGN,
    PAUSED_CAMPAIGN,
    RECHECK,
    ROWS,
    RULES_ON,
    RUNNING_CAMPAIGN,
    SEEN_CAMPAIGN,
)
from invoices.models import CouponRedemption, OneTimeCharge, ReasonCode, ServiceCredit, Surcharge
from invoices.services.billing.discounts_and_surcharges import add_with_services
from invoices.services.runs.runs import start_run
from invoices.urls import urlpatterns as invoices_pages
from rebills.urls import urlpatterns as rebills_pages
from tests.support.billing import FEB_10
from tests.support.calling import rows_stored
from tests.support.coupons import a_coupon
from tests.support.examples import virtual_clock, world
from tests.support.factories import BY_TEST, TaxRateFactory

__all__ = ["virtual_clock", "world"]

ONCE = {"once": "a" * 32}
ONE_RULE = {
    "rules-TOTAL_FORMS": "1",
    "rules-INITIAL_FORMS": "0",
    "rules-0-name": "All",
    "rules-0-approvers": "1",
    "rules-0-ORDER": "1",
}
CAMPAIGN_ACTS = (
    *((CAMPAIGN, act) for act in ("approve", "preview", "cancel")),
    *((APPROVED_CAMPAIGN, "run"), (RUNNING_CAMPAIGN, "pause"), (PAUSED_CAMPAIGN, "resume")),
    *((FINISHED_CAMPAIGN, act) for act in ("retry", "send", "undo", "keep", "approve-undo")),
)

READERS_OWN = {"client", "saved-views", "own-password", "own-app", "own-passkey", "own-passkey-options", "own-act"}
"""Forms that only choose what the reader looks at, or keep it for them."""

KEPT_OF_READERS = {"accounts_staffsession", "accounts_receipt"}
"""That they are signed in, and that a form was sent."""

NEED_ANOTHERS_ROW = {"decision"}
"""Only the person who made a decision can resume it. For others it does not exist."""


def forms(rows, run_no):
    """What is sent to each page that takes a form, by the page's name."""
    numbers = (1002, 1001, 4004, 2001, 2002, 4020, 3006, 4001, 4002, 2003)
    account, billed, instance, issued, pending, act, payment, service, plan, rebill = (rows[number] for number in numbers)
    planned = PlanInstance.objects.select_related("account").get(pk=instance)
    terms = RateTerms(planned.account.currency, Decimal(1))
    price = add_price(planned.plan.charges.first(), terms, planned, caller=BY_TEST)
    contact, method = Contact.objects.get(pk=rows[4007]), PaymentMethod.objects.get(pk=rows[4011])
    order, redemption = OneTimeCharge.objects.get(pk=rows[4010]), CouponRedemption.objects.get(pk=rows[4009])
    credit = ServiceCredit.objects.get(pk=rows[4014])
    decisions = dict.fromkeys(("approve", "discard", "recalculate", "regenerate"), pending)
    acts = {**decisions, "void": issued, "collect": issued}
    line = {"line-1-rate_per_unit": "1", "reason_code": "1", "comments": "x", "fingerprint": "x", "act": "commit"}
    return {
        "generate": [([account], {"mode": "now", "commit": "1", **ONCE})],
        "decide": [([], {"act": "approve", "invoice_no": pending, "confirmed": "1", **ONCE})],
        "decide-act": [([act, one], dict(ONCE)) for one in ("approve", "discard")],
        "invoice-act": [
            ([number, one], {"reason": "x", "reason_code": 5, "comments": "x", **ONCE}) for one, number in acts.items()
        ],
        "remove_plan_instance": [([billed, instance], dict(ONCE))],
        "start-run": [([], {**body, **ONCE}) for body in ({}, {"act": "dry_run"}, {"act": "save", "name": "x"})],
        "run": [([run_no], {})],
        "run-act": [([run_no, act], dict(ONCE)) for act in ("begin", "pause", "resume", "cancel", "retry", "start")],
        "webhooks": [([], {"url": "https://example.com/", **ONCE})],
        "webhook-act": [([rows[4029], act], dict(ONCE)) for act in ("test", "on", "off", "rotate", "again", "remove")],
        "schedules": [([], {"act": "bill", "hour": "6", "do": do, **ONCE}) for do in ("on", "off")],
        "collect-many": [([], {"confirmed": "yes", "newest": issued, **ONCE})],
        "new-customer": [([], {"client_acct_id": "N-1", "currency": "usd", "name": "Ada", **ONCE})],
        "edit-account": [([account], {"note": "x", **ONCE})],
        "add-contact": [([account], {"name": "Ada", "role": "other", **ONCE})],
        "edit-contact": [([contact.account_id, contact.pk], {"name": "Ada", "role": "other", **ONCE})],
        "remove-contact": [([contact.account_id, contact.pk], dict(ONCE))],
        "add-payment-method": [([account], {"type": "cash", **ONCE})],
        "edit-payment-method": [([method.account_id, method.pk], {"label": "x", **ONCE})],
        "load-usage": [([], {"text": "record_id,units,used_at\na,1,2026-01-15T10:00:00", "act": "load", **ONCE})],
        "one-off": [([account], {"service": service, "rate_per_unit": "1", "units": "1", **ONCE})],
        "add-plan": [([account], {"plan": plan, "units": "1", "start_date": "2026-02-10", **ONCE})],
        "change-plan": [([billed, instance], {"plan": plan, "units": "2", "start_date": "2026-02-10", **ONCE})],
        "end-plan": [([billed, instance], {"end_date": "2026-03-09", **ONCE})],
        "set-po-number": [([billed, instance], {"po_num": "7", **ONCE})],
        "change-order": [([order.account_id, order.pk], {"service": service, "rate_per_unit": "1", "units": "1", **ONCE})],
        "cancel-order": [([order.account_id, order.pk], dict(ONCE))],
        "withdraw-coupon": [([redemption.account_id, redemption.pk], dict(ONCE))],
        "end-service-credit": [([credit.account_id, credit.pk], {"expires_on": "", **ONCE})],
        "set-trial": [([billed, instance], {"trial_end": "", **ONCE})],
        "own-price": [([billed, instance], {"charge": "1", "model": "per_unit", "rate_per_unit": "1", **ONCE})],
        "end-own-price": [([price.plan_instance.account_id, price.plan_instance_id, price.pk], {"valid_to": "", **ONCE})],
        "pause-billing": [([account], {"first_day": "2026-03-10", **ONCE})],
        "resume-billing": [([account], {"first_day": "2026-03-10", **ONCE})],
        "add-order": [
            ([account], {"service": service, "rate_per_unit": "1", "units": "1", "charge_date": "2026-02-10", **ONCE})
        ],
        "redeem-coupon": [([account], {"code": "TEN", **ONCE})],
        "give-service-credit": [([account], {"amount": "5", "reason": "x", **ONCE})],
        "add-usage": [([account], {"service": service, "units": "1", "used_on": "2026-01-15", **ONCE})],
        "record-payment": [([account], {"amount": "5", "type": "cash", "received_on": "2026-01-15", **ONCE})],
        "give-cash-credit": [([account], {"amount": "5", "reason": "1", **ONCE})],
        "credit-lines": [([issued], {"everything": "on", "reason": "1", "comments": "x", **ONCE})],
        **{name: [([issued], {"amount": "5", "reason": "1", **ONCE})] for name in ("write-off", "dispute")},
        **{
            name: [([payment], {"amount": "5", "reason": "1", **ONCE})]
            for name in ("apply-credit", "refund", "void-transaction")
        },
        "send-statement": [([issued], dict(ONCE))],
        "personal-data": [([rows[4076]], {"act": act, "reason": "Request 17", **ONCE}) for act in ("export", "erase")],
        "mail-texts": [([], {"language": "en", "subject": "x", "act": "save", **ONCE})],
        **{
            name: [([number], {"reason": "8", **ONCE})]
            for name, number in (("undo-transaction", rows[3004]), ("undo-memo", issued))
        },
        "undo-void": [([issued], {"reason": "8", **ONCE})],
        "undo": [([rebill], {"reason": "x", "reason_code": "1", "comments": "x", **ONCE})],
        "send-many": [([], {"confirmed": "yes", "invoice_no": issued, **ONCE})],
        "zip-many": [([], {"invoice_no": issued})],
        "try-files-again": [([], dict(ONCE))],
        "periods": [
            ([], {"act": act, "last_day": "2025-12-31", "period": "1", "comments": "x", **ONCE})
            for act in ("close", "reopen", "approve", "keep", "audit")
        ],
        "approval-rules": [
            ([], {"person": "ann", "stand_in": "ben", "first_day": "2026-01-10", "last_day": "2026-02-10", **ONCE}),
            ([], {"remove": str(rows[ROWS["standin"]]), **ONCE}),
        ],
        "rechecks": [([], {"first": "2026-01-01", "last": "2026-01-31", **ONCE})],
        "correct-recheck": [([rows[RECHECK]], {"name": "x", "reason_code": "1", "statements": "none", **ONCE})],
        "new-approval-rules": [([], {**ONE_RULE, **ONCE})],
        "approval-version": [
            ([rows[ROWS["approvalrules"]]], {"act": "on", **ONCE}),
            ([rows[RULES_ON]], {"act": "off", **ONCE}),
        ],
        "rebill": [([issued], {**line, **ONCE})],
        "adjust": [([pending], {**line, **ONCE})],
        **forms_of_the_catalogue(plan, service),
        **forms_of_the_settings(),
        "start-campaign": [
            ([], {"name": "x", "rate": "30", "rule-0-change": "drop", "reason_code": "1", "statements": "none", **ONCE})
        ],
        "campaign": [([rows[RUNNING_CAMPAIGN]], {})],
        "campaign-act": [([rows[number], act], {"fingerprint": SEEN_CAMPAIGN, **ONCE}) for number, act in CAMPAIGN_ACTS],
    }


def forms_of_the_settings():
    """A Viewer sees settings, but no keys."""
    client = Client.objects.first()
    reason = ReasonCode.objects.create(client=client, type="refund", code=77, name="Late")
    key = ApiKey.objects.first().pk
    return {
        "settings": [([], {"act": "withdraw", "change": "1", **ONCE})],
        "change-settings": [(["billing"], {"time_zone": "UTC", "payment_terms_days": "1", **ONCE})],
        "logo": [([], {"act": "remove", **ONCE})],
        "change-series": [(["invoice"], {"prefix": "X-", **ONCE})],
        "new-reason": [([], {"type": "refund", "code": "78", "name": "x", **ONCE})],
        "change-reason": [([reason.pk], {"name": "x", **ONCE})],
        "new-key": [([], {"name": "x", **ONCE})],
        "new-person": [([], {"username": "x", **ONCE})],
        **{
            name: [([get_user_model().objects.get(username="Viewer").pk], {"reason": "x", **ONCE})]
            for name in ("reset-factors", "sign-out-person")
        },
        "change-person": [([get_user_model().objects.get(username="Viewer").pk], {"is_active": "on", **ONCE})],
        "key-act": [([key, act], dict(ONCE)) for act in ("rotate", "revoke")],
    }


def forms_of_the_catalogue(plan, service):
    charge = PlanCharge.objects.filter(plan=plan).first()
    price = RateSchedule.objects.filter(charge=charge, plan_instance=None).first()
    terms = {"currency": "usd", "model": "per_unit", "rate_per_unit": "1", "valid_from": "2026-06-01"}
    plan_terms = {"client_plan_id": "x", "name": "x", "billing_interval": "1", "term_months": "0", "trial_length": "0"}
    named = {"client_service_id": "x", "name": "x", "gl_code": "1", "tax_category": "standard"}
    return {
        "new-service": [([], {**named, **ONCE})],
        "change-service": [([service], {**named, **ONCE})],
        "new-plan": [([], {**plan_terms, "trial_unit": "days", **ONCE})],
        "change-catalogue-plan": [([plan], {**plan_terms, "trial_unit": "days", **ONCE})],
        "set-plan-minimum": [([plan], {"currency": "usd", "amount": "1", **ONCE})],
        "add-charge": [([plan], {"service": service, "line_type": "7", **terms, **ONCE})],
        "change-charge": [([charge.pk], {"service": service, "line_type": "7", **ONCE})],
        "add-price": [([charge.pk], {**terms, **ONCE})],
        "change-price": [([price.pk], {**terms, **ONCE})],
        "change-prices": [([], {"prices": price.pk, "percent": "1", "decimals": "2", "first_day": "2026-06-01", **ONCE})],
        "remove-service": [([service], dict(ONCE))],
        "remove-catalogue-plan": [([plan], dict(ONCE))],
        "remove-charge": [([charge.pk], dict(ONCE))],
        "remove-price": [([price.pk], dict(ONCE))],
        **forms_of_dated_rows(service),
    }


def forms_of_dated_rows(service):
    """Coupons, surcharges and tax rates: added, changed and removed."""
    client = Client.objects.first()
    terms = {"name": "x", "percent": "1", "valid_from": "2026-06-01"}
    surcharge = Surcharge(client=client, name="x", service_id=service, percent=1, valid_from=FEB_10)
    rows = {
        "coupon": (a_coupon(client, code="RIGHTS"), {**terms, "code": "y"}),
        "surcharge": (add_with_services(surcharge, [], caller=BY_TEST), {**terms, "service": service}),
        "tax-rate": (
            TaxRateFactory(client=client, country="DE"),
            {**terms, "country": "DE", "category": "standard", "taxed_at": "ship_to"},
        ),
    }
    sent = {}
    for name, (row, fields) in rows.items():
        sent[f"new-{name}"] = [([], {**fields, **ONCE})]
        sent[f"change-{name}"] = [([row.pk], {**fields, **ONCE})]
        sent[f"remove-{name}"] = [([row.pk], dict(ONCE))]
    return sent


def pages_with_forms():
    patterns = [*accounts_pages, *invoices_pages, *rebills_pages]
    views = {pattern.name: getattr(pattern.callback, "view_class", None) for pattern in patterns}
    return {name for name, view in views.items() if view and issubclass(view, StaffPage) and hasattr(view, "post")}


@pytest.mark.django_db
def test_a_viewer_stores_nothing_by_any_page(world, db):
    client, _key, rows = world
    viewer = get_user_model().objects.create(username="Viewer", is_staff=True)
    viewer.groups.add(Group.objects.get(name="Viewer"))
    client.staff.add(viewer)
    run = start_run(client=client, today=FEB_10, caller=BY_TEST)
    sent = forms(rows, run.pk)
    assert set(sent) | READERS_OWN | NEED_ANOTHERS_ROW == pages_with_forms()
    browser = Browser(raise_request_exception=False)
    browser.force_login(viewer)
    before = rows_stored()
    for name, posts in sent.items():
        for numbers, body in posts:
            answer = browser.post(reverse(name, args=numbers), body)
            assert answer.status_code in (200, 302, 400, 403, 422), (name, numbers, answer.status_code)
            after = {table: count for table, count in rows_stored().items() if table not in KEPT_OF_READERS}
            assert after == {table: before[table] for table in after}, (name, numbers)
