"""A customer file for the tests of importing, and what is imported from it."""

import csv
import io

import pytest
from django.apps import apps

from accounts.importing.customers import ImportRefused, import_customers
from accounts.importing.writing import create_catalogue
from accounts.models import Account
from tests.support.factories import ClientFactory
from tests.support.worlds import world_for_a_while

# Phone 20 and DSL 25 at list price, one backup at 5: 50.00 by the list. CRC-32 gives this id bill day 19.
ROW = {
    "customerID": "7590-VHVEG",
    "tenure": "12",
    "PhoneService": "Yes",
    "MultipleLines": "No",
    "InternetService": "DSL",
    "OnlineSecurity": "No",
    "OnlineBackup": "Yes",
    "DeviceProtection": "No",
    "TechSupport": "No",
    "StreamingTV": "No",
    "StreamingMovies": "No",
    "Contract": "One year",
    "PaymentMethod": "Electronic check",
    "MonthlyCharges": "50.00",
    "TotalCharges": "600.00",
    "Churn": "No",
}
NO_INTERNET = dict.fromkeys(
    ["OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV", "StreamingMovies"],
    "No internet service",
) | {"InternetService": "No"}
NO_PHONE = {"PhoneService": "No", "MultipleLines": "No phone service"}


@pytest.fixture(scope="module")
def with_catalogue(django_db_setup, django_db_blocker):
    """A client who sells what the file's customers have: making that takes longer than most of these tests."""

    def build():
        client = ClientFactory()
        create_catalogue(client)
        return client

    with django_db_blocker.unblock(), world_for_a_while(build) as client:
        yield client


@pytest.fixture
def acme(with_catalogue, db):
    return with_catalogue


def a_line(**changes):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow((ROW | changes).values())
    return out.getvalue()


def a_file(*lines, header=None):
    return io.BytesIO("".join([f"{','.join(header or ROW)}\n", *lines]).encode())


def run(client, file, **options):
    """Imports, and gives the summary with the faults that were reported."""
    faults = []
    return import_customers(client, file, report=lambda fault: faults.append(str(fault)), **options), faults


def refused(client, file, **options):
    """Expects a refusal that leaves nothing behind, and gives its message with the faults that were reported."""
    before = row_counts()
    faults = []
    with pytest.raises(ImportRefused) as error:
        import_customers(client, file, report=lambda fault: faults.append(str(fault)), **options)
    assert row_counts() == before
    return str(error.value), faults


def row_counts():
    return {model._meta.label: model._default_manager.count() for model in apps.get_models()}


def imported(client, **changes):
    run(client, a_file(a_line(**changes)))
    return Account.objects.get(client=client)
