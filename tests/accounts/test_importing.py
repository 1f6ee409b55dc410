"""Import the customer file: the rows that are created, all or nothing, and the reports of bad input."""

import csv
import io
import tracemalloc
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from itertools import islice

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.importing.customers import ImportRefused, import_customers
from accounts.importing.telco import BadValues, read_customer
from accounts.importing.writing import create_catalogue
from accounts.models import Account, Contact, PaymentMethod, Plan, PlanCharge, PlanInstance, RateSchedule, Service
from accounts.periods import InstanceDates, next_bill_date
from accounts.services.plan_dates import DATE_COLUMNS, instances_with_dates
from tests.support.factories import AccountFactory, ClientFactory
from tests.support.worlds import world_for_a_while

CUSTOMER_FILE = settings.BASE_DIR / "data" / "telco_customers.csv"

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


@pytest.fixture
def newcomer(db):
    """A client without a catalogue."""
    return ClientFactory()


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


OWN_PRICES = RateSchedule.objects.filter(plan_instance__isnull=False)


def prices(account):
    """What each plan instance of an account charges, the list price or its own."""
    own = {price.plan_instance_id: price.rate_per_unit for price in OWN_PRICES.all()}
    listed = dict(RateSchedule.objects.filter(plan_instance=None).values_list("charge__plan_id", "rate_per_unit"))
    return {
        instance.plan.client_plan_id: own.get(instance.pk, listed[instance.plan_id])
        for instance in account.plan_instances.all()
    }


# What a row becomes


def test_a_customer_becomes_an_account_with_contact_payment_method_and_a_plan_instance_per_service(acme):
    account = imported(acme)
    assert (account.client_acct_id, account.currency, account.status) == ("7590-VHVEG", "usd", 1)
    contact = Contact.objects.get(account=account)
    assert (contact.contact_no, contact.role, contact.name) == (1, "account", "Customer 7590-VHVEG")
    assert (contact.country, contact.region) == ("US", "CA")
    method = PaymentMethod.objects.get(account=account)
    assert (method.type, method.token) == ("electronic_check", "sandbox_approved:7590-VHVEG")
    assert prices(account) == {"phone-12": Decimal(20), "dsl-12": Decimal(25), "online-backup-12": Decimal(5)}
    assert not OWN_PRICES.exists()


@pytest.mark.parametrize(("monthly", "base"), [("45.75", "20.75"), ("54.80", "29.80"), ("25.01", "0.01")])
def test_the_difference_from_the_list_is_an_own_price_of_the_internet_line(acme, monthly, base):
    account = imported(acme, MonthlyCharges=monthly)
    assert prices(account) == {"phone-12": Decimal(20), "dsl-12": Decimal(base), "online-backup-12": Decimal(5)}
    own = OWN_PRICES.get()
    assert own.charge.service.client_service_id == "dsl"


def test_without_internet_the_own_price_is_of_the_phone_line(acme):
    account = imported(acme, **NO_INTERNET, MultipleLines="Yes", MonthlyCharges="23.35")
    assert prices(account) == {"phone-12": Decimal("18.35"), "second-line-12": Decimal(5)}


def test_all_that_the_company_sells_can_be_taken_at_once(acme):
    everything = dict.fromkeys(NO_INTERNET, "Yes") | {"InternetService": "Fiber optic", "MultipleLines": "Yes"}
    account = imported(acme, **everything, Contract="Two year", MonthlyCharges="115.00")
    assert prices(account) == {
        "fibre-24": 50,
        "phone-24": 20,
        "second-line-24": 5,
        "online-security-24": 5,
        "online-backup-24": 5,
        "device-protection-24": 5,
        "tech-support-24": 5,
        "streaming-tv-24": 10,
        "streaming-movies-24": 10,
    }


def test_a_customer_without_phone_may_have_internet(acme):
    assert prices(imported(acme, **NO_PHONE, MonthlyCharges="29.85")) == {"dsl-12": Decimal("24.85"), "online-backup-12": 5}


@pytest.mark.parametrize(("contract", "months"), [("Month-to-month", 0), ("One year", 12), ("Two year", 24)])
def test_the_contract_is_the_term_of_the_plans(acme, contract, months):
    account = imported(acme, Contract=contract)
    plans = [instance.plan for instance in account.plan_instances.all()]
    assert {(plan.term_months, plan.billing_interval) for plan in plans} == {(months, 1)}


@pytest.mark.parametrize(
    ("words", "kind", "token"),
    [
        ("Credit card (automatic)", "card", "sandbox_approved:7590-VHVEG"),
        ("Bank transfer (automatic)", "bank_transfer", "sandbox_approved:7590-VHVEG"),
        ("Electronic check", "electronic_check", "sandbox_approved:7590-VHVEG"),
        ("Mailed check", "mailed_check", ""),
    ],
)
def test_the_payment_method_has_a_token_unless_the_check_comes_by_mail(acme, words, kind, token):
    method = PaymentMethod.objects.get(account=imported(acme, PaymentMethod=words))
    assert (method.type, method.token) == (kind, token)


