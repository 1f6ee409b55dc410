"""CSV files of master data: what comes in is checked as on the pages, and is of the client that it is for."""

import csv
import html
import io
from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.kinds import ChargeType
from accounts.models import Account, Contact, Plan, PlanCharge, RateSchedule, Service, ServiceLocation
from invoices.models import ReasonCode, TaxRate
from tests.support.admin_pages import list_url, page_url, texts
from tests.support.factories import AccountFactory, ContactFactory, ServiceFactory, TaxRateFactory, a_charge, a_plan, an_account

SERVICE = "client_service_id,name,gl_code,tax_category,tax_inclusive"
USAGE = ChargeType.USAGE.value
ACCOUNT = "client_acct_id,status,currency,payment_terms_days"


def staff(*clients, rights=None):
    user = get_user_model().objects.create(username="biller", is_staff=True)
    permissions = Permission.objects.all()
    user.user_permissions.set(permissions.filter(codename__in=rights) if rights is not None else permissions)
    user.clients.set(clients)
    return user


@pytest.fixture
def signed_in(client, acme, umbra):
    """Staff who work for acme only."""
    client.force_login(staff(acme))
    return client


def tried(signed_in, model, *lines):
    """Return the page that shows what a file would change, or its errors."""
    file = SimpleUploadedFile("rows.csv", "\n".join(lines).encode(), "text/csv")
    return signed_in.post(page_url(model, "import"), {"import_file": file, "format": "0", "resource": ""})


def taken(signed_in, model, *lines):
    page = tried(signed_in, model, *lines)
    assert "confirm_form" in page.context, faults(page)
    response = signed_in.post(page_url(model, "process_import"), page.context["confirm_form"].initial, follow=True)
    (told,) = texts(response)
    return told


def faults(page):
    result = page.context["result"]
    return (
        [str(row.error_dict) for row in result.invalid_rows]
        + [str(error.error) for error in result.base_errors]
        + [str(error.error) for _, errors in result.row_errors() for error in errors]
    )


def written(signed_in, model, **filters):
    response = signed_in.post(page_url(model, "export"), {"format": "0", "resource": ""}, query_params=filters)
    assert response["Content-Type"] == "text/csv", response.content
    return list(csv.DictReader(io.StringIO(response.content.decode())))


def test_a_file_is_tried_before_it_is_taken(signed_in, acme):
    page = tried(signed_in, Service, SERVICE, "s-1,Phone,4000,telecom,0")
    assert not Service.objects.exists()
    assert "Phone" in page.content.decode()
    told = taken(signed_in, Service, SERVICE, "s-1,Phone,4000,telecom,0", "s-2,Line,4000,standard,1")
    assert told == "Import finished: 2 new, 0 updated, 0 deleted and 0 skipped services."
    assert list(Service.objects.values_list("client", "client_service_id", "tax_inclusive")) == [
        (acme.pk, "s-1", False),
        (acme.pk, "s-2", True),
    ]


def test_a_row_that_is_there_is_changed_and_its_history_names_the_user(signed_in, acme):
    service = ServiceFactory(client=acme, client_service_id="s-1", name="Phone")
    same = ServiceFactory(client=acme, client_service_id="s-2")
    as_it_is = f"s-2,{same.name},{same.gl_code},{same.tax_category},0"
    told = taken(signed_in, Service, SERVICE, "s-1,Telephone,4000,telecom,0", as_it_is)
    assert told == "Import finished: 0 new, 1 updated, 0 deleted and 1 skipped services."
    newest = service.history.first()
    assert (newest.name, newest.history_user.username, same.history.count()) == ("Telephone", "biller", 1)


def test_every_fault_is_told_by_its_row_and_nothing_is_taken(signed_in):
    page = tried(signed_in, Service, SERVICE, "s-1,Phone,4000,telecom,0", "s-2,,4000,telecom,0", f"s-3,{'x' * 300},1,2,0")
    assert "confirm_form" not in page.context
    assert len(faults(page)) == 2
    assert "name" in faults(page)[0]
    assert not Service.objects.exists()


