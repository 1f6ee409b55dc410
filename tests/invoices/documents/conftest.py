"""A company in Germany and its customer in Austria, who know each other by tax ids."""

from decimal import Decimal as D

import pytest

from accounts.models import Account
from tests.support.factories import ContactFactory, TaxRateFactory, a_plan, an_account


@pytest.fixture
def seller(acme):
    acme.country, acme.region = "DE", ""
    acme.legal_name, acme.registration_number = "Acme Telekom GmbH", "HRB 98765 B"
    acme.tax_ids, acme.legal_text = "DE136695976, ATU57194903", "Directors: A. Lovelace\nRegister: Berlin"
    acme.bank_name, acme.iban, acme.bic = "Commerzbank", "DE89370400440532013000", "COBADEFFXXX"
    acme.electronic_scheme, acme.electronic_address = "9930", "DE136695976"
    acme.full_clean()
    acme.save()
    TaxRateFactory(client=acme, country="AT", region="", name="USt", percent=D(20))
    return acme


@pytest.fixture
def account(seller):
    account = an_account(seller, a_plan(seller, {"phone": "100"}, currency="eur"), currency="eur", contact=False)
    Account.objects.filter(pk=account.pk).update(
        tax_id="ATU57194903", buyer_reference="Abt. 7", electronic_scheme="9914", electronic_address="ATU57194903"
    )
    ContactFactory(account=account, country="AT", region="", city="Wien", company="Ötzi & Söhne", email="o@example.at")
    account.refresh_from_db()
    return account