@pytest.mark.parametrize(("left", "as_billable", "status"), [("No", False, 1), ("Yes", False, -2), ("Yes", True, 1)])
def test_a_customer_who_left_is_cancelled_unless_included_as_billable(acme, left, as_billable, status):
    run(acme, a_file(a_line(Churn=left)), left_as_billable=as_billable)
    assert Account.objects.get().status == status


def test_accounts_inherit_whether_their_invoices_wait_for_approval(acme, umbra):
    assert imported(umbra).invoice_approval_required
    assert not imported(acme).invoice_approval_required


def test_a_customer_of_twelve_months_began_a_year_before_the_first_open_cycle(acme):
    account = imported(acme)
    assert (account.bill_day, account.next_bill_date, account.last_bill_date) == (19, date(2026, 1, 19), None)
    dates = set(account.plan_instances.values_list("start_date", "end_date", "billed_through"))
    assert dates == {(date(2025, 1, 19), None, date(2026, 1, 18))}


def test_a_customer_of_no_months_begins_with_the_first_open_cycle(acme):
    account = imported(acme, tenure="0", TotalCharges=" ")
    dates = set(account.plan_instances.values_list("start_date", "billed_through"))
    assert (account.next_bill_date, dates) == (date(2026, 1, 19), {(date(2026, 1, 19), None)})


# The catalogue


def test_the_catalogue_has_a_plan_for_each_service_and_term(newcomer):
    imported(newcomer)
    assert {
        (one.client_service_id, one.gl_code, one.tax_category) for one in Service.objects.filter(client=newcomer).order_by("pk")
    } == {
        ("phone", "4010", "telecom"),
        ("second-line", "4020", "telecom"),
        ("dsl", "4030", "internet"),
        ("fibre", "4040", "internet"),
        ("online-security", "4050", "digital"),
        ("online-backup", "4060", "digital"),
        ("device-protection", "4070", "digital"),
        ("tech-support", "4080", "digital"),
        ("streaming-tv", "4090", "digital"),
        ("streaming-movies", "4100", "digital"),
    }
    assert Plan.objects.filter(client=newcomer, charges__rates__currency="usd", billing_interval=1).count() == 30
    assert PlanCharge.objects.filter(plan__client=newcomer).count() == 30
    assert Plan.objects.get(client=newcomer, client_plan_id="fibre-12").name == "Fibre internet, 12 months"


def test_each_client_has_a_catalogue_and_accounts_of_its_own(acme, umbra):
    for client, name in [(acme, "A-1"), (umbra, "U-1"), (acme, "A-2"), (umbra, "U-2")]:
        run(client, a_file(a_line(customerID=name)))
    for client in (acme, umbra):
        assert Plan.objects.filter(client=client).count() == 30
        assert set(PlanInstance.objects.filter(account__client=client).values_list("plan__client", flat=True)) == {client.pk}


@pytest.mark.parametrize("dry_run", [True, False])
def test_it_refuses_a_catalogue_in_which_a_price_was_changed(acme, dry_run):
    imported(acme)
    RateSchedule.objects.filter(charge__plan__client_plan_id="dsl-12").update(rate_per_unit=Decimal("26.00"))
    message, _ = refused(acme, a_file(a_line(customerID="NEW")), dry_run=dry_run)
    assert message == (
        "plan dsl-12 already exists, but does not charge DSL internet at 25.00 usd a month; nothing was imported"
    )


# The real file


@pytest.fixture
def real_rows():
    with CUSTOMER_FILE.open(newline="") as file:
        return {row["customerID"]: row for row in csv.DictReader(file)}