def test_a_file_whose_rows_have_changed_since_is_taken_whole_or_not_at_all(signed_in, acme):
    page = tried(signed_in, Service, f"{SERVICE},client_service_location_id", "s-1,A,1,standard,0,", "s-2,B,1,standard,0,")
    confirm = page.context["confirm_form"].initial
    acme.staff.clear()
    response = signed_in.post(page_url(Service, "process_import"), confirm, follow=True)
    assert texts(response) == ["Nothing was imported, because rows changed after the preview. Preview the file again."]
    assert not Service.objects.exists()


def test_another_clients_number_is_a_fault(signed_in, umbra):
    theirs = ServiceFactory(client=umbra, client_service_id="s-1", name="Theirs")
    page = tried(signed_in, Service, f"client_no,{SERVICE}", f"{umbra.pk},s-1,Mine,4000,telecom,0", "x,s-2,B,1,standard,0")
    assert ["one of your clients" in fault for fault in faults(page)] == [True, True]
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"


def test_the_same_name_of_another_client_is_another_row(signed_in, acme, umbra):
    theirs = ServiceFactory(client=umbra, client_service_id="s-1", name="Theirs")
    taken(signed_in, Service, SERVICE, "s-1,Mine,4000,telecom,0")
    theirs.refresh_from_db()
    assert (theirs.name, Service.objects.get(client=acme).name) == ("Theirs", "Mine")


def test_who_works_for_several_clients_names_one(client, acme, umbra):
    client.force_login(staff(acme, umbra))
    assert len(faults(tried(client, Service, SERVICE, "s-1,Phone,4000,telecom,0"))) == 1
    taken(client, Service, f"client_no,{SERVICE}", f"{umbra.pk},s-1,Phone,4000,telecom,0")
    assert Service.objects.get().client == umbra


def test_a_service_names_its_location_by_the_clients_name(signed_in, acme, umbra):
    hq = ServiceLocation.objects.create(client=acme, client_service_location_id="HQ")
    ServiceLocation.objects.create(client=umbra, client_service_location_id="North")
    columns = f"{SERVICE},client_service_location_id"
    taken(signed_in, Service, columns, "s-1,Phone,4000,telecom,0,HQ")
    assert Service.objects.get().location == hq
    assert faults(tried(signed_in, Service, columns, "s-2,Line,4000,telecom,0,North")) == [
        "{'location': ['North does not exist']}"
    ]


def test_what_is_written_comes_back_the_same_and_holds_no_formula(signed_in, acme):
    ServiceFactory(client=acme, client_service_id="s-1", name="=1+1")
    (row,) = written(signed_in, Service)
    assert row["name"] == "'=1+1"
    taken(signed_in, Service, ",".join(row), ",".join(row.values()))
    assert Service.objects.get().name == "=1+1"


def test_only_own_rows_that_the_list_shows_are_written(signed_in, acme, umbra):
    for one, name in ((acme, "a"), (acme, "b"), (umbra, "c")):
        AccountFactory(client=one, client_acct_id=name)
    assert [row["client_acct_id"] for row in written(signed_in, Account)] == ["a", "b"]
    assert [row["client_acct_id"] for row in written(signed_in, Account, q="b")] == ["b"]


@pytest.mark.parametrize("rights", [["view_service"], ["view_service", "add_service"], ["view_service", "change_service"]])
def test_who_may_not_add_and_change_brings_no_file(client, acme, rights):
    client.force_login(staff(acme, rights=rights))
    assert client.get(page_url(Service, "import")).status_code == 403
    assert page_url(Service, "import") not in client.get(list_url(Service)).content.decode()
    assert client.get(page_url(Service, "export")).status_code == 200


# Plans and prices


PRICE = "client_plan_id,client_service_id,line_type,currency,model,rate_per_unit,valid_from,bands"


