"""Rows with nothing but required values, and every address of the site."""

import re
from functools import cache
from itertools import cycle, islice

import pytest
import time_machine
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import CharField, Exists, Model, OuterRef, TextField
from django.urls import get_resolver
from django.urls.resolvers import URLPattern
from django.utils import timezone

from accounts.keys import create_key
from accounts.kinds import MissingTaxData
from accounts.models import (
    Account,
    ApiKey,
    Client,
    Contact,
    PaymentMethod,
    Plan,
    PlanCharge,
    PlanInstance,
    RateSchedule,
    Service,
    ServiceLocation,
)
from accounts.services.plans import assign_plan
from billing_site.api import METHODS, router
from billing_site.common.guards import lifted
from invoices.kinds import SeriesKind
from invoices.models import (
    ApprovalRules,
    BillingRun,
    Coupon,
    CouponRedemption,
    Decision,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    OneTimeCharge,
    ReasonCode,
    RequestedAct,
    RunFilter,
    Schedule,
    ServiceCredit,
    Surcharge,
    TaxRate,
    WebhookEndpoint,
)
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.lists.settings import SECTIONS
from rebills.models import CampaignItem, RebillCampaign
from rebills.services.campaigns.rechecking import start_recheck
from rebills.services.campaigns.selection import Selection
from tests.support.billing import bill
from tests.support.campaigns import a_campaign
from tests.support.everything import JAN_10, a_row_of_each_model, rows_of
from tests.support.factories import BY_TEST, AccountFactory, a_plan, an_account
from tests.support.rebilling import rebilled

BARE_MODELS = (Account, Contact, Invoice, InvoiceLine, Plan, PlanInstance, Service, ServiceLocation)


KEPT_TEXTS = {
    "client_acct_id",
    "client_plan_id",
    "client_service_id",
    "client_service_location_id",
    "currency",
    "document_number",
    "fingerprint",
    "generated_by",
    "kind",
    "model",
    "role",
    "series",
    "status",
    "tax_category",
    "tax_exemption",
}


CONTACTS_OF_LINES = ("bill_to_contact", "ship_to_contact", "bill_from_location", "ship_from_location")


ANSWERED = (200, 302, 403, 405)
"""A page, a redirect, an act that is not allowed (adding to a log), or an address that only accepts POST."""


CANNOT_BE_MADE = 409
"""A document without seller and buyer is no valid electronic invoice, and a campaign does not rebill what is rebilled."""


def is_answered(address, status):
    return status in ANSWERED or (address.endswith(("/xml/", "/lines/")) and status == CANNOT_BE_MADE)


NOT_FOUND, NOT_CSV = 404, 406
"""A row of another kind than the address needs; a list that has no CSV."""


@pytest.fixture(autouse=True)
def on_the_tenth_of_january():
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        yield


@pytest.fixture
def bare_world(acme, process):
    """Create a row of each model without optional texts, and accounts with only a plan, or less."""
    full_world(acme, process)
    with lifted():
        for model in BARE_MODELS:
            model.objects.update(**_bare_texts(model))
        Invoice.objects.update(bill_to={}, seller={}, statement_contact=None)
        InvoiceLine.objects.update(**dict.fromkeys(CONTACTS_OF_LINES))
    Service.objects.update(location=None)
    Client.objects.update(address1="", city="", region="", country="", postal_code="", name="")
    Contact.objects.filter(pk__in=Contact.objects.values("pk")[1:]).delete()
    Contact.objects.update(account=AccountFactory(client=acme))


def full_world(acme, process):
    """Create a row of each model, and accounts with only a plan, or less."""
    keys.cache_clear()
    acme.missing_tax_data = MissingTaxData.ALLOW  # Otherwise invoices of accounts without a contact would be pending.
    acme.save()
    create_key(acme, name="integrator", caller=BY_TEST)
    a_row_of_each_model(acme, process)
    acme.staff.add(get_user_model().objects.create(username="ines", is_staff=True))
    ReasonCode.objects.create(client=acme, type="refund", code=77, name="Late")
    RunFilter.objects.create(client=acme, name="All")
    Schedule.objects.create(client=acme, act="bill", hour=6, next_day=JAN_10, next_at=timezone.now())
    for model in admin.site._registry:
        if hasattr(model, "history") and model.objects.exists():
            model.objects.first().save()
    AccountFactory(client=acme)
    issued = bill(an_account(acme, contact=False), process, JAN_10)
    a_campaign(acme, process, invoices=[bill(an_account(acme), process, JAN_10)])
    rebilled(issued, process, 1)
    start_recheck(client=acme, selection=Selection(dated_from=JAN_10), caller=process)
    unaddressed = an_account(acme, contact=False)
    generate_invoice(client=acme, account_no=unaddressed.pk, request=BillingRequest(JAN_10, force_pending=True), caller=process)
    assign_plan(account=AccountFactory(client=acme), plan=a_plan(acme), start_date=JAN_10, caller=BY_TEST)


