"""The audits of days that are given back find planted damage, and nothing without damage."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.db import IntegrityError, transaction

from accounts.services.plans import change_plan
from invoices.models import InvoiceLine, UnusedCredit
from tests.support.audits import names
from tests.support.audits.planting import findings, findings_of
from tests.support.billing import bill
from tests.support.factories import TaxRateFactory, a_plan, an_account

APR_15, APR_27, MAY_14, MAY_15 = date(2031, 4, 15), date(2031, 4, 27), date(2031, 5, 14), date(2031, 5, 15)


@pytest.fixture
def row(acme, process):
    """Give back 18.00 of 30.00, with the tax that was charged."""
    TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"phone": "30.00"}), start=APR_15)
    bill(account, process, APR_15)
    instance = account.plan_instances.select_related("account").get()
    change_plan(instance=instance, plan=a_plan(acme, {"phone": "60.00"}), start_date=APR_27, caller=process)
    bill(account, process, MAY_15)
    assert findings() == {}
    return UnusedCredit.objects.get()


def changed(row, **columns):
    UnusedCredit.objects.filter(pk=row.pk).update(**columns)
    return findings()


def test_an_amount_that_the_line_does_not_give_back(row):
    found = changed(row, amount=D("17.00"))
    assert found[names.UNUSED_LINES][0].endswith(
        f"credits 17 of plan instance {row.plan_instance_id} on line 3, which is -18 of plan instance {row.plan_instance_id}"
    )


def test_days_that_the_line_does_not_name(row):
    assert changed(row, first_day=date(2031, 4, 28))[names.UNUSED_LINES][0].endswith(
        "line 3 is for 2031-04-27 to 2031-05-14, not 2031-04-28 to 2031-05-14"
    )


def test_a_line_that_does_not_say_of_what(row):
    row.delete()
    assert findings_of(names.UNUSED_LINES)[0].endswith("line 3 credits 18 for unused days, but not of which line")


def test_days_that_were_not_charged(row):
    found = changed(row, last_day=MAY_15)
    assert found[names.UNUSED_SOURCES] == [
        f"invoice {row.invoice_id}: line 3 credits {row.amount} for 2031-04-27 to 2031-05-15 of plan instance "
        f"{row.plan_instance_id}, which line 1 of invoice {row.source_id} does not charge"
    ]


def test_days_that_are_given_back_twice(row):
    """Ten days of the eighteen a second time: less than the line charged in all, and found all the same."""
    twice = {"line_no": 1, "step": 2, "first_day": date(2031, 5, 5), "amount": D("10.00"), "pk": None}
    UnusedCredit.objects.create(**{**{f.attname: getattr(row, f.attname) for f in row._meta.fields[1:]}, **twice})
    assert findings_of(names.UNUSED_ONCE) == [
        f"invoice {row.source_id}: line 1 charges 18 for its unused days, but 28 is credited for them"
    ]


def test_the_database_gives_a_step_of_a_line_once(row):
    row.pk, row.line_no = None, 1
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_tax_that_was_not_charged_on_the_days(row):
    line = InvoiceLine.objects.get(invoice=row.invoice_id, line_no=3)
    line.invoice.tax_details.filter(taxed_line_no=3).update(taxable_amount=D("-17.00"))
    assert findings_of(names.TAXABLE) != []
