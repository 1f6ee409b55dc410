"""Import the customer file: all or nothing, and every bad value is reported by its column."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.importing.customers import ImportRefused, import_customers
from accounts.importing.telco import BadValues, read_customer
from tests.support.factories import AccountFactory
from tests.support.importing import (
    NO_INTERNET,
    NO_PHONE,
    ROW,
    a_file,
    a_line,
    acme,
    imported,
    refused,
    row_counts,
    run,
    with_catalogue,
)

__all__ = ["acme", "with_catalogue"]


# All of it or nothing


def test_a_dry_run_counts_and_writes_nothing(acme):
    AccountFactory(client=acme, client_acct_id="OLD")
    before = row_counts()
    with CaptureQueriesContext(connection) as queries:
        summary, _ = run(acme, a_file(a_line(customerID="OLD"), a_line(customerID="NEW")), dry_run=True)
    assert (summary.customers, summary.created, summary.already_there) == (2, 1, 1)
    assert (summary.plan_instances, summary.monthly_amount) == (3, Decimal("100.00"))
    assert row_counts() == before
    assert all(query["sql"].startswith("SELECT") for query in queries)


def test_an_account_on_file_is_left_alone(acme):
    old = AccountFactory(client=acme, client_acct_id="7590-VHVEG", status=-1)
    summary, _ = run(acme, a_file(a_line()))
    assert (summary.created, summary.already_there) == (0, 1)
    old.refresh_from_db()
    assert (old.status, old.bill_day, old.plan_instances.count()) == (-1, None, 0)


def test_an_account_of_another_client_is_not_in_the_way(acme, umbra):
    AccountFactory(client=umbra, client_acct_id="7590-VHVEG")
    summary, _ = run(acme, a_file(a_line()))
    assert summary.created == 1


def test_one_bad_row_after_many_good_ones_leaves_nothing(acme):
    good = [a_line(customerID=f"C-{number}") for number in range(1200)]
    message, faults = refused(acme, a_file(*good, a_line(customerID="BAD", MonthlyCharges="x")))
    assert message == "1 bad row; nothing was imported"
    assert faults == ["line 1202, MonthlyCharges: 'x' is not a number"]


def test_after_a_bad_row_no_more_accounts_are_written(acme):
    good = [a_line(customerID=f"C-{number}") for number in range(600)]
    with CaptureQueriesContext(connection) as queries:
        refused(acme, a_file(a_line(tenure="x"), *good))
    assert not [query for query in queries if query["sql"].startswith('INSERT INTO "accounts_account"')]


def test_every_bad_row_is_reported_with_all_that_is_wrong_as_it_is_met(acme):
    lines = [a_line(tenure="-1", Churn="maybe"), a_line(customerID="GOOD"), a_line(customerID="", Contract="Ten year")]
    message, faults = refused(acme, a_file(*lines), dry_run=True)
    assert message == "2 bad rows; nothing was imported"
    assert faults == [
        "line 2, tenure: '-1' is negative",
        "line 2, Churn: 'maybe' is not one of Yes, No",
        "line 4, customerID: is empty",
        "line 4, Contract: 'Ten year' is not one of Month-to-month, One year, Two year",
    ]


def test_a_bad_row_is_reported_before_the_next_line_is_read(acme):
    file = a_file(a_line(tenure="x"), *[a_line(customerID=f"C-{number}") for number in range(5000)])
    places = []
    with pytest.raises(ImportRefused):
        import_customers(acme, file, report=lambda fault: places.append(file.tell()))
    assert places == [len(a_file(a_line(tenure="x")).getvalue())]


def test_the_same_id_twice_is_refused_with_both_lines(acme):
    lines = [a_line(), a_line(customerID="OTHER"), a_line()]
    message, faults = refused(acme, a_file(*lines))
    assert faults == ["line 4, customerID: '7590-VHVEG' is on line 2 already"]


def test_the_same_id_twice_is_refused_though_the_first_row_is_bad_or_on_file(acme):
    AccountFactory(client=acme, client_acct_id="OLD")
    lines = [a_line(tenure="x"), a_line(Churn="?"), a_line(customerID="OLD"), a_line(customerID="OLD")]
    _, faults = refused(acme, a_file(*lines))
    assert faults == [
        "line 2, tenure: 'x' is not a whole number of months",
        "line 3, customerID: '7590-VHVEG' is on line 2 already",
        "line 3, Churn: '?' is not one of Yes, No",
        "line 5, customerID: 'OLD' is on line 4 already",
    ]


def test_empty_ids_are_not_reported_as_repeated(acme):
    _, faults = refused(acme, a_file(a_line(customerID=""), a_line(customerID="")))
    assert faults == ["line 2, customerID: is empty", "line 3, customerID: is empty"]


def test_the_number_of_queries_does_not_grow_with_the_customers_of_a_chunk(acme):
    imported(acme, customerID="FIRST")

    def queries_for(count, name):
        with CaptureQueriesContext(connection) as queries:
            run(acme, a_file(*[a_line(customerID=f"{name}-{number}", MonthlyCharges="50.05") for number in range(count)]))
        return len(queries)

    assert queries_for(5, "FEW") == queries_for(20, "MORE")


# Bad values


@pytest.mark.parametrize(
    ("changes", "column", "message"),
    [
        ({"customerID": ""}, "customerID", "is empty"),
        ({"customerID": "   "}, "customerID", "is empty"),
        ({"customerID": "x" * 51}, "customerID", "is longer than 50 characters"),
        ({"customerID": " 7590"}, "customerID", "has spaces around it"),
        ({"customerID": "75\x1b[2J90"}, "customerID", r"'75\x1b[2J90' has spaces around it or characters that cannot be"),
        ({"tenure": "-3"}, "tenure", "'-3' is negative"),
        ({"tenure": "1.5"}, "tenure", "is not a whole number"),
        ({"tenure": ""}, "tenure", "is not a whole number"),
        ({"tenure": "٣"}, "tenure", "is not a whole number"),
        ({"tenure": "1201"}, "tenure", "is more than 1200 months"),
        ({"tenure": "9" * 9000}, "tenure", "is more than 1200 months"),
        ({"MonthlyCharges": "-29.85"}, "MonthlyCharges", "'-29.85' is negative"),
        ({"MonthlyCharges": "abc"}, "MonthlyCharges", "'abc' is not a number"),
        ({"MonthlyCharges": ""}, "MonthlyCharges", "'' is not a number"),
        ({"MonthlyCharges": "NaN"}, "MonthlyCharges", "is not a number"),
        ({"MonthlyCharges": "Infinity"}, "MonthlyCharges", "is not a number"),
        ({"MonthlyCharges": "1e3"}, "MonthlyCharges", "is not a number"),
        ({"MonthlyCharges": "50,00"}, "MonthlyCharges", "is not a number"),
        ({"MonthlyCharges": "50.001"}, "MonthlyCharges", "has more than 2 decimals"),
        ({"MonthlyCharges": "100000.01"}, "MonthlyCharges", "is more than 100000.00"),
        ({"MonthlyCharges": "9" * 9000}, "MonthlyCharges", "is more than 100000.00"),
        (
            {"MonthlyCharges": "25.00"},
            "MonthlyCharges",
            "25.00 leaves no amount for DSL internet, because the other services cost 25.00",
        ),
        ({"MonthlyCharges": "0"}, "MonthlyCharges", "leaves no amount for DSL internet"),
        ({"TotalCharges": "lots"}, "TotalCharges", "'lots' is not a number"),
        ({"TotalCharges": "NaN"}, "TotalCharges", "'NaN' is not a number"),
        ({"PhoneService": "yes"}, "PhoneService", "'yes' is not one of Yes, No"),
        ({"MultipleLines": "2"}, "MultipleLines", "'2' is not one of Yes, No, No phone service"),
        ({"InternetService": "Cable"}, "InternetService", "'Cable' is not one of DSL, Fiber optic, No"),
        ({"OnlineSecurity": "?"}, "OnlineSecurity", "'?' is not one of Yes, No, No internet service"),
        ({"OnlineBackup": "?"}, "OnlineBackup", "is not one of"),
        ({"DeviceProtection": "?"}, "DeviceProtection", "is not one of"),
        ({"TechSupport": "?"}, "TechSupport", "is not one of"),
        ({"StreamingTV": "?"}, "StreamingTV", "is not one of"),
        ({"StreamingMovies": "?"}, "StreamingMovies", "is not one of"),
        ({"Contract": ""}, "Contract", "'' is not one of"),
        ({"PaymentMethod": "Cash"}, "PaymentMethod", "'Cash' is not one of"),
        ({"Churn": "No "}, "Churn", "'No ' is not one of Yes, No"),
        ({"PhoneService": "No", "MultipleLines": "Yes"}, "MultipleLines", "'Yes' contradicts PhoneService, which is 'No'"),
        ({"MultipleLines": "No phone service"}, "MultipleLines", "contradicts PhoneService, which is 'Yes'"),
        (NO_INTERNET | {"StreamingTV": "Yes"}, "StreamingTV", "'Yes' contradicts InternetService, which is 'No'"),
        ({"TechSupport": "No internet service"}, "TechSupport", "contradicts InternetService, which is 'DSL'"),
        (NO_INTERNET | NO_PHONE, "PhoneService", "has neither phone nor internet"),
    ],
)
def test_a_bad_value_is_refused_by_its_column_alone(changes, column, message):
    with pytest.raises(BadValues) as refusal:
        read_customer(ROW | changes)
    ((found_column, found_message),) = refusal.value.faults
    assert found_column == column
    assert message in found_message
    assert len(found_message) < 200


@pytest.mark.parametrize(
    "changes", [{"TotalCharges": " "}, {"MonthlyCharges": "50"}, {"MonthlyCharges": "50.5"}, {"tenure": "1200"}]
)
def test_values_at_the_edge_of_the_rules_are_taken(changes):
    assert read_customer(ROW | changes).customer_id == "7590-VHVEG"
