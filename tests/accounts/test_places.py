"""Places as people write them: by codes and names, in any case, at every door; and compared so."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from accounts.keys import create_key
from accounts.models import Client, Contact, Service, ServiceLocation
from billing_site.common.places import country_code, place_of, region_code
from billing_site.errors import BillingError
from invoices.models import TaxRate
from invoices.services.runs.filters import read_filter
from tests.support.admin_pages import add_url, errors
from tests.support.billing import JAN_10, bill
from tests.support.calling import RIGHTS
from tests.support.factories import BY_TEST, TaxRateFactory, an_account


@pytest.mark.parametrize(
    "text", ["US", "us", " Us ", "USA", "usa", "U.S.", "U.S.A.", "United States", "united states of america", "840"]
)
def test_names_of_the_united_states(text):
    assert country_code(text) == "US"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Germany", "DE"),
        ("DEU", "DE"),
        ("UK", "GB"),
        ("United Kingdom", "GB"),
        ("The Netherlands", "NL"),
        ("Türkiye", "TR"),
        ("Turkey", "TR"),
        ("Côte d’Ivoire", "CI"),
        ("Cote d'Ivoire", "CI"),
        ("Czech Republic", "CZ"),
        ("Korea, Republic of", "KR"),
        ("Kosovo", "XK"),
        ("Narnia", ""),
        ("XX", ""),
        ("EU", ""),
        ("", ""),
        ("Deutschland", "DE"),
        ("österreich", "AT"),
        ("Vereinigtes Königreich", "GB"),
    ],
)
def test_names_of_other_countries(text, code):
    assert country_code(text) == code


@pytest.mark.parametrize(
    ("country", "text", "kept"),
    [
        ("US", "california", "CA"),
        ("US", "CA", "CA"),
        ("US", "Ca ", "CA"),
        ("US", "US-CA", "CA"),
        ("US", "new  york", "NY"),
        ("US", "D.C.", "DC"),
        ("US", "Puerto Rico", "PR"),
        ("US", "Elsewhere", "Elsewhere"),
        ("CA", "Québec", "QC"),
        ("CA", "quebec", "QC"),
        ("CA", "on", "ON"),
        ("DE", " Baden-Württemberg", "Baden-Württemberg"),
        ("", "California", "California"),
    ],
)
def test_regions_are_kept_by_their_codes(country, text, kept):
    assert region_code(country, text) == kept


@pytest.mark.parametrize("place", [("us", "california"), ("USA", "CA"), ("United States", "Ca "), ("840", "us-ca")])
def test_places_are_compared_by_their_codes(place):
    assert place_of(*place) == place_of("US", "CA")


def test_places_of_other_countries_are_compared_without_case():
    assert place_of("de", "BAYERN") == place_of("Germany", "Bayern")
    assert place_of("DE", "Bayern") != place_of("DE", "Hessen")
    assert place_of("US", "GA") != place_of("GE", "")


# At the doors.


@pytest.fixture
def post(acme, client):
    secret = create_key(acme, name="integrator", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    basic = f"{acme.pk}:{secret}".encode()
    import base64

    headers = {"Authorization": "Basic " + base64.b64encode(basic).decode()}

    def send(path, **body):
        return client.post(f"/api/v1/{path}/", json.dumps(body), content_type="application/json", headers=headers)

    return send


PLACES = [
    ("contacts", Contact, {"contact_no": 9, "name": "Ada"}),
    ("service-locations", ServiceLocation, {"client_service_location_id": "hq"}),
    ("tax-rates", TaxRate, {"name": "Sales tax", "percent": "7.25", "valid_from": "2020-01-01"}),
]


@pytest.mark.parametrize(("path", "model", "body"), PLACES, ids=[path for path, _, _ in PLACES])
def test_rest_keeps_codes(path, model, body, post, acme):
    named = {"acct_no": an_account(acme).pk} if path == "contacts" else {}
    answer = post(path, **body, **named, country="United States", region="california")
    assert (answer.status_code, answer.json()["country"], answer.json()["region"]) == (201, "US", "CA"), answer.json()
    assert model.objects.order_by("pk").values_list("country", "region").last() == ("US", "CA")


@pytest.mark.parametrize(("path", "model", "body"), PLACES, ids=[path for path, _, _ in PLACES])
def test_rest_refuses_a_country_that_there_is_not(path, model, body, post, acme):
    named = {"acct_no": an_account(acme).pk} if path == "contacts" else {}
    answer = post(path, **body, **named, country="Narnia")
    assert (answer.status_code, answer.json()["error_code"]) == (400, 1016)
    assert answer.json()["errors"] == {"country": ["Narnia is not a country. Give a country code or name, such as US."]}


@pytest.mark.parametrize(("path", "model", "body"), PLACES, ids=[path for path, _, _ in PLACES])
@pytest.mark.parametrize(("country", "region"), [("US", "Kalifornia"), ("Canada", "CA"), ("US", "ON"), ("US", "US-XX")])
def test_rest_refuses_a_region_that_its_country_does_not_have(path, model, body, country, region, post, acme):
    """No tax rate could ever match it."""
    named = {"acct_no": an_account(acme).pk} if path == "contacts" else {}
    before = model.objects.count()
    answer = post(path, **body, **named, country=country, region=region)
    assert (answer.status_code, answer.json()["error_code"], list(answer.json()["errors"])) == (400, 1016, ["region"])
    assert model.objects.count() == before


@pytest.mark.parametrize(
    ("country", "region", "kept"),
    [
        ("US", "AE", "AE"),
        ("US", "Armed Forces Pacific", "AP"),
        ("US", "Guam", "GU"),
        ("US", "Washington, D.C.", "DC"),
        ("CA", "Newfoundland", "NL"),
        ("CA", "Yukon Territory", "YT"),
        ("AU", "New South Wales", "New South Wales"),
        ("DE", "Bayern", "Bayern"),
        ("US", "", ""),
    ],
)
def test_every_region_of_an_address_is_known(country, region, kept, post, acme):
    answer = post("contacts", contact_no=9, name="Ada", acct_no=an_account(acme).pk, country=country, region=region)
    assert (answer.status_code, answer.json().get("region")) == (201, kept), answer.json()


def test_a_region_that_was_stored_before_stays_until_it_is_changed(acme, post, client):
    number = post("contacts", contact_no=9, name="Ada", acct_no=an_account(acme).pk, country="US", region="CA").json()["id"]
    Contact.objects.filter(pk=number).update(region="Kalifornia")
    contact = Contact.objects.get(pk=number)
    contact.name = "Ada Miller"
    contact.full_clean()
    contact.region = "Kalifornien"
    with pytest.raises(ValidationError) as refused:
        contact.full_clean()
    assert list(refused.value.message_dict) == ["region"]


def test_the_command_and_the_filter_of_a_run_refuse_a_region_that_there_is_not(acme):
    with pytest.raises(CommandError, match="has no region Kalifornia"):
        call_command("create_client", "Acme Telecom", "--country", "US", "--region", "Kalifornia")
    with pytest.raises(BillingError) as refused:
        read_filter(acme, {"regions": ["US-CA", "US-Kalifornia", "DE-Bayern"]})
    assert (refused.value.code.number, refused.value.field) == (1016, "regions")
    assert "DE-Bayern" not in refused.value.message


def test_the_admin_keeps_codes(acme, admin_client):
    account = an_account(acme)
    page = {"account": account.pk, "contact_no": 9, "role": "other", "name": "Ada", "country": "usa", "region": "New York"}
    assert admin_client.post(add_url(Contact), page).status_code == 302
    assert account.contacts.values_list("country", "region").get(contact_no=9) == ("US", "NY")
    refused = admin_client.post(add_url(Contact), {**page, "contact_no": 10, "country": "Narnia"})
    assert list(errors(refused)) == ["country"]
    refused = admin_client.post(add_url(Contact), {**page, "contact_no": 10, "region": "Kalifornia"})
    assert list(errors(refused)) == ["region"]


def test_a_new_client_has_codes(db):
    call_command("create_client", "Acme", "--country", "United States", "--region", "california")
    assert Client.objects.values_list("country", "region").get() == ("US", "CA")


def test_a_country_is_written_and_found_by_its_code_whoever_writes_it(acme):
    location = ServiceLocation.objects.create(client=acme, client_service_location_id="hq", country="usa")
    assert ServiceLocation.objects.get(country="United States") == location
    location.refresh_from_db()
    assert location.country == "US"


@pytest.mark.parametrize(("country", "region"), [("us", "california"), ("US", "Ca "), ("United States", "CALIFORNIA")])
def test_a_place_in_other_words_is_taxed(country, region, acme, process):
    """Rows that were written before places were kept by codes."""
    TaxRateFactory(client=acme)
    account = an_account(acme)
    account.contacts.update(country=country, region=region)
    assert bill(account, process, JAN_10).tax_amount == 3


def test_a_rate_in_other_words_taxes(acme, process):
    TaxRateFactory(client=acme)
    TaxRate.objects.update(region="california")
    assert bill(an_account(acme), process, JAN_10).tax_amount == 3


# Tax categories.


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("services", {"client_service_id": "x", "name": "X", "gl_code": "1", "tax_category": "standrad"}, "tax_category"),
        (
            "tax-rates",
            {"name": "VAT", "country": "DE", "percent": "19", "valid_from": "2020-01-01", "category": "standrad"},
            "category",
        ),
    ],
)
def test_rest_refuses_an_unknown_tax_category(path, body, field, post):
    answer = post(path, **body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 1016)
    (message,) = answer.json()["errors"][field]
    assert message == (
        "standrad is not a tax category of this client. Use one of standard, zero, exempt, reduced, telecom, internet, digital,"
        " or add it to the client's settings."
    )


def test_a_tax_category_is_kept_as_the_client_spells_it(post):
    answer = post("services", client_service_id="x", name="X", gl_code="1", tax_category="Telecom ")
    assert (answer.status_code, answer.json()["tax_category"]) == (201, "telecom")


def test_a_client_adds_a_tax_category(acme, post):
    acme.tax_categories = "reduced, food"
    acme.full_clean()
    acme.save()
    assert post("services", client_service_id="x", name="X", gl_code="1", tax_category="food").status_code == 201
    assert post("services", client_service_id="y", name="Y", gl_code="1", tax_category="telecom").status_code == 400


def test_the_admin_refuses_an_unknown_tax_category(acme, admin_client):
    page = {"client": acme.pk, "client_service_id": "s", "name": "S", "gl_code": "1", "tax_category": "standrad"}
    page |= {"unit_code": "C62", "price_units": "1"}
    assert list(errors(admin_client.post(add_url(Service), page))) == ["tax_category"]
    rate = {
        "client": acme.pk,
        "name": "VAT",
        "country": "DE",
        "percent": "19",
        "taxed_at": "ship_to",
        "valid_from": "2020-01-01",
    }
    assert list(errors(admin_client.post(add_url(TaxRate), {**rate, "category": "standrad"}))) == ["category"]


@pytest.mark.parametrize("category", ["zero", "exempt"])
def test_what_is_not_taxed_has_no_rate_above_zero(category, acme):
    with pytest.raises(ValidationError, match="must be 0 percent"):
        TaxRateFactory.build(client=acme, category=category).full_clean()
    TaxRateFactory.build(client=acme, category=category, percent=0).full_clean()
