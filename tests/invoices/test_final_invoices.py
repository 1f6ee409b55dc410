"""The last cycle of plans that have ended is billed at once, before the account's next bill date."""

from datetime import date
from decimal import Decimal as D

import pytest
from time_machine import travel

from accounts.services.accounts import create_client
from accounts.services.plans import end_plan_instance
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice
from invoices.services.approving.acts import approve_invoices, regenerate_invoices
from invoices.services.undoing.voiding import void_invoice
from tests.support.accounts_api import API, with_key
from tests.support.billing import ARREARS, USAGE, bill, charged
from tests.support.factories import BY_TEST, PlanFactory, a_charge, a_plan, an_account, an_instance, some_usage

APR_1, APR_15, APR_16, MAY_1 = date(2031, 4, 1), date(2031, 4, 15), date(2031, 4, 16), date(2031, 5, 1)


@pytest.fixture
def leaving(acme, process):
    """A customer with usage and a fee in arrears, who leaves on 15 April."""
    plan = PlanFactory(client=acme)
    a_charge(plan, "calls", "2.00", USAGE)
    a_charge(plan, "care", "30.00", ARREARS)
    account = an_account(acme, plan, start=APR_1)
    bill(account, process, APR_1)
    instance = account.plan_instances.get()
    some_usage(instance, "calls", "7", APR_15)
    end_plan_instance(instance, APR_15, caller=BY_TEST)
    account.refresh_from_db()
    return account


def final(account, process, day=APR_16, **request):
    return bill(account, process, day, final=True, **request)


def refused(account, process, day=APR_16, **request):
    with pytest.raises(BillingError) as error:
        final(account, process, day, **request)
    return error.value.code


LEFT = [("Calls", D(14)), ("Care", D(15))]


@pytest.mark.usefixtures("audited")
class TestFinal:
    def test_what_is_left_is_billed_on_the_day_after_the_end(self, leaving, process):
        invoice = final(leaving, process)
        assert sorted((row[0], row[2]) for row in charged(invoice)) == LEFT
        assert (invoice.kind, invoice.bill_date, leaving.next_bill_date) == ("recurring", APR_16, None)
        with pytest.raises(BillingError) as error:
            bill(leaving, process, MAY_1)
        assert error.value.code is ErrorCode.NO_BILLABLE_PLAN

    def test_usage_that_comes_later_is_not_lost(self, leaving, process):
        final(leaving, process)
        instance = leaving.plan_instances.get()
        an_instance(leaving, a_plan(leaving.client, {"line": "30.00"}), date(2031, 4, 20))
        some_usage(instance, "calls", "3", APR_15)
        found = [(row[0], row[2]) for row in charged(bill(leaving, process, MAY_1))]
        assert sorted(found) == [("Calls", D(6)), ("Line", D(11)), ("Line", D(30))]

    def test_pending_it_is_approved_regenerated_and_voided(self, leaving, process, acme):
        pending = final(leaving, process, force_pending=True)
        assert leaving.next_bill_date == MAY_1
        some_usage(leaving.plan_instances.get(), "calls", "1", APR_15)
        regenerate_invoices(client=acme, invoice_nos=[pending.pk], caller=process, today=APR_16)
        again = Invoice.objects.get(status="pending")
        assert sorted((row[0], row[2]) for row in charged(again)) == [("Calls", D(16)), ("Care", D(15))]
        approve_invoices(client=acme, invoice_nos=[again.pk], caller=process, today=APR_16)
        leaving.refresh_from_db()
        assert leaving.next_bill_date is None
        void_invoice(client=acme, invoice_no=again.pk, caller=process, today=APR_16, reason_code=5)
        leaving.refresh_from_db()
        assert leaving.next_bill_date == MAY_1
        assert len(charged(bill(leaving, process, MAY_1))) == 2

    def test_it_is_refused_while_a_plan_runs_and_on_the_last_day(self, leaving, process):
        assert refused(leaving, process, APR_15) is ErrorCode.NOT_FINAL
        assert refused(leaving, process, advance=True) is ErrorCode.NOT_FINAL
        an_instance(leaving, a_plan(leaving.client), MAY_1)
        assert refused(leaving, process) is ErrorCode.NOT_FINAL

    def test_several_months_that_were_not_billed_are_on_one_final_invoice(self, acme, process):
        account = an_account(acme, a_plan(acme, {"line": "30.00"}), start=date(2031, 1, 1))
        end_plan_instance(account.plan_instances.get(), APR_15, caller=BY_TEST)
        account.refresh_from_db()
        assert [row[2] for row in charged(final(account, process))] == [D(30), D(30), D(30), D(15)]
        assert account.next_bill_date is None


@pytest.mark.django_db
def test_rest_previews_and_generates_it(leaving, acme):
    api = with_key(acme)
    with travel("2031-04-16T12:00:00Z", tick=False):
        body = {"acct_no": leaving.pk}
        assert api.post(f"{API}/invoices/", body, format="json").json()["error_code"] == 7007
        body["final"] = True
        assert api.post(f"{API}/invoices/preview/", body, format="json").json()["net_amount"] == "29.00"
        other, _, _ = create_client(name="Other", caller=BY_TEST)
        assert with_key(other).post(f"{API}/invoices/", body, format="json").json()["error_code"] == 1009
        answer = api.post(f"{API}/invoices/", body, format="json")
        assert (answer.status_code, answer.json()["net_amount"]) == (201, "29.00")