def _bare_texts(model):
    fields = [field for field in model._meta.concrete_fields if isinstance(field, CharField | TextField)]
    optional = [field for field in fields if not field.unique and (field.blank or not field.choices)]
    return {field.name: "" for field in optional if field.name not in KEPT_TEXTS}


def patterns(resolver, before=""):
    for one in resolver.url_patterns:
        here = before + str(one.pattern)
        if isinstance(one, URLPattern):
            yield here, one
        else:
            yield from patterns(one, here)


ADDRESSES = dict(patterns(get_resolver()))


PARAMETER = re.compile(r"<[a-z]+:[a-z_]+>|\(\?P<\w+>[^)]*\)|\(\[\^/\]\+\)")


VERSION = "^([^/]+)/history/([^/]+)/$"
"""The address of a version of a row."""


NUMBERS = {
    "accounts": Account,
    "acts": RequestedAct,
    "contacts": Contact,
    "payment-methods": PaymentMethod,
    "prices": RateSchedule,
    "plans": PlanInstance,
    "invoices": Invoice,
    "rebills": Invoice,
    "billing-runs": BillingRun,
    "decisions": Decision,
    "transactions": LedgerEntry,
    "campaigns": RebillCampaign,
    "webhooks": WebhookEndpoint,
    "approval-rules": ApprovalRules,
    "rechecks": RebillCampaign,
    "documents": CampaignItem,
}


NAMED_MODELS = {
    "plan_no": Plan,
    "charge_no": PlanCharge,
    "price_no": RateSchedule.objects.filter(plan_instance=None),
    "service_no": Service,
    "coupon_no": Coupon,
    "surcharge_no": Surcharge,
    "tax_rate_no": TaxRate,
    "reason_no": ReasonCode.objects.exclude(client=None),
    "key_no": ApiKey,
    "person_no": get_user_model().objects.filter(is_superuser=False).exclude(clients=None),
}
"""What the parameters of pages of the catalogue name."""


CORRECTING = Invoice.objects.exclude(chain_root=None)
"""What another document is compared with."""


WORDS = {
    "section": list(SECTIONS),
    "kind": SeriesKind.values,
    "decision": ["approve", "discard"],
}


ACTS = cycle(["approve", "void", "collect"])
"""Who reads the address of an act is shown the row, whichever act it is: each row is asked for with one, in turn."""


NAMED_IN_THE_QUERY = {"api/v1/^usage/unbilled/$": ("acct_no", Account), "api/v1/^rebills/chain/$": ("invoice_no", Invoice)}


NOT_WALKED = {
    "api/v1/<path:address>": "answers 404 to whatever is no address",
    "admin/jsi18n/": "has no rows",
    "metrics": "answers 404 without its token",
    "login/sso/": "answers 404 without an identity provider",
    "login/sso/done/": "answers 404 without an identity provider",
    "admin/autocomplete/": "is asked by a field, with its names",
    "admin/r/<path:content_type_id>/<path:object_id>/": "leads away from the site",
    "admin/(?P<url>.*)$": "answers 404 to whatever is no address",
    "admin/auth/user/<id>/password/": "is Django's own form",
    "admin/accounts/client/<path:object_id>/logo/": "is a file, which no client has here",
    "settings/logo/image/": "is a file, which no client has here",
}


def addresses():
    """Return each address with its parameters filled in from the existing rows."""
    for pattern, one in ADDRESSES.items():
        if pattern not in NOT_WALKED:
            yield from islice(filled_in(pattern, one), None if is_read(one) else 1)


def filled_in(pattern, one):
    name, model = NAMED_IN_THE_QUERY.get(pattern, ("", None))
    queries = [f"?{name}={key}" for key in keys(model)] if model else [""]
    for address in filled(pattern, one):
        for query in queries:
            yield pattern, "/" + address.replace("^", "").replace("$", "") + query


