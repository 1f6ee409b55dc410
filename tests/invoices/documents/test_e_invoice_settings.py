"""The settings of electronic invoices over REST: read, changed, refused by the field's name, and only one's own."""

import pytest

from accounts.models import Client
from tests.support.money_api import with_key

pytestmark = pytest.mark.django_db


def path(client):
    return f"/api/v1/e-invoice-settings/{client.pk}/"


def test_settings_are_read_and_changed_for_documents_from_then_on(acme):
    api = with_key(acme)
    shown = api.get(path(acme)).json()
    assert (shown["client_no"], shown["e_invoice"], shown["e_invoice_profile"]) == (acme.pk, "none", "en16931")
    assert [one["client_no"] for one in api.get("/api/v1/e-invoice-settings/").json()["results"]] == [acme.pk]
    given = {"e_invoice": "ubl", "e_invoice_profile": "peppol", "tax_ids": "DE 136695976", "tax_currency_rates": "eur  11.45"}
    answer = api.patch(path(acme), given, format="json")
    assert (answer.status_code, answer.json()["tax_ids"]) == (200, "DE136695976")
    acme.refresh_from_db()
    assert (acme.e_invoice, acme.e_invoice_profile, acme.tax_currency_rates) == ("ubl", "peppol", "EUR 11.45")
    assert Client.history.filter(id=acme.pk).first().e_invoice == "ubl"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"e_invoice": "factur_x", "e_invoice_profile": "xrechnung"}, "e_invoice_profile"),
        ({"iban": "DE00"}, "iban"),
        ({"tax_currency": "kronor"}, "tax_currency"),
        ({"electronic_address": "x@example.com"}, "electronic_scheme"),
        ({"four_eyes": "none"}, "four_eyes"),
        ({"name": "Other"}, "name"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(acme, given, field):
    answer = with_key(acme).patch(path(acme), given, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    acme.refresh_from_db()
    assert (acme.e_invoice, acme.iban, acme.name) == ("none", "", "Acme Telecom")


def test_another_client_has_no_settings_here(acme, umbra):
    assert with_key(umbra).get(path(acme)).status_code == 404
    assert with_key(umbra).patch(path(acme), {"e_invoice": "ubl"}, format="json").status_code == 404
    assert with_key(acme).post("/api/v1/e-invoice-settings/", {"e_invoice": "ubl"}, format="json").status_code == 405
    acme.refresh_from_db()
    assert acme.e_invoice == "none"
