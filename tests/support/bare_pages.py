"""Rows with nothing but required values, and every address of the site."""

import re

import pytest
import time_machine
from django.contrib import admin
from django.db.models import CharField, Model, TextField
from django.urls import get_resolver
from django.urls.resolvers import URLPattern
from django.utils import timezone

from accounts.keys import create_key
from accounts.kinds import MissingTaxData
from accounts.models import Account, Client, Contact, Plan, PlanInstance, Service, ServiceLocation
from accounts.services.plans import assign_plan
from billing_site.api import METHODS, router
from invoices.models import BillingRun, Decision, Invoice, InvoiceLine, RunFilter, Schedule
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.billing import bill
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


NOT_FOUND, NOT_CSV = 404, 406
"""A row of another kind than the address needs; a list that has no CSV."""


@pytest.fixture(autouse=True)
def on_the_tenth_of_january():
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        yield


@pytest.fixture
def bare_world(acme, process):
    """Create a row of each model without optional texts, and accounts with only a plan, or less."""
    acme.missing_tax_data = MissingTaxData.ALLOW  # Otherwise invoices of accounts without a contact would be pending.
    acme.save()
    create_key(acme, name="integrator", caller=BY_TEST)
    a_row_of_each_model(acme, process)
    RunFilter.objects.create(client=acme, name="All")
    Schedule.objects.create(client=acme, act="bill", hour=6, next_day=JAN_10, next_at=timezone.now())
    for model in admin.site._registry:
        if hasattr(model, "history") and model.objects.exists():
            model.objects.first().save()
    AccountFactory(client=acme)
    issued = bill(an_account(acme, contact=False), process, JAN_10)
    rebilled(issued, process, 1)
    unaddressed = an_account(acme, contact=False)
    generate_invoice(client=acme, account_no=unaddressed.pk, request=BillingRequest(JAN_10, force_pending=True), caller=process)
    assign_plan(account=AccountFactory(client=acme), plan=a_plan(acme), start_date=JAN_10, caller=BY_TEST)
    for model in BARE_MODELS:
        model.objects.update(**_bare_texts(model))
    Invoice.objects.update(bill_to={}, seller={}, statement_contact=None)
    InvoiceLine.objects.update(**dict.fromkeys(CONTACTS_OF_LINES))
    Service.objects.update(location=None)
    Client.objects.update(address1="", city="", region="", country="", postal_code="", name="")
    Contact.objects.filter(pk__in=Contact.objects.values("pk")[1:]).delete()
    Contact.objects.update(account=AccountFactory(client=acme))


def _bare_texts(model):
    fields = [field for field in model._meta.concrete_fields if isinstance(field, CharField | TextField)]
    return {field.name: "" for field in fields if field.name not in KEPT_TEXTS and not field.unique}


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


NUMBERS = {"accounts": Account, "invoices": Invoice, "rebills": Invoice, "billing-runs": BillingRun, "decisions": Decision}


WORDS = {"act": ["approve", "void", "collect"]}


NAMED_IN_THE_QUERY = {"api/v1/^usage/unbilled/$": ("acct_no", Account), "api/v1/^rebills/chain/$": ("invoice_no", Invoice)}


NOT_WALKED = {
    "api/v1/<path:address>": "answers 404 to whatever is no address",
    "admin/jsi18n/": "has no rows",
    "admin/autocomplete/": "is asked by a field, with its names",
    "admin/r/<path:content_type_id>/<path:object_id>/": "leads away from the site",
    "admin/(?P<url>.*)$": "answers 404 to whatever is no address",
    "admin/auth/user/<id>/password/": "is Django's own form",
    "admin/accounts/client/<path:object_id>/logo/": "is a file, which no client has here",
}


def addresses():
    """Return each address with its parameters filled in from the existing rows."""
    for pattern, one in ADDRESSES.items():
        if pattern not in NOT_WALKED:
            name, model = NAMED_IN_THE_QUERY.get(pattern, ("", None))
            queries = [f"?{name}={key}" for key in keys(model)] if model else [""]
            for address in filled(pattern, one):
                for query in queries:
                    yield pattern, "/" + address.replace("^", "").replace("$", "") + query


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
    values = values_of(pattern, found.group(), one)
    assert values, f"say in this test what {found.group()} of {pattern} may be"
    for value in values:
        yield from filled(pattern.replace(found.group(), str(value), 1), one)


def values_of(pattern, parameter, one):
    if "app_label" in parameter:
        return sorted({model._meta.app_label for model in admin.site._registry})
    if pattern.startswith("admin/"):
        return keys(registered(*pattern.split("/")[1:3]))
    if pattern.startswith("api/v1/"):
        model = BillingRun if "<run>" in parameter else viewset_models()[pattern.split("^")[1].split("/")[0]]
        return keys(model)
    name = parameter.strip("<>").split(":")[1]
    if name in WORDS:
        return WORDS[name]
    folder = re.split(PARAMETER, pattern)[0].strip("/").split("/")[-1]
    if name == "other":
        return keys(Invoice.objects.exclude(chain_root=None))
    return keys(NUMBERS.get(folder) or NUMBERS[pattern.split("/")[0]])


def viewset_models():
    models = {}
    for prefix, viewset, _ in router.registry:
        queryset = getattr(viewset, "queryset", None)
        models[prefix] = Invoice if queryset is None else queryset.model
    return models


def registered(app, name):
    return next(model for model in admin.site._registry if model._meta.label_lower == f"{app}.{name}")


def keys(rows):
    """Return the primary keys of a model or of some of its rows."""
    queryset = rows_of(rows) if isinstance(rows, type) and issubclass(rows, Model) else rows
    return list(queryset.order_by("pk").values_list("pk", flat=True))


READING = [name for name in METHODS if name.startswith("get_")]
