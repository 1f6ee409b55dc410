"""Import the customer file: the rows and the catalogue that are created, and the real file to the cent."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.models import Account, Contact, PaymentMethod, Plan, PlanCharge, PlanInstance, RateSchedule, Service
from tests.support.factories import ClientFactory
from tests.support.importing import NO_INTERNET, NO_PHONE, a_file, a_line, acme, imported, refused, run, with_catalogue

__all__ = ["acme", "with_catalogue"]


@pytest.fixture
def newcomer(db):
    """A client without a catalogue."""
    return ClientFactory()


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
