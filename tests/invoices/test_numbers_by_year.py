"""Number series with the year in their prefix or suffix: the numbers of each year begin at 1."""

from datetime import date

import pytest
import time_machine
from django.core.exceptions import ValidationError

from invoices.models import Invoice, NumberSeries
from tests.support.billing import bill
from tests.support.factories import an_account
from tests.support.rebilling import rebilled

DECEMBER, JANUARY = date(2031, 12, 10), date(2032, 1, 10)

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def by_year(acme):
    return NumberSeries.objects.create(client=acme, kind="invoice", prefix="INV-{yyyy}-")


def new(client, process, day):
    return bill(an_account(client, start=day), process, day)


def printed(**chosen):
    return [*Invoice.objects.filter(**chosen).exclude(number=None).order_by("pk").values_list("document_number", flat=True)]


def set_format(series, prefix="", suffix=""):
    series.refresh_from_db()
    series.prefix, series.suffix = prefix, suffix
    series.full_clean()
    series.save()


def test_each_year_begins_at_1_and_other_series_count_on(acme, process, by_year):
    for day in (DECEMBER, DECEMBER, JANUARY, JANUARY):
        rebilled(new(acme, process, day), process, 1, today=day)
    assert printed(series="invoice") == ["INV-2031-000001", "INV-2031-000002", "INV-2032-000001", "INV-2032-000002"]
    assert printed(series="rebill") == ["RB-000001", "RB-000002", "RB-000003", "RB-000004"]
    by_year.refresh_from_db()
    assert (by_year.last_number, by_year.year, by_year.last_of_year) == (0, 2032, 2)


def test_a_clock_that_is_set_back_stays_in_the_later_year(acme, process, by_year):
    for day in (JANUARY, DECEMBER):
        new(acme, process, day)
    dated = Invoice.objects.order_by("pk").values_list("document_number", "invoice_date")
    assert [*dated] == [("INV-2032-000001", JANUARY), ("INV-2032-000002", JANUARY)]
    set_format(by_year, "RE{yyyy}/")
    third = new(acme, process, DECEMBER)
    assert (third.document_number, third.invoice_date) == ("RE2032/000003", date(2032, 1, 1))


def test_each_count_goes_on_where_it_was_when_the_year_is_taken_in_or_out(acme, process):
    first = new(acme, process, DECEMBER)
    series = NumberSeries.objects.get(client=acme, kind="invoice")
    set_format(series, "INV-", "/{yyyy}")
    second = new(acme, process, DECEMBER)
    set_format(series, "INV-")
    third = new(acme, process, DECEMBER)
    set_format(series, "INV-", "/{yyyy}")
    fourth = new(acme, process, DECEMBER)
    numbers = [one.document_number for one in (first, second, third, fourth)]
    assert numbers == ["INV-000001", "INV-000001/2031", "INV-000002", "INV-000002/2031"]


@pytest.mark.parametrize(
    ("prefix", "refused"),
    [
        ("{yy}-", "{yy} is not known. Only {yyyy} can be in braces"),
        ("INV-{yyyy", "{ is not known"),
        ("CM{yyyy}-", "The number series Credit memos has numbers such as"),
    ],
)
def test_formats_that_cannot_be_are_refused(acme, by_year, prefix, refused):
    NumberSeries.objects.create(client=acme, kind="credit_memo", prefix="CM", suffix="")
    if prefix.startswith("CM"):
        NumberSeries.objects.filter(kind="credit_memo").update(prefix="CM2031-")
    by_year.prefix = prefix
    with pytest.raises(ValidationError) as error:
        by_year.full_clean()
    assert refused in str(error.value)


def test_a_year_that_was_written_out_can_become_the_placeholder_in_the_next_year_only(acme, process):
    """In the same year, the new count would print the numbers of the old one again."""
    series = NumberSeries.objects.create(client=acme, kind="invoice", prefix="INV-2031-")
    new(acme, process, DECEMBER)
    with time_machine.travel("2031-12-10T12:00Z"), pytest.raises(ValidationError, match="Document INV-2031-000001 already has"):
        set_format(NumberSeries.objects.get(pk=series.pk), "INV-{yyyy}-")
    with time_machine.travel("2032-01-10T12:00Z"):
        set_format(series, "INV-{yyyy}-")
    assert new(acme, process, JANUARY).document_number == "INV-2032-000001"