def is_read(one):
    """Return whether an address answers GET. If it only takes POST, it says so before it looks for a row: one is enough."""
    actions, view = getattr(one.callback, "actions", None), getattr(one.callback, "view_class", None)
    return "get" in actions if actions else view is None or hasattr(view, "get")


def filled(pattern, one):
    if VERSION in pattern:
        _, app, name, *_ = pattern.split("/")
        for row, version in registered(app, name).history.values_list("id", "history_id")[:3]:
            yield pattern.replace(VERSION, f"{row}/history/{version}/")
        return
    found = PARAMETER.search(pattern)
    if found is None:
        yield pattern
        return
    values = rows_of_account(pattern, found.group())
    if values is None:
        values = values_of(pattern, found.group(), one)
        assert values, f"say in this test what {found.group()} of {pattern} may be"
    for value in values:
        yield from filled(pattern.replace(found.group(), str(value), 1), one)


OF_AN_ACCOUNT = {
    "instance_no": PlanInstance,
    "contact": Contact,
    "method": PaymentMethod,
    "charges": OneTimeCharge,
    "coupons": CouponRedemption,
    "service-credits": ServiceCredit,
}
"""The rows of an account by the parameter, or by the folder before a parameter called row."""


def rows_of_account(pattern, parameter):
    """Return the rows of the account or plan that the address has already named, or None for what belongs to none. The rows of
    another account are not found, which costs a request each."""
    name = parameter.strip("<>").rpartition(":")[2]
    account, instance = (re.search(found, pattern) for found in (r"^accounts/(\d+)/", r"/plans/(\d+)/"))
    if account and name == "row":
        name = pattern.split("/")[2]
    if account and name in OF_AN_ACCOUNT:
        return keys(OF_AN_ACCOUNT[name], account=account[1])
    if instance and name == "price":
        return keys(RateSchedule, plan_instance=instance[1])
    return None


def values_of(pattern, parameter, one):
    if "app_label" in parameter:
        return sorted({model._meta.app_label for model in admin.site._registry})
    if pattern.startswith("admin/"):
        return keys(registered(*pattern.split("/")[1:3]))
    if pattern.startswith("api/v1/"):
        if "/items/" in pattern and "<campaign>" not in parameter:
            return keys(CampaignItem)
        model = BillingRun if "<run>" in parameter else viewset_models()[pattern.split("^")[1].split("/")[0]]
        return keys(model)
    name = parameter.strip("<>").split(":")[1]
    if name == "act":
        return [next(ACTS)]
    if name in WORDS:
        return WORDS[name]
    if name in NAMED_MODELS:
        return keys(NAMED_MODELS[name])
    folder = re.split(PARAMETER, pattern)[0].strip("/").split("/")[-1]
    if name == "other":
        return keys(CORRECTING)
    return keys(NUMBERS.get(folder) or NUMBERS[pattern.split("/")[0]])


def viewset_models():
    models = {}
    for prefix, viewset, _ in router.registry:
        queryset = getattr(viewset, "queryset", None)
        models[prefix] = Invoice if queryset is None else queryset.model
    return models


def registered(app, name):
    return next(model for model in admin.site._registry if model._meta.label_lower == f"{app}.{name}")


@cache
def keys(rows, **belonging):
    """Return the primary keys of a model's rows, or of the given ones: the first row of each look. They are looked up once for
    each world.

    Pages show rows of one look by the same code, and this world has several rows of most looks."""
    queryset = rows_of(rows) if isinstance(rows, type) and issubclass(rows, Model) else rows
    first = {}
    for row in queryset.filter(**belonging).annotate(**whether_others_name_it(queryset.model)).order_by("pk"):
        first.setdefault(look_of(row), row.pk)
    return list(first.values())


def whether_others_name_it(model):
    """Return, for a query of a model, whether each other model has rows that belong to a row: lines, contacts, payments."""
    others = [one for one in model._meta.related_objects if not one.many_to_many]
    return {
        f"named_{place}": Exists(one.related_model._base_manager.filter(**{one.field.name: OuterRef("pk")}))
        for place, one in enumerate(others)
    }


def look_of(row):
    """Return what pages decide by: the values of columns with few values, whether each other column is empty or zero, and
    which other models name the row."""
    values = ((field, field.value_from_object(row)) for field in row._meta.concrete_fields)
    own = [value if field.choices or isinstance(value, bool) else bool(value) for field, value in values]
    return *own, *(value for name, value in vars(row).items() if name.startswith("named_"))


READING = [name for name in METHODS if name.startswith("get_")]
