"""The audit of what documents say of their tax: a line without an answer and a customer who is exempt have no tax."""

from decimal import Decimal as D

import pytest

from accounts.models import Service
from accounts.services.plans import change_plan
from invoices.models import Invoice, TaxAnswer
from tests.support.audits import names
from tests.support.audits.planting import findings, findings_of
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def half_taxed(acme, process):
    """An invoice of a phone that is taxed, and of a fax whose category no rate covers."""
    TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"phone": "100", "fax": "10"}))
    Service.objects.filter(client_service_id="fax").update(tax_category="telecom")
    invoice = bill(account, process, JAN_10)
    assert (invoice.tax_answer.unanswered, findings()) == ([2], {})
    return invoice


def test_a_line_that_was_taxed_has_no_answer(half_taxed):
    TaxAnswer.objects.update(unanswered=[1, 2])
    of_it = f"invoice {half_taxed.pk} of account {half_taxed.account_id}"
    assert findings() == {names.TAX_ANSWERS: [f"{of_it}: line 1 has no answer for its tax, but tax line 3 taxes it"]}


def test_a_line_without_an_answer_is_not_there(half_taxed):
    TaxAnswer.objects.update(unanswered=[2, 77])
    (found,) = findings_of(names.TAX_ANSWERS)
    assert found.endswith("says that line 77 has no answer for its tax, but has no such line")


def test_an_invoice_with_tax_says_that_the_customer_is_exempt(half_taxed):
    TaxAnswer.objects.update(exemption="exempt", unanswered=[])
    (found,) = findings_of(names.TAX_ANSWERS)
    assert found.endswith("the customer is exempt, but tax line 3 taxes line 1")


def test_an_exempt_customer_gets_the_tax_of_unused_days_back(acme, process):
    """Billed with tax, exempt since, and changed to another plan: the tax that was charged for unused days goes back."""
    TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"phone": "31.00"}))
    bill(account, process, JAN_10)
    account.refresh_from_db()
    account.tax_exemption = "exempt"
    account.save()
    change_plan(
        instance=account.plan_instances.select_related("account").get(),
        plan=a_plan(acme, {"phone": "62.00"}),
        start_date=FEB_10.replace(day=1),
        caller=process,
    )
    invoice = bill(account, process, FEB_10)
    assert (invoice.tax_answer.exemption, invoice.tax_amount) == ("exempt", D("-0.65"))
    assert findings() == {}
    assert Invoice.objects.count() == 2