def test_a_plan_with_its_charges_and_prices(signed_in, acme):
    ServiceFactory(client=acme, client_service_id="data")
    taken(signed_in, Plan, "client_plan_id,name,billing_interval,term_months", "p-1,Data,1,0")
    taken(signed_in, PlanCharge, "client_plan_id,client_service_id,line_type", f"p-1,data,{USAGE}")
    lines = [f"p-1,data,{USAGE},usd,tiered,,,0:0.10 100:0.05", f"p-1,data,{USAGE},eur,per_unit,0.2,2026-02-01,"]
    taken(signed_in, RateSchedule, PRICE, *lines)
    banded, plain = RateSchedule.objects.order_by("pk")
    assert [(band.from_unit, band.rate_per_unit) for band in banded.tiers.all()] == [
        (0, Decimal("0.1")),
        (100, Decimal("0.05")),
    ]
    assert (plain.rate_per_unit, plain.valid_from) == (Decimal("0.2"), date(2026, 2, 1))


def test_a_price_comes_back_the_same_and_is_changed_by_the_service(signed_in, acme):
    charge = a_charge(a_plan(acme, client_plan_id="p-1"), "data", tiers={"0": "3", "10": "2"})
    price = charge.rates.get()
    rows = [row for row in written(signed_in, RateSchedule) if row["client_service_id"] == "data"]
    told = taken(signed_in, RateSchedule, ",".join(rows[0]), ",".join(rows[0].values()))
    assert "0 new, 0 updated, 0 deleted and 1 skipped" in told
    line = "p-1,data,1,usd,tiered,,1900-01-01,0:4"
    assert "1 updated" in taken(signed_in, RateSchedule, PRICE, line)
    assert [band.rate_per_unit for band in price.tiers.all()] == [4]


def test_a_price_that_the_service_refuses_is_a_fault(signed_in, acme):
    a_charge(a_plan(acme, client_plan_id="p-1"), "data", "1")
    lines = ["p-1,data,1,eur,tiered,,,5:0.10", "p-1,data,1,eur,tiered,,,none", "p-1,data,8,eur,per_unit,1,,"]
    page = tried(signed_in, RateSchedule, PRICE, *lines)
    assert len(faults(page)) == 3
    assert RateSchedule.objects.filter(currency="eur").count() == 0


# Accounts and contacts


def test_an_account_inherits_the_approval_setting_as_on_every_door(client, acme, umbra):
    client.force_login(staff(umbra))
    taken(client, Account, ACCOUNT, "A-1,1,usd,14")
    account = Account.objects.get()
    assert (account.client, account.payment_terms_days, account.invoice_approval_required) == (umbra, 14, True)


def test_an_account_keeps_what_it_was_made_with_and_what_billing_moved(signed_in, acme):
    account = an_account(acme, client_acct_id="A-1")
    page = tried(signed_in, Account, f"{ACCOUNT},bill_day", "A-1,1,eur,14,10")
    assert "currency" in faults(page)[0]
    taken(signed_in, Account, f"{ACCOUNT},bill_day", "A-1,2,usd,14,")
    before = account.next_bill_date
    account.refresh_from_db()
    assert (account.status, account.payment_terms_days, account.bill_day, account.next_bill_date) == (2, 14, 10, before)


def test_contacts_name_their_account_by_the_clients_name(signed_in, acme, umbra):
    account = AccountFactory(client=acme, client_acct_id="A-1")
    ContactFactory(account=AccountFactory(client=umbra, client_acct_id="A-1"), name="Theirs")
    columns = "client_acct_id,contact_no,role,name,phone,country"
    taken(signed_in, Contact, columns, "A-1,1,account,Ada,+1 555,US", "A-1,2,billing,Bob,,US")
    assert list(account.contacts.values_list("contact_no", "name", "phone")) == [(1, "Ada", "+1 555"), (2, "Bob", "")]
    taken(signed_in, Contact, columns, "A-1,1,account,Grace,,US")
    assert sorted(Contact.objects.values_list("name", flat=True)) == ["Bob", "Grace", "Theirs"]
    assert [row["client_acct_id"] for row in written(signed_in, Contact)] == ["A-1", "A-1"]


# Tax rates and reasons


