"""No invoice without a buyer or a tax answer by accident: flags, what a client's setting makes of them, and who is exempt."""

import json
from base64 import b64encode
from datetime import date
from decimal import Decimal as D

import pytest
from django.core.exceptions import ValidationError

from accounts.keys import create_key
from accounts.models import Account, Contact, Service
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import Flag, InvoiceStatus, WaitReason
from invoices.management.commands.bill import run_summary
from invoices.models import Invoice, TaxAnswer, TaxRate
from invoices.plan.facts import BillingRequest
from invoices.services.approving.acts import approve_invoices, regenerate_invoices
from invoices.services.billing.generating import generate_invoice
from invoices.services.issuing.generate_preview import preview_invoice
from invoices.services.planning.flags import flags_of, with_flags
from invoices.services.runs.figures import count_flags
from invoices.services.runs.runs import continue_run, start_run
from tests.support.billing import FEB_10, JAN_10, JAN_31, bill
from tests.support.calling import RIGHTS, caller_of
from tests.support.factories import BY_TEST, ContactFactory, TaxRateFactory, a_plan, an_account
from tests.support.outcomes import error_of
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def api(acme, client):
    """The REST API for acme: `api("invoices", acct_no=1)` gives the answer's status and body."""
    secret = create_key(acme, name="integrator", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    headers = {"Authorization": "Basic " + b64encode(f"{acme.pk}:{secret}".encode()).decode()}

    def send(path, **body):
        if not body:
            answer = client.get(f"/api/v1/{path}", headers=headers)
        else:
            answer = client.post(f"/api/v1/{path}/", json.dumps(body), content_type="application/json", headers=headers)
        return answer.status_code, answer.json()

    return send


@pytest.fixture
def taxing(acme):
    """Acme charges tax in California: 7.25 percent."""
    TaxRateFactory(client=acme, name="State", percent=D("7.25"))
    return acme


def moved_to(account, region, country="US"):
    account.contacts.update(region=region, country=country)
    return account


def flags(client, invoice):
    return flags_of(with_flags(Invoice.objects.all(), client).get(pk=invoice.pk))


def a_customer(client, rate="100", **fields):
    return an_account(client, a_plan(client, {"phone": rate}), **fields)


# What is missing.


def test_an_account_without_a_contact_is_held(taxing, process):
    invoice = bill(a_customer(taxing, contact=False), process, JAN_10)
    assert (invoice.status, invoice.tax_amount, invoice.bill_to) == (InvoiceStatus.PENDING, 0, {})
    assert flags(taxing, invoice) == [Flag.FIRST, Flag.NO_ADDRESS]
    assert invoice.tax_answer.missing == "the account has no contact"


@pytest.mark.parametrize("force_pending", [True, False])
def test_force_pending_does_not_lift_the_hold(force_pending, taxing, process):
    invoice = bill(a_customer(taxing, contact=False), process, JAN_10, force_pending=force_pending)
    assert invoice.status == InvoiceStatus.PENDING


def test_a_contact_without_a_country_has_no_address(taxing, process):
    invoice = bill(moved_to(a_customer(taxing), "", ""), process, JAN_10)
    assert (invoice.status, flags(taxing, invoice)) == (InvoiceStatus.PENDING, [Flag.FIRST, Flag.NO_ADDRESS])
    assert invoice.tax_answer.missing == "the contact whose address is taxed has no country"


def test_an_account_without_a_contact_of_the_role_that_is_taxed(taxing, process):
    taxing.taxable_address_order = "billing"
    taxing.save()
    invoice = bill(a_customer(taxing), process, JAN_10)
    assert (invoice.status, flags(taxing, invoice)) == (InvoiceStatus.PENDING, [Flag.FIRST, Flag.NO_ADDRESS])


def test_a_place_that_no_rate_covers(taxing, process):
    invoice = bill(moved_to(a_customer(taxing), "OR"), process, JAN_10)
    assert (invoice.status, flags(taxing, invoice)) == (InvoiceStatus.PENDING, [Flag.FIRST, Flag.NO_RATE])
    assert (invoice.tax_answer.missing, invoice.tax_answer.unanswered) == ("no tax rate for US-OR (standard)", [1])


def test_a_rate_of_zero_is_an_answer(taxing, process):
    TaxRateFactory(client=taxing, name="State", region="OR", percent=D(0))
    invoice = bill(moved_to(a_customer(taxing), "OR"), process, JAN_10)
    assert (invoice.status, invoice.tax_amount, flags(taxing, invoice)) == (InvoiceStatus.APPROVED, 0, [])
    assert not TaxAnswer.objects.exists()


def test_a_rate_that_is_not_valid_yet_is_none(taxing, process):
    TaxRate.objects.update(valid_from=date(2026, 2, 1))
    invoice = bill(a_customer(taxing), process, JAN_10)
    assert (invoice.status, flags(taxing, invoice)) == (InvoiceStatus.PENDING, [Flag.FIRST, Flag.NO_RATE])


def test_a_category_that_no_rate_covers(taxing, process):
    account = an_account(taxing, a_plan(taxing, {"phone": "100", "fax": "10"}))
    Service.objects.filter(client_service_id="fax").update(tax_category="telecom")
    invoice = bill(account, process, JAN_10)
    assert (invoice.status, invoice.tax_amount) == (InvoiceStatus.PENDING, D("7.25"))
    assert (invoice.tax_answer.missing, invoice.tax_answer.unanswered) == ("no tax rate for US-CA (telecom)", [2])


@pytest.mark.parametrize("category", ["zero", "exempt"])
def test_a_service_of_an_untaxed_category_lacks_nothing(category, taxing, process, admin_client):
    account = a_customer(taxing)
    Service.objects.update(tax_category=category)
    invoice = bill(account, process, JAN_10)
    assert (invoice.status, invoice.tax_amount, flags(taxing, invoice)) == (InvoiceStatus.APPROVED, 0, [])
    assert f"not taxed: tax category {category}" in admin_client.get(f"/invoices/{invoice.pk}/").text


def test_a_line_of_nothing_needs_no_rate(taxing, process):
    invoice = bill(moved_to(a_customer(taxing, "0"), "OR"), process, JAN_10)
    assert (invoice.status, invoice.total_amount) == (InvoiceStatus.APPROVED, 0)


def test_a_client_without_any_rate_charges_no_tax(acme, process):
    """Nothing of tax is missing then. That there is no buyer is still flagged."""
    assert bill(moved_to(a_customer(acme), "OR"), process, JAN_10).status == InvoiceStatus.APPROVED
    nobody = bill(a_customer(acme, contact=False), process, JAN_10)
    assert (nobody.status, flags(acme, nobody)) == (InvoiceStatus.APPROVED, [Flag.NO_ADDRESS])


def test_origin_based_rates_need_no_address_of_the_customer(taxing, process):
    """Where the place of supply is the seller's, only the buyer is missing."""
    TaxRate.objects.update(taxed_at="bill_from")
    location = taxing.service_locations.create(client_service_location_id="hq", region="CA", country="US")
    account = moved_to(a_customer(taxing), "", "")
    Service.objects.update(location=location)
    invoice = bill(account, process, JAN_10)
    assert (invoice.status, invoice.tax_amount) == (InvoiceStatus.APPROVED, D("7.25"))


# What the setting says.


def test_allowed_it_is_issued_with_its_flag(taxing, process):
    taxing.missing_tax_data = "allow"
    taxing.save()
    invoice = bill(moved_to(a_customer(taxing), "OR"), process, JAN_10)
    assert (invoice.status, flags(taxing, invoice)) == (InvoiceStatus.APPROVED, [Flag.NO_RATE])


@pytest.mark.parametrize("force_pending", [True, False])
def test_refused_nothing_is_written(force_pending, taxing, process):
    taxing.missing_tax_data = "refuse"
    taxing.save()
    account = moved_to(a_customer(taxing), "OR")
    with pytest.raises(BillingError) as refusal:
        generate_invoice(
            client=taxing,
            account_no=account.pk,
            request=BillingRequest(JAN_10, force_pending=force_pending),
            caller=process,
        )
    assert refusal.value.code is ErrorCode.TAX_DATA_MISSING
    assert refusal.value.message == (
        "Tax data is missing: no tax rate for US-OR (standard). Add the address or a tax rate "
        "(0 percent where there is no tax), or mark the customer as exempt"
    )
    assert not Invoice.objects.exists()


def test_what_was_missing_is_added_and_it_is_recalculated(taxing, process, alice):
    account = a_customer(taxing, contact=False)
    invoice = bill(account, process, JAN_10)
    ContactFactory(account=account)
    (outcome,) = regenerate_invoices(client=taxing, invoice_nos=[invoice.pk], caller=alice, today=JAN_10)
    again = Invoice.objects.get(pk=outcome.invoice_no)
    assert (again.tax_amount, flags(taxing, again)) == (D("7.25"), [Flag.FIRST])


def test_a_person_may_approve_it_as_it_is(taxing, process, alice):
    invoice = bill(moved_to(a_customer(taxing), "OR"), process, JAN_10)
    (outcome,) = approve_invoices(client=taxing, invoice_nos=[invoice.pk], caller=alice, today=JAN_10)
    invoice.refresh_from_db()
    assert (error_of(outcome), invoice.status, flags(taxing, invoice)) == (None, InvoiceStatus.APPROVED, [Flag.NO_RATE])


def test_an_advance_invoice_is_held_too(taxing, process):
    account = moved_to(a_customer(taxing, start=FEB_10), "OR")
    invoice = bill(account, process, JAN_31, advance=True)
    assert (invoice.kind, invoice.status) == ("advance", InvoiceStatus.PENDING)


def test_a_run_counts_what_it_holds(taxing, process, admin_client):
    a_customer(taxing)
    a_customer(taxing, contact=False)
    for region in ("OR", "NV"):
        moved_to(a_customer(taxing), region)
    run = start_run(client=taxing, today=JAN_10, caller=process)
    continue_run(run, caller=process)
    assert count_flags(run) == {Flag.NO_ADDRESS: 1, Flag.NO_RATE: 2}
    assert Invoice.objects.filter(status=InvoiceStatus.PENDING).count() == 3
    shown = admin_client.get(f"/api/v1/billing-runs/{run.pk}/").json()
    assert shown["flags"] == {"no_address": 1, "no_rate": 2}
    assert "No tax rate found" in admin_client.get(f"/billing-runs/{run.pk}/").text
    assert "No tax rate found             2" in run_summary(run)


# At the doors.


def test_the_preview_says_so(taxing, api):
    account = moved_to(a_customer(taxing), "OR")
    status, shown = api("invoices/preview", acct_no=account.pk)
    said = {name: shown[name] for name in ("flags", "missing_tax_data", "tax_exemption")}
    assert (status, said) == (
        200,
        {"flags": ["no_rate"], "missing_tax_data": "no tax rate for US-OR (standard)", "tax_exemption": "none"},
    )
    assert not Invoice.objects.exists()


def test_the_preview_of_the_page_says_so(taxing, admin_client):
    account = moved_to(a_customer(taxing), "OR")
    request = BillingRequest(JAN_10)
    assert preview_invoice(client=taxing, account_no=account.pk, request=request).pending_because == (WaitReason.TAX_DATA,)
    assert "no tax rate for US-OR (standard)" in admin_client.get(f"/accounts/{account.pk}/generate/").text


def test_the_api_shows_and_finds_flags(taxing, process, api):
    taxed = bill(a_customer(taxing), process, JAN_10)
    held = bill(moved_to(a_customer(taxing), "OR"), process, JAN_10)
    nobody = bill(a_customer(taxing, contact=False), process, JAN_10)
    assert api(f"invoices/{taxed.pk}/")[1]["flags"] == []
    shown = api(f"invoices/{held.pk}/")[1]
    assert (shown["flags"], shown["missing_tax_data"]) == (["first", "no_rate"], "no tax rate for US-OR (standard)")

    def found(flag):
        return {row["invoice_no"] for row in api(f"invoices/?flag={flag}")[1]["results"]}

    assert found("no_rate") == {held.pk}
    assert found("no_rate,no_address") == {held.pk, nobody.pk}
    assert found("first") == {held.pk, nobody.pk}
    assert api("invoices/?flag=strange")[0] == 400


def test_gen_invoice_answers_as_of_any_pending_one(taxing):
    account = moved_to(a_customer(taxing), "OR")
    answer = caller_of(taxing)("gen_invoice", acct_no=account.pk, force_pending="false")
    assert answer["error_code"] == 0
    assert Invoice.objects.get(pk=answer["invoice_no"]).status == InvoiceStatus.PENDING


def test_the_queue_and_the_page_say_so(taxing, process, admin_client):
    held = bill(moved_to(a_customer(taxing), "OR"), process, JAN_10)
    assert "No tax rate found" in admin_client.get("/invoices/pending/").text
    page = admin_client.get(f"/invoices/{held.pk}/").text
    assert "no tax rate for US-OR (standard)." in page
    assert "Add the data and recalculate the document" in page
    assert "No tax rate found" in admin_client.get(f"/invoices/pending/{held.pk}/").text
    assert admin_client.get("/invoices/", {"flag": "no_rate"}).status_code == 200


# Rebills.


def test_a_rebill_to_a_place_that_no_rate_covers_is_held(taxing, process):
    account = a_customer(taxing)
    invoice = bill(account, process, JAN_10)
    assert invoice.status == InvoiceStatus.APPROVED
    ContactFactory(account=account, contact_no=2, role="other", region="OR")
    rebill = rebilled(invoice, process, line(1, ship_to_address_seq=2), today=JAN_31)
    assert (rebill.status, rebill.tax_amount) == (InvoiceStatus.PENDING, 0)
    assert (rebill.tax_answer.missing, rebill.tax_answer.unanswered) == ("no tax rate for US-OR (standard)", [1])


def test_the_preview_of_a_rebill_says_so(taxing, process, api):
    account = a_customer(taxing)
    invoice = bill(account, process, JAN_10)
    ContactFactory(account=account, contact_no=2, role="other", region="OR")
    status, shown = api("rebills/preview", invoice_no=invoice.pk, lines=[{"line_no": 1, "ship_to_address_seq": 2}])
    assert (status, shown["flags"], shown["waits_for_approval"]) == (200, ["no_rate"], True)
    taxing.missing_tax_data = "refuse"
    taxing.save()
    status, answer = api("rebills/preview", invoice_no=invoice.pk, lines=[{"line_no": 1, "ship_to_address_seq": 2}])
    assert (status, answer["error_code"]) == (409, 90075)


def test_a_rebill_keeps_what_is_missing_of_kept_lines(taxing, process, alice):
    invoice = bill(moved_to(a_customer(taxing), "OR"), process, JAN_10)
    approve_invoices(client=taxing, invoice_nos=[invoice.pk], caller=alice, today=JAN_10)
    invoice.refresh_from_db()
    TaxRate.objects.all().delete()
    rebill = rebilled(invoice, process, 1, today=JAN_31)
    assert (rebill.status, rebill.tax_answer.missing) == (InvoiceStatus.PENDING, "no tax rate for US-OR (standard)")


def test_a_rebill_of_an_exempt_invoice_is_exempt(taxing, process):
    account = a_customer(taxing)
    exempt(account)
    invoice = bill(account, process, JAN_10)
    Account.objects.update(tax_exemption="none", tax_exemption_reason="")
    rebill = rebilled(invoice, process, line(1, amount="90"), today=JAN_31)
    assert (rebill.status, rebill.total_amount) == (InvoiceStatus.APPROVED, 90)
    assert (rebill.tax_answer.exemption, rebill.tax_answer.reason) == ("exempt", "School, certificate 42")


def test_a_rebill_does_not_call_taxed_lines_exempt(taxing, process):
    account = a_customer(taxing)
    invoice = bill(account, process, JAN_10)
    exempt(account)
    rebill = rebilled(invoice, process, 1, today=JAN_31)
    assert rebill.tax_amount == D("7.25")
    assert not TaxAnswer.objects.exists()


# Who is exempt.


def exempt(row, **days):
    row.tax_exemption, row.tax_exemption_reason = "exempt", "School, certificate 42"
    for name, day in days.items():
        setattr(row, f"tax_exemption_{name}", day)
    row.full_clean()
    row.save()
    return row


def test_an_exempt_customer_is_charged_no_tax_and_the_documents_say_why(taxing, process, api, admin_client):
    account = exempt(a_customer(taxing))
    invoice = bill(account, process, JAN_10)
    assert (invoice.status, invoice.tax_amount, flags(taxing, invoice)) == (InvoiceStatus.APPROVED, 0, [])
    said = "Exempt from tax: School, certificate 42"
    for address in (f"/invoices/{invoice.pk}/", f"/invoices/{invoice.pk}/print/"):
        assert said in admin_client.get(address).text
    answer = caller_of(taxing)("get_statement_for_invoice", acct_no=account.pk, invoice_no=invoice.pk)
    assert said in answer["out_statement"]
    shown = api(f"invoices/{invoice.pk}/")[1]
    assert (shown["tax_exemption"], shown["tax_exemption_reason"]) == ("exempt", "School, certificate 42")
    assert bill(a_customer(taxing), process, JAN_10).tax_amount == D("7.25")


def test_an_exempt_customer_elsewhere_lacks_no_rate(taxing, process):
    invoice = bill(moved_to(exempt(a_customer(taxing)), "OR"), process, JAN_10)
    assert (invoice.status, flags(taxing, invoice)) == (InvoiceStatus.APPROVED, [])


@pytest.mark.parametrize(
    ("first", "last", "tax"),
    [
        (None, None, "0"),
        (JAN_10, JAN_10, "0"),
        (date(2026, 1, 11), None, "7.25"),
        (None, date(2026, 1, 9), "7.25"),
    ],
)
def test_an_exemption_holds_on_its_days(first, last, tax, taxing, process):
    account = exempt(a_customer(taxing), **{"from": first, "to": last})
    assert bill(account, process, JAN_10).tax_amount == D(tax)


def test_the_contact_whose_address_is_taxed_may_be_exempt(taxing, process, admin_client):
    account = a_customer(taxing)
    contact = account.contacts.get()
    contact.tax_exemption = "reverse_charge"
    contact.save()
    invoice = bill(account, process, JAN_10)
    assert invoice.tax_amount == 0
    assert "Reverse charge: the customer owes the tax" in admin_client.get(f"/invoices/{invoice.pk}/print/").text


def test_rest_takes_and_shows_exemptions(taxing, api):
    status, account = api("accounts", client_acct_id="school", currency="usd", tax_exemption="exempt")
    assert (status, account["tax_exemption"], account["tax_exemption_reason"]) == (201, "exempt", "")
    members = {"tax_exemption": "reverse_charge", "tax_exemption_reason": "Art. 196", "tax_exemption_from": "2026-01-01"}
    status, contact = api("contacts", acct_no=account["acct_no"], contact_no=1, name="Ada", **members)
    assert (status, {name: contact[name] for name in members}) == (201, members)
    assert contact["tax_exemption_to"] is None


def test_days_that_end_before_they_begin_are_refused(taxing, api):
    days = {"tax_exemption_from": "2026-02-01", "tax_exemption_to": "2026-01-01"}
    status, answer = api("accounts", client_acct_id="school", currency="usd", tax_exemption="exempt", **days)
    assert (status, answer["errors"]) == (400, {"tax_exemption_to": ["The exemption ends before it begins."]})


def test_a_reason_without_an_exemption_is_refused(taxing):
    account = a_customer(taxing)
    account.tax_exemption_reason = "School"
    with pytest.raises(ValidationError, match="Choose the exemption"):
        account.full_clean()


def test_exemptions_have_a_history(taxing):
    account = exempt(a_customer(taxing))
    assert account.history.first().tax_exemption == "exempt"
    contact = exempt(Contact.objects.get(account=account))
    assert contact.history.first().tax_exemption_reason == "School, certificate 42"
