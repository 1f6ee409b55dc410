"""The real customer file: imported once for all tests here, to the cent, and once only."""

import csv
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal

import pytest
from django.conf import settings

from accounts.models import Account, PaymentMethod, PlanInstance, RateSchedule
from accounts.periods import InstanceDates, next_bill_date
from accounts.services.plan_dates import DATE_COLUMNS, instances_with_dates
from tests.support.factories import ClientFactory
from tests.support.importing import row_counts, run
from tests.support.worlds import world_for_a_while

pytestmark = pytest.mark.django_db

CUSTOMER_FILE = settings.BASE_DIR / "data" / "telco_customers.csv"
OWN_PRICES = RateSchedule.objects.filter(plan_instance__isnull=False)


@pytest.fixture(scope="module")
def real_import(django_db_setup, django_db_blocker):
    """The client, who had no catalogue before, and what the import reported."""

    def build():
        client = ClientFactory()
        with CUSTOMER_FILE.open("rb") as file:
            return client, *run(client, file)

    with django_db_blocker.unblock(), world_for_a_while(build) as built:
        yield built


@pytest.fixture(scope="module")
def real_rows():
    with CUSTOMER_FILE.open(newline="") as file:
        return {row["customerID"]: row for row in csv.DictReader(file)}


def test_every_customer_is_imported(real_import):
    _, summary, faults = real_import
    assert faults == []
    assert (summary.customers, summary.created, summary.already_there) == (7043, 7043, 0)
    assert summary.plan_instances == PlanInstance.objects.count() == 29202
    assert summary.own_prices == OWN_PRICES.count() == 6862


def test_every_customer_pays_what_the_file_says_to_the_cent(real_import, real_rows):
    own = dict(OWN_PRICES.values_list("plan_instance_id", "rate_per_unit"))
    monthly = defaultdict(Decimal)
    listed = dict(RateSchedule.objects.filter(plan_instance=None).values_list("charge__plan_id", "rate_per_unit"))
    for pk, customer_id, plan_no in PlanInstance.objects.values_list("pk", "account__client_acct_id", "plan_id"):
        monthly[customer_id] += own.get(pk, listed[plan_no])
    assert monthly == {customer_id: Decimal(row["MonthlyCharges"]) for customer_id, row in real_rows.items()}
    assert sum(monthly.values()) == real_import[1].monthly_amount == Decimal("456116.60")
    assert min(own.values()) > 0


def test_customers_who_left_are_cancelled(real_import):
    statuses = Counter(Account.objects.values_list("status", flat=True))
    assert statuses == {1: 7043 - 1869, -2: 1869}


def test_every_payment_method_is_there(real_import):
    methods = Counter(PaymentMethod.objects.values_list("type", flat=True))
    assert methods == {"card": 1522, "bank_transfer": 1544, "electronic_check": 2365, "mailed_check": 1612}


def test_bill_days_are_spread_over_the_month(real_import):
    bill_days = Counter(Account.objects.values_list("bill_day", flat=True))
    assert set(bill_days) == set(range(1, 29))
    assert max(bill_days.values()) < 2 * min(bill_days.values())


def test_the_file_is_imported_once_only(real_import):
    before = row_counts()
    with CUSTOMER_FILE.open("rb") as file:
        again, _ = run(real_import[0], file)
    assert (again.created, again.already_there, again.plan_instances, again.own_prices) == (0, 7043, 0, 0)
    assert row_counts() == before


def test_the_dates_of_real_customers_agree_with_the_rule_for_the_next_bill_date(real_import, real_rows):
    accounts = list(Account.objects.order_by("pk")[:1500])
    assert {int(real_rows[account.client_acct_id]["tenure"]) for account in accounts} == set(range(73))
    dates_of = defaultdict(list)
    theirs = PlanInstance.objects.filter(account_id__lte=accounts[-1].pk)
    for account_id, *row in instances_with_dates(theirs).values_list("account_id", *DATE_COLUMNS):
        dates_of[account_id].append(InstanceDates._make(row))
    for account in accounts:
        dates = dates_of[account.pk]
        assert account.next_bill_date == next_bill_date(dates, account.bill_day, account.last_bill_date)
        assert account.next_bill_date == date(2026, 1, account.bill_day)
        start = dates[0].start
        months = (2026 - start.year) * 12 + 1 - start.month
        assert (months, start.day) == (int(real_rows[account.client_acct_id]["tenure"]), account.bill_day)
        billed_through = None if months == 0 else date.fromordinal(account.next_bill_date.toordinal() - 1)
        expected = InstanceDates(start, None, billed_through, billed_elsewhere_through=billed_through, arrears_interval=1)
        assert set(dates) == {expected}