def test_the_real_file_is_imported_to_the_cent_and_once_only(newcomer, real_rows):
    with CUSTOMER_FILE.open("rb") as file:
        summary, faults = run(newcomer, file)
    assert faults == []
    assert (summary.customers, summary.created, summary.already_there) == (7043, 7043, 0)
    assert summary.monthly_amount == Decimal("456116.60")
    assert summary.plan_instances == PlanInstance.objects.count() == 29202
    assert summary.own_prices == OWN_PRICES.count() == 6862

    own = dict(OWN_PRICES.values_list("plan_instance_id", "rate_per_unit"))
    monthly = defaultdict(Decimal)
    listed = dict(RateSchedule.objects.filter(plan_instance=None).values_list("charge__plan_id", "rate_per_unit"))
    for pk, customer_id, plan_no in PlanInstance.objects.values_list("pk", "account__client_acct_id", "plan_id"):
        monthly[customer_id] += own.get(pk, listed[plan_no])
    assert monthly == {customer_id: Decimal(row["MonthlyCharges"]) for customer_id, row in real_rows.items()}
    assert sum(monthly.values()) == Decimal("456116.60")
    assert min(own.values()) > 0

    statuses = Counter(Account.objects.values_list("status", flat=True))
    assert statuses == {1: 7043 - 1869, -2: 1869}
    methods = Counter(PaymentMethod.objects.values_list("type", flat=True))
    assert methods == {"card": 1522, "bank_transfer": 1544, "electronic_check": 2365, "mailed_check": 1612}
    bill_days = Counter(Account.objects.values_list("bill_day", flat=True))
    assert set(bill_days) == set(range(1, 29))
    assert max(bill_days.values()) < 2 * min(bill_days.values())

    before = row_counts()
    with CUSTOMER_FILE.open("rb") as file:
        again, _ = run(newcomer, file)
    assert (again.created, again.already_there, again.plan_instances, again.own_prices) == (0, 7043, 0, 0)
    assert row_counts() == before


def test_the_dates_of_real_customers_agree_with_the_rule_for_the_next_bill_date(acme, real_rows):
    with CUSTOMER_FILE.open("rb") as file:
        run(acme, io.BytesIO(b"".join(islice(file, 1 + 1500))))
    assert {int(real_rows[one]["tenure"]) for one in Account.objects.values_list("client_acct_id", flat=True)} == set(range(73))
    for account in Account.objects.prefetch_related("plan_instances"):
        rows = instances_with_dates(account.plan_instances.all()).values_list(*DATE_COLUMNS)
        dates = [InstanceDates._make(row) for row in rows]
        assert account.next_bill_date == next_bill_date(dates, account.bill_day, account.last_bill_date)
        assert account.next_bill_date == date(2026, 1, account.bill_day)
        start = dates[0].start
        months = (2026 - start.year) * 12 + 1 - start.month
        assert (months, start.day) == (int(real_rows[account.client_acct_id]["tenure"]), account.bill_day)
        billed_through = None if months == 0 else date.fromordinal(account.next_bill_date.toordinal() - 1)
        assert set(dates) == {InstanceDates(start, None, billed_through, billed_elsewhere_through=billed_through)}


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


# Bad lines and bad files