def test_tax_rates_come_and_are_changed(signed_in, acme):
    TaxRateFactory(client=acme)
    (row,) = written(signed_in, TaxRate)
    row["percent"] = "9.5"
    assert "1 updated" in taken(signed_in, TaxRate, ",".join(row), ",".join(row.values()))
    assert TaxRate.objects.get().percent == Decimal("9.5")
    row["percent"] = "101"
    assert len(faults(tried(signed_in, TaxRate, ",".join(row), ",".join(row.values())))) == 1


def test_staff_bring_reasons_of_their_client_and_superusers_common_ones(signed_in, admin_client, acme):
    columns = "client_no,type,code,name,is_active"
    assert len(faults(tried(signed_in, ReasonCode, columns, ",refund,900,Common,1"))) == 1
    taken(signed_in, ReasonCode, columns, f"{acme.pk},refund,900,Own,1")
    taken(admin_client, ReasonCode, columns, ",refund,900,Common,1")
    rows = ReasonCode.objects.filter(code=900).order_by("name")
    assert [(row.client, row.name) for row in rows] == [(None, "Common"), (acme, "Own")]


def test_places_are_kept_by_their_codes(signed_in, acme):
    account = AccountFactory(client=acme)
    header = "client_acct_id,contact_no,role,name,region,country"
    taken(signed_in, Contact, header, f"{account.client_acct_id},1,account,Ada,california,United States")
    assert account.contacts.values_list("country", "region").get() == ("US", "CA")
    (fault,) = faults(tried(signed_in, Contact, header, f"{account.client_acct_id},2,account,Ada,,Narnia"))
    assert "Narnia is not a country." in fault


def test_an_unknown_tax_category_is_a_fault(signed_in):
    (fault,) = faults(tried(signed_in, Service, SERVICE, "s-1,Phone,4000,standrad,0"))
    assert "standrad is not a tax category of this client" in fault
    header = "name,country,region,category,percent,taxed_at,valid_from,valid_to"
    (fault,) = faults(tried(signed_in, TaxRate, header, "VAT,DE,,standrad,19,ship_to,2020-01-01,"))
    assert "standrad is not a tax category of this client" in fault


# Files as spreadsheets write them.


@pytest.mark.parametrize(
    "content",
    [
        "client_service_id;name;gl_code\nmin;Minutes;4000\n",
        "client_service_id\tname\tgl_code\r\nmin\tMinutes\t4000\r\n",
        "sep=;\r\nclient_service_id;name;gl_code\r\nmin;Minutes;4000\r\n",
        "\ufeffClient_Service_ID, Name ,GL_CODE\nmin,Minutes,4000\n,,\n,,\n",
        "client_service_id,name,gl_code\rmin,Minutes,4000\r",
        "client_service_id,name,gl_code,tax_category\nmin,Minutes,4000\n",
    ],
)
def test_files_of_spreadsheets_are_read(signed_in, acme, content):
    taken(signed_in, Service, content)
    assert list(Service.objects.values_list("client", "client_service_id", "name", "gl_code")) == [
        (acme.pk, "min", "Minutes", "4000")
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('client_service_id,name\nmin,"Minutes\n', "The file cannot be read: line 2 is not a CSV row: a quote is opened"),
        ("client_service_id,name\nmin,Minutes,4000\n", "The file cannot be read: line 2 has 3 fields, but the header has 2."),
        ("client_service_id,client_service_id\nmin,max\n", "has a column twice: client_service_id"),
        ("sep=ab\nclient_service_id,name\n", "line 1 says sep=ab, which is not a separator"),
    ],
)
def test_files_that_cannot_be_read_say_why(signed_in, content, why):
    page = tried(signed_in, Service, content)
    assert why in str(page.context["form"].errors["import_file"])
    assert not Service.objects.exists()


