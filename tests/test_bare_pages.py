"""Every page and document is shown for an account that has nothing but its number: no contact, no name, no e-mail address, no
service location, no GL code, no description. The addresses come from the URL resolver, so a new page is covered at once."""

import re

import pytest
import time_machine
from django.contrib import admin
from django.db.models import CharField, Model, TextField
from django.urls import get_resolver
from django.urls.resolvers import URLPattern

from accounts.keys import create_key
from accounts.kinds import MissingTaxData
from accounts.models import Account, Client, Contact, Plan, PlanInstance, Service, ServiceLocation
from accounts.services import assign_plan
from billing_site.api import METHODS, router
from invoices.models import BillingRun, Decision, Invoice, InvoiceLine
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from invoices.services.statements.mails import statement_mail, statement_parts
from tests.calling import caller_of
from tests.everything import JAN_10, a_row_of_each_model, rows_of
from tests.factories import BY_TEST, AccountFactory, a_plan, an_account
from tests.invoices.billing import bill
from tests.rebills.rebilling import rebilled

BARE_MODELS = (Account, Contact, Invoice, InvoiceLine, Plan, PlanInstance, Service, ServiceLocation)
KEPT_TEXTS = {"client_acct_id", "currency", "status", "kind", "role", "series", "client_plan_id", "client_service_id"}
KEPT_TEXTS |= {"client_service_location_id", "document_number", "fingerprint", "generated_by", "model", "tax_category"}
CONTACTS_OF_LINES = ("bill_to_contact", "ship_to_contact", "bill_from_location", "ship_from_location")

ANSWERED = (200, 302, 403, 405)
"""A page, another page, what nobody may do (add to a log), and what only takes POST."""
NOT_FOUND, NOT_CSV = 404, 406
"""A row of another kind than the address is for; a list that is not written as CSV."""
UNEXPECTED = 1001


@pytest.fixture(autouse=True)
def on_the_tenth_of_january():
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        yield


@pytest.fixture
def bare_world(acme, process):
    """A row of each model, all without the texts that a row can lack; and accounts with nothing but a plan, or less."""
    acme.missing_tax_data = MissingTaxData.ALLOW  # else invoices of accounts without a contact are pending
    acme.save()
    create_key(acme, name="integrator", caller=BY_TEST)
    a_row_of_each_model(acme, process)
    for model in admin.site._registry:
        if hasattr(model, "history") and model.objects.exists():
            model.objects.first().save()
    AccountFactory(client=acme)
    issued = bill(an_account(acme, contact=False), process, JAN_10)
    rebilled(issued, process, 1)
    waiting = an_account(acme, contact=False)
    generate_invoice(client=acme, account_no=waiting.pk, request=BillingRequest(JAN_10, force_pending=True), caller=process)
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


# The addresses, and what they may name.


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
}


def addresses():
    """Each address with its parameters filled in from the rows that there are: all rows of a model in the place of its key."""
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
    """Of a model, or of some of its rows."""
    queryset = rows_of(rows) if isinstance(rows, type) and issubclass(rows, Model) else rows
    return list(queryset.order_by("pk").values_list("pk", flat=True))


def test_every_address_is_walked_or_has_a_reason():
    assert set(NOT_WALKED) <= set(ADDRESSES), set(NOT_WALKED) - set(ADDRESSES)


def test_every_page_is_shown(bare_world, admin_client):
    """No address fails, and each one shows something for one row at least. What only takes POST says so."""
    admin_client.raise_request_exception = False
    failed, shown = {}, set()
    for pattern, address in addresses():
        response = admin_client.get(address)
        if response.status_code in ANSWERED:
            shown.add(pattern)
            if response.streaming:
                b"".join(response.streaming_content)
        elif response.status_code != NOT_FOUND:
            failed[address] = response.status_code
    assert failed == {}
    assert ADDRESSES.keys() - NOT_WALKED.keys() - shown == set()


LISTS = ["/accounts/", "/invoices/", "/billing-runs/{run}/"]


def test_lists_are_written_as_csv(bare_world, admin_client):
    run = BillingRun.objects.get()
    for address in LISTS:
        response = admin_client.get(address.format(run=run.pk), {"format": "csv"})
        assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
        assert b"".join(response.streaming_content).count(b"\n") > 1
    failed = {}
    for pattern, one in ADDRESSES.items():
        if pattern.startswith("api/v1/") and (one.name or "").endswith("-list"):
            for address in filled(pattern, one):
                response = admin_client.get("/" + address.replace("^", "").replace("$", ""), headers={"Accept": "text/csv"})
                if response.status_code not in (200, NOT_CSV):
                    failed[address] = response.status_code
                elif response.streaming:
                    b"".join(response.streaming_content)
    assert failed == {}


def test_files_of_the_admin_are_written(bare_world, admin_client):
    exports = [pattern for pattern in ADDRESSES if pattern.endswith("/export/")]
    assert exports
    for pattern in exports:
        page = admin_client.get(f"/{pattern}")
        fields = {name: "on" for name in page.context["form"].fields if name not in ("format", "resource", "export_items")}
        posted = admin_client.post(f"/{pattern}", {"format": "0", **fields})
        assert (posted.status_code, posted["Content-Type"].split(";")[0]) == (200, "text/csv"), pattern


def test_documents_are_shown_with_all_that_can_be_asked_for(bare_world, admin_client):
    for invoice in Invoice.objects.all():
        response = admin_client.get(f"/api/v1/invoices/{invoice.pk}/", {"expand": "lines,available_actions"})
        assert response.status_code == 200


def test_statements_are_written(bare_world):
    for invoice in Invoice.objects.all():
        mail = statement_mail(invoice, statement_parts([invoice])[invoice.pk], "nobody@example.com", None)
        assert "None" not in mail.body
        assert "None" not in mail.alternatives[0][0]


READING = [name for name in METHODS if name.startswith("get_")]


@pytest.mark.parametrize("name", READING)
def test_methods_answer(name, bare_world, acme, settings):
    settings.VIRTUAL_CLOCK = True
    call = caller_of(acme)
    fields = getattr(METHODS[name], name).method_call.arguments().fields
    for invoice in Invoice.objects.all():
        known = {
            "acct_no": invoice.account_id,
            "account_no": invoice.account_id,
            "invoice_no": invoice.pk,
            "src_transaction_id": invoice.pk,
            "master_plan_instance_no": -1,
            "reason_code_type": "rebill",
        }
        answer = call(name, **{field: value for field, value in known.items() if field in fields})
        assert answer["error_code"] != UNEXPECTED, (invoice.kind, answer)