def test_columns_may_stand_in_any_order_and_unused_ones_are_passed_over(acme):
    header = ["gender", *reversed(ROW)]
    line = ",".join(["Female", *reversed(ROW.values())])
    summary, _ = run(acme, a_file(line, header=header))
    assert summary.created == 1


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_are_taken(acme):
    text = a_file(a_line(), "\n", a_line(customerID="OTHER"), "\n").getvalue()
    summary, _ = run(acme, io.BytesIO(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")))
    assert summary.created == 2


def test_total_charges_may_be_missing(acme):
    row = {column: value for column, value in ROW.items() if column != "TotalCharges"}
    summary, _ = run(acme, a_file(",".join(row.values()), header=row))
    assert summary.created == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"customerID,tenure\n", "line 1, the header, has no column PhoneService, MultipleLines, InternetService"),
        (b"\n", "line 1, the header, has no column customerID, tenure"),
        (a_file(header=[*ROW, "tenure"]).getvalue(), "line 1, the header, has a column twice: tenure"),
        (a_file(a_line()).getvalue().decode().encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
        (a_file(a_line()).getvalue().decode().encode("utf-16-be"), "line 1, the header, holds NUL bytes, as a UTF-16 file"),
        (b"customerID,t\xe9nure\n", "line 1, the header, is not UTF-8: byte 0xe9 at position 13"),
        (a_file(header=[*ROW, "genders"]).getvalue(), "line 1, the header: Unknown column `genders`. Did you mean `gender`?"),
        (
            a_file(header=[*ROW, "zip", "Partnr"]).getvalue(),
            "line 1, the header: Unknown column `zip`. Known here: Churn, Contract, ",
        ),
        (b"x" * 70000, "line 1, the header, is longer than 65536 bytes"),
        (b'customerID,"tenure\n', "line 1, the header, is not a CSV row"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_that_is_no_customer_file_is_refused(acme, content, message, dry_run):
    found, faults = refused(acme, io.BytesIO(content), dry_run=dry_run)
    assert found.startswith(message)
    assert found.endswith("; nothing was imported")
    assert faults == []


def test_lines_that_are_no_rows_are_refused_one_by_one(acme):
    file = a_file(a_line(customerID="GOOD"))
    file.seek(0, io.SEEK_END)
    file.write(b"too,few\n")
    file.write(a_line().strip().encode() + b",one more\n")
    file.write(b"caf\xe9\n")
    file.write(b"nul\0\n")
    file.write(b'"open quote,' + b"\n")
    file.write(b"a" * 300000 + b"\n")
    file.write(a_line(customerID="LATER", Churn="?").encode())
    file.seek(0)
    message, faults = refused(acme, file)
    assert faults == [
        "line 3 has 2 fields, but the header has 16",
        "line 4 has 17 fields, but the header has 16",
        "line 5 is not UTF-8: byte 0xe9 at position 4",
        "line 6 holds NUL bytes, as a UTF-16 file does; the file must be UTF-8",
        "line 7 is not a CSV row: a quote is opened but not closed",
        "line 8 is longer than 65536 bytes",
        "line 9, Churn: '?' is not one of Yes, No",
    ]
    assert message == "7 bad rows; nothing was imported"


def test_a_row_cut_short_by_the_longest_line_is_not_taken_for_the_whole(acme):
    padding = "x" * (65537 - len(a_line()) + 1)
    _, faults = refused(acme, a_file(a_line().strip() + padding + "rest\n"))
    assert faults == ["line 2 is longer than 65536 bytes"]


class EndlessLine(io.RawIOBase):
    """A good header, then a line of many bytes that are never completely in memory or on disk."""

    def __init__(self, length):
        self.header, self.left = a_file().getvalue(), length

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.header:
            part, self.header = self.header, b""
        else:
            part = b"a" * min(len(buffer), self.left)
            self.left -= len(part)
        buffer[: len(part)] = part
        return len(part)


def test_a_line_of_fifty_megabytes_is_refused_in_little_memory(acme):
    file = io.BufferedReader(EndlessLine(50_000_000))
    tracemalloc.start()
    try:
        _, faults = refused(acme, file, dry_run=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert faults == ["line 2 is longer than 65536 bytes"]
    assert peak < 5_000_000


# The command


@pytest.fixture
def on_disk(tmp_path):
    def write(*lines):
        path = tmp_path / "customers.csv"
        path.write_bytes(a_file(*lines).getvalue())
        return str(path)

    return write


def test_the_command_prints_a_summary(acme, on_disk, capsys):
    call_command("import_customers", on_disk(a_line(MonthlyCharges="54.80")), client=acme.pk)
    assert capsys.readouterr().out.splitlines() == [
        "customers read                   1",
        "accounts created                 1",
        "already imported                 0",
        "plan instances                   3",
        "customer prices                  1",
        "sum of MonthlyCharges        54.80",
    ]
    assert Account.objects.count() == 1


def test_the_command_says_what_a_dry_run_would_create(acme, on_disk, capsys):
    call_command("import_customers", on_disk(a_line()), "--dry-run", client=acme.pk)
    out = capsys.readouterr().out
    assert "accounts to create               1" in out
    assert out.endswith("Dry run: nothing was written.\n")
    assert not Account.objects.exists()


def test_the_command_includes_those_who_left_on_request(acme, on_disk):
    call_command("import_customers", on_disk(a_line(Churn="Yes")), "--left-as-billable", client=acme.pk)
    assert Account.objects.get().status == 1


def test_a_file_with_only_a_header_has_no_customers(acme, on_disk, capsys):
    call_command("import_customers", on_disk(), client=acme.pk)
    assert "customers read                   0" in capsys.readouterr().out


def test_the_command_reports_bad_rows_and_fails(acme, on_disk, capsys):
    path = on_disk(a_line(tenure="x"), a_line(customerID="B", Churn="?"))
    with pytest.raises(CommandError, match="customers.csv: 2 bad rows; nothing was imported"):
        call_command("import_customers", path, client=acme.pk)
    assert capsys.readouterr().err.splitlines() == [
        "line 2, tenure: 'x' is not a whole number of months",
        "line 3, Churn: '?' is not one of Yes, No",
    ]


def test_the_command_refuses_a_file_that_is_not_there_and_a_client_that_is_not_there(acme, on_disk):
    with pytest.raises(CommandError, match="no/such.csv: No such file or directory"):
        call_command("import_customers", "no/such.csv", client=acme.pk)
    with pytest.raises(CommandError, match="Client 999999 does not exist"):
        call_command("import_customers", on_disk(a_line()), client=999999)


def test_a_file_with_semicolons_and_decimal_commas_is_imported_when_asked_for(acme):
    plain = a_file(a_line(customerID="A", MonthlyCharges="29.85")).getvalue()
    content = plain.replace(b",", b";").replace(b"29.85", b"29,85") + b";;;\n;;;\n"
    _, faults = refused(acme, io.BytesIO(content))
    assert len(faults) == 1 and "MonthlyCharges" in faults[0]
    summary = import_customers(acme, io.BytesIO(content), report=print, decimal_comma=True)
    assert (summary.created, summary.monthly_amount) == (1, Decimal("29.85"))