@pytest.mark.parametrize(
    ("model", "header", "row", "fault"),
    [
        (Contact, "client_acct_id,contact_no,role,name,mail", "A-1,1,account,Ada,a@b.example", "`mail`. Did you mean `email`?"),
        (Account, f"{ACCOUNT},bill_days", "A-2,1,usd,30,5", "`bill_days`. Did you mean `bill_day`?"),
        (
            Service,
            f"{SERVICE},warehouse",
            "s-1,Phone,4000,telecom,0,HQ",
            "`warehouse`. Known here: buyer_item_number, classifications, client_no, ",
        ),
        (Plan, "client_plan_id,name,billing_interval,term_month", "p,P,1,12", "`term_month`. Did you mean `term_months`?"),
        (
            TaxRate,
            "name,country,percent,valid_from,valid_unto",
            "VAT,DE,19,2031-01-01,",
            "`valid_unto`. Did you mean `valid_to`?",
        ),
        (ReasonCode, "type,code,name,active", "refund,900,Own,0", "`active`. Did you mean `is_active`?"),
        (
            PlanCharge,
            "client_plan_id,client_service_id,line_type,rate",
            "p,tv,1,5",
            "`rate`. Known here: billing_interval, client_no, ",
        ),
        (
            RateSchedule,
            "client_plan_id,client_service_id,line_type,currency,model,rate_per_unit,minimum,valid_from",
            "p,tv,1,usd,per_unit,5,9,2031-01-01",
            "`minimum`. Did you mean `minimum_amount`?",
        ),
    ],
)
def test_an_unknown_column_is_refused_and_nothing_is_taken(signed_in, acme, model, header, row, fault):
    an_account(acme, a_plan(acme, {"tv": "5"}, client_plan_id="p"), client_acct_id="A-1")
    before = model.objects.count()
    page = tried(signed_in, model, header, row)
    assert "confirm_form" not in page.context
    assert any(f"Unknown column {fault}" in one for one in faults(page)), faults(page)
    assert f"Unknown column {fault}" in html.unescape(page.content.decode())
    assert model.objects.count() == before


def test_a_decimal_comma_is_named(signed_in, acme):
    page = tried(signed_in, TaxRate, "name;country;percent;valid_from\nVAT;DE;19,5;2031-01-01")
    assert "Write decimals with a point" in str(faults(page))
    assert not TaxRate.objects.exists()


@pytest.mark.parametrize("percent", ["1e1", "1E+1"])
def test_an_exponent_is_named(signed_in, acme, percent):
    page = tried(signed_in, TaxRate, "name;country;percent;valid_from", f"VAT;DE;{percent};2031-01-01")
    assert "Write all its digits: 100, not 1e2." in str(faults(page))
    assert not TaxRate.objects.exists()


def test_bands_with_exponents_are_refused(signed_in, acme):
    a_charge(a_plan(acme, {"tv": "5"}, client_plan_id="p"), "minutes", line_type=USAGE, tiers={"0": "9"})
    header = "client_plan_id,client_service_id,line_type,currency,model,bands,valid_from"
    page = tried(signed_in, RateSchedule, header, "p,minutes,6,usd,tiered,0:0.1 1e2:0.5,2031-01-01")
    assert "Write bands like this: 0:0.10 100:0.05" in str(faults(page))
    assert RateSchedule.objects.count() == 2


def test_computed_doubles_are_rounded(signed_in, acme):
    a_charge(a_plan(acme, {"tv": "5"}, client_plan_id="p"), "minutes", line_type=USAGE, tiers={"0": "9"})
    header = "client_plan_id,client_service_id,line_type,currency,model,rate_per_unit,bands,valid_from"
    taken(
        signed_in,
        RateSchedule,
        header,
        "p,tv,1,usd,per_unit,0.30000000000000004,,2031-01-01",
        "p,minutes,6,usd,tiered,,0:0.1 33.333333333333336:0.6666666666666666,2031-01-01",
    )
    price, banded = RateSchedule.objects.filter(valid_from=date(2031, 1, 1)).order_by("pk")
    assert price.rate_per_unit == Decimal("0.3")
    assert [(one.from_unit, one.rate_per_unit) for one in banded.tiers.all()] == [
        (0, Decimal("0.1")),
        (Decimal("33.3333333333"), Decimal("0.6666666667")),
    ]
