"""Units and prices are kept to the last digit on both databases, and compared, ordered and added up right in SQL."""

from decimal import Decimal as D

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Max, Min, Q
from hypothesis import strategies as st

from accounts.models import RateTier
from billing_site.common.exact_decimals import ExactDecimalField, number_of, sortable_text
from billing_site.common.storage import ExactSum, insert_rows, update_rows
from invoices.models import InvoiceLine, Usage
from tests.support.billing import JAN_10, metered
from tests.support.factories import PlanFactory, a_charge, some_usage
from tests.support.random_examples import given

UNITS = [
    "0.0000000001",
    "0.3333333333",
    "0.9999999999",
    "1",
    "9.5",
    "10",
    "100.0000000001",
    "999999999999999.9999999999",
    "1000000000000000",
]
LARGEST = D(10) ** 20 - 1
DECIMALS = st.decimals(min_value=-LARGEST, max_value=LARGEST, places=10)


@given(DECIMALS, DECIMALS)
def test_the_text_on_sqlite_sorts_as_the_numbers_do(one, other):
    assert number_of(sortable_text(one)) == one
    assert (sortable_text(one) < sortable_text(other)) == (one < other)
    assert (sortable_text(one) == sortable_text(other)) == (one == other)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("12.50", "00000000000000000012.5"),
        ("0", "00000000000000000000"),
        ("-0.0", "00000000000000000000"),
        ("1E+15", "00001000000000000000"),
        ("-12.5", "-99999999999999999987.4~"),
    ],
)
def test_equal_numbers_have_one_text(number, text):
    assert sortable_text(D(number)) == text


@pytest.fixture
def records(acme):
    """A usage record of each of UNITS, loaded in another order."""
    _account, instance = metered(acme)
    for units in [*UNITS[5:], *UNITS[:5]]:
        some_usage(instance, "calls", units, JAN_10, record_id=units)
    return instance


def found(**lookup):
    return list(Usage.objects.filter(**lookup).order_by("units").values_list("record_id", flat=True))


def test_columns_of_units_are_read_compared_and_ordered_exactly(records):
    assert [(one.record_id, one.units) for one in Usage.objects.order_by("units")] == [(text, D(text)) for text in UNITS]
    assert list(Usage.objects.order_by("-units").values_list("record_id", flat=True)) == UNITS[::-1]
    assert found(units__gt=D("9.5")) == UNITS[5:]
    assert found(units__lte="0.9999999999") == UNITS[:3]
    assert found(units=1) == ["1"]
    assert found(units__in=[D("1.0000"), D("999999999999999.9999999999")]) == ["1", "999999999999999.9999999999"]
    assert found(units__range=(D("9"), D("11"))) == ["9.5", "10"]
    assert Usage.objects.aggregate(Min("units"), Max("units")) == {
        "units__min": D("0.0000000001"),
        "units__max": D("1000000000000000"),
    }


def test_sums_are_exact_and_may_be_filtered_and_compared(records):
    rows = Usage.objects.order_by().values("plan_instance")
    whole = sum(map(D, UNITS))
    assert rows.annotate(sum=ExactSum("units")).get()["sum"] == whole == D("2000000000000121.8333333333")
    below = rows.annotate(sum=ExactSum("units", filter=Q(units__lt=1))).get()["sum"]
    assert below == D("1.3333333333")
    assert rows.annotate(sum=ExactSum("units")).filter(sum__gt=whole - D("0.0000000001")).exists()
    assert not rows.annotate(sum=ExactSum("units")).filter(sum__gt=whole).exists()
    assert Usage.objects.filter(units__gt=10**16).aggregate(sum=ExactSum("units")) == {"sum": None}


def test_many_records_of_the_most_units_add_up(records):
    Usage.objects.update(units=D("999999999999999.9999999999"))
    assert Usage.objects.aggregate(sum=ExactSum("units"))["sum"] == 9 * D("999999999999999.9999999999")


def test_bulk_writes_store_what_the_orm_stores(records):
    (pk,) = Usage.objects.filter(record_id="1").values_list("pk", flat=True)
    update_rows(Usage, ("units",), [(pk, D("123456789012345.1234567891"))])
    assert Usage.objects.get(pk=pk).units == D("123456789012345.1234567891")
    charge = a_charge(PlanFactory(), "seats", tiers={"0": "1"})
    (schedule,) = charge.rates.all()
    insert_rows(
        RateTier, ("schedule_id", "from_unit", "rate_per_unit"), [(schedule.pk, D("1E+15"), D("1234567890.0987654321"))]
    )
    assert list(schedule.tiers.values_list("from_unit", "rate_per_unit")) == [
        (0, 1),
        (D("1000000000000000"), D("1234567890.0987654321")),
    ]


@pytest.mark.parametrize("units", [D(0), D("-0.0000000001"), D("-5")])
def test_the_database_refuses_no_units_and_less(records, units):
    with pytest.raises(IntegrityError), transaction.atomic():
        Usage.objects.filter(record_id="1").update(units=units)


def test_more_decimals_than_the_column_has_are_rounded_half_up(records):
    Usage.objects.filter(record_id="1").update(units=D("0.33333333335"))
    assert Usage.objects.get(record_id="1").units == D("0.3333333334")


def test_every_column_of_units_and_prices_is_exact():
    assert {field.name for field in InvoiceLine._meta.concrete_fields if isinstance(field, ExactDecimalField)} == {
        "units",
        "rate_per_unit",
        "list_rate_per_unit",
        "price_units",
        "tier_from",
        "tier_to",
    }
