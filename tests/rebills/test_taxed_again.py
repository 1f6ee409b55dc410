"""Taxes that a rebill counts again: where an address was put right, where a person asks for it; and where it must not."""

import json
from decimal import Decimal as D

import pytest
from django.test import Client as Browser

from accounts.keys import create_key
from accounts.models import Client, Contact, ServiceLocation
from billing_site.common.guards import lifted
from invoices.models import Invoice, TaxRate
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, ContactFactory, ServiceFactory, TaxRateFactory, a_plan, an_account
from tests.support.money_api import post, with_key
from tests.support.reading_pages import words
from tests.support.rebilling import a_request, line, made_before_tax_was_kept, previewed, rebilled

pytestmark = pytest.mark.usefixtures("audited", "end_of_january")


@pytest.fixture
def auth_key(acme):
    return create_key(acme, name="integrator", may_rebill=True, caller=BY_TEST)[1]


@pytest.fixture
def api(acme):
    return with_key(acme, may_rebill=True)


@pytest.fixture
def call(acme, auth_key):
    """Call gen_rb_m for an invoice, with the changes of its lines by number."""

    def gen_rb_m(invoice, lines, **members):
        services = dict(invoice.lines.values_list("line_no", "service_id"))
        items = [{"line_no": number, "service_no": services[number], **said} for number, said in lines.items()]
        body = {"acct_no": invoice.account_id, "orig_invoice_no": invoice.pk, "reason_cd": 1, "rb_line_items": items}
        sent = {"client_no": acme.pk, "auth_key": auth_key, **body, **members}
        answer = Browser().post("/api/v1/rebills/gen_rb_m/", json.dumps(sent), content_type="application/json").json()
        assert answer["error_code"] == 0, answer
        return Invoice.objects.get(pk=answer["invoice_no"])

    return gen_rb_m


@pytest.fixture
def invoice(acme, process):
    """A hosting line of 1,000.00 in California, and 72.50 of tax."""
    TaxRateFactory(client=acme, percent=D("7.25"))
    TaxRateFactory(client=acme, region="TX", percent=D("8.25"))
    return bill(an_account(acme, a_plan(acme, {"hosting": "1000.00"})), process, JAN_10)


def put_right(invoice, region, city="Portland"):
    Contact.objects.filter(account=invoice.account).update(region=region, city=city)


def carried(invoice, **members):
    return {"invoice_no": invoice.pk, "reason_code": 1, "unlisted_lines": "carry", **members}


MOVES = [("OR", "0.00", "-72.50"), ("TX", "82.50", "10.00")]


@pytest.mark.parametrize(("region", "tax", "difference"), MOVES)
def test_the_tax_follows_an_address_that_was_put_right_in_place(api, invoice, region, tax, difference):
    put_right(invoice, region)
    seen = post(api, "rebills/preview", carried(invoice), 200)
    assert (seen["rebill"]["tax_amount"], seen["difference"]["total_amount"]) == (tax, difference)
    was, now = "2 Side Street, Fresno, CA, 93650, US", f"2 Side Street, Portland, {region}, 93650, US"
    assert seen["lines"][0]["taxed_again"] == [f"bill-to address {was} -> {now}", f"ship-to address {was} -> {now}"]
    made = post(api, "rebills", carried(invoice, fingerprint=seen["fingerprint"]), 201)
    assert (made["tax_amount"], made["bill_to"]["region"]) == (tax, region)


@pytest.mark.parametrize(("region", "tax", "difference"), MOVES)
def test_the_tax_follows_an_address_that_gen_rb_m_names(call, invoice, region, tax, difference):
    put_right(invoice, region)
    rebill = call(invoice, {1: {"bill_to_address_seq": 1, "ship_to_address_seq": 1}})
    assert (rebill.tax_amount, rebill.bill_to["region"]) == (D(tax), region)
    assert rebill.total_amount - invoice.total_amount == D(difference)


def test_a_rebill_of_the_rebill_takes_nothing_again(invoice, process):
    put_right(invoice, "TX")
    rebill = rebilled(invoice, process, 1)
    plan = previewed(a_request(rebill, 1), rebill.client)
    assert (plan.rebill.tax, plan.differences[0].taxed_again) == (D("82.50"), ())


@pytest.mark.parametrize("taxed_at", ["ship_from", "bill_from"])
def test_the_tax_follows_a_location_that_was_put_right_in_place(acme, process, taxed_at):
    """Supplied from Fresno at 7.25 %; the location turns out to be Portland's, where there is no tax."""
    TaxRateFactory(client=acme, percent=D("7.25"), taxed_at=taxed_at)
    plan = a_plan(acme, {"hosting": "1000.00"})
    place = ServiceLocation.objects.create(
        client=acme, client_service_location_id="DC1", city="Fresno", region="CA", country="US"
    )
    acme.services.update(location=place)
    invoice = bill(an_account(acme, plan), process, JAN_10)
    assert invoice.tax_amount == D("72.50")
    ServiceLocation.objects.update(city="Portland", region="OR")
    plan = previewed(a_request(invoice, 1), acme)
    assert plan.rebill.less(plan.original).total == D("-72.50")
    assert [(why.what, why.before, why.after) for why in plan.differences[0].taxed_again] == [
        ("bill_from", "Fresno, CA, US", "Portland, OR, US"),
        ("ship_from", "Fresno, CA, US", "Portland, OR, US"),
    ]
    assert rebilled(invoice, process, 1).tax_amount == 0


def test_a_line_whose_ship_to_alone_was_put_right_is_taxed_where_it_goes(acme, process):
    """Billed to Fresno, supplied to Austin; the contact in Austin turns out to be in Fresno."""
    TaxRateFactory(client=acme, percent=D("7.25"))
    TaxRateFactory(client=acme, region="TX", percent=D("8.25"))
    acme.taxable_address_order = "other,account"
    acme.save()
    account = an_account(acme, a_plan(acme, {"hosting": "1000.00"}))
    site = ContactFactory(account=account, contact_no=2, role="other", region="TX", city="Austin")
    acme.taxable_address_order = "account"
    acme.save()
    invoice = bill(account, process, JAN_10)
    rebill = rebilled(invoice, process, line(1, ship_to_address_seq=2))
    assert rebill.tax_amount == D("82.50")
    Contact.objects.filter(pk=site.pk).update(region="CA", city="Fresno")
    again = rebilled(rebill, process, 1)
    assert (again.tax_amount, again.bill_to["city"]) == (D("72.50"), "Fresno")


@pytest.mark.parametrize(
    "moved", [{"name": "Ada King"}, {"address1": "3 Side Street"}, {"city": "Oakland", "postal_code": "94601"}]
)
def test_an_address_in_the_same_place_leaves_the_tax_as_it_was(acme, process, invoice, moved):
    """The current tax table does not count: the rate was changed and removed since."""
    Contact.objects.filter(account=invoice.account).update(**moved)
    TaxRate.objects.all().delete()
    TaxRateFactory(client=acme, percent=D("9"))
    plan = previewed(a_request(invoice, 1), acme)
    assert (plan.rebill, plan.differences[0].taxed_again) == (plan.original, ())
    printed = rebilled(invoice, process, 1).bill_to
    assert {name: printed[name] for name in moved} == moved


def test_only_lines_whose_address_was_put_right_are_taxed_again(acme, process):
    """Line 2 goes to a second contact. The rate on file has changed to 9 %: line 1 keeps its 7.25."""
    TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"a": "100.00", "b": "50.00"}))
    ContactFactory(account=account, contact_no=2, role="other", region="CA", city="Oakland")
    invoice = rebilled(bill(account, process, JAN_10), process, 1, line(2, bill_to_address_seq=2, ship_to_address_seq=2))
    assert invoice.tax_amount == D("10.88")
    Contact.objects.filter(contact_no=2).update(region="OR")
    TaxRate.objects.update(percent=D(9))
    plan = previewed(a_request(invoice, 1, 2), acme)
    assert [(row.rebill.tax, bool(row.taxed_again)) for row in plan.differences] == [(D("7.25"), False), (D(0), True)]
    assert plan.differences[1].changes == ("tax Sales tax 7.25 % -> none",)


def test_an_invoice_without_a_buyer_is_taxed_once_the_account_has_a_contact(acme, process):
    TaxRateFactory(client=acme, percent=D("7.25"))
    account = an_account(acme, a_plan(acme, {"hosting": "1000.00"}))
    account.contacts.all().delete()
    acme_allows_no_address(acme)
    invoice = bill(account, process, JAN_10)
    assert (invoice.bill_to, invoice.tax_amount) == ({}, 0)
    assert rebilled_preview(invoice).tax == 0
    ContactFactory(account=account)
    rebill = rebilled(invoice, process, 1)
    assert (rebill.bill_to["city"], rebill.tax_amount) == ("Fresno", D("72.50"))


def acme_allows_no_address(client):
    """If the client allows invoices without a tax answer, they are issued."""
    if any(field.name == "missing_tax_data" for field in Client._meta.get_fields()):
        client.missing_tax_data = "allow"
        client.save()


def rebilled_preview(invoice):
    return previewed(a_request(invoice, 1), invoice.client).rebill


def test_the_clients_own_address_is_that_of_the_document(acme, process):
    """A tax that follows the seller's place: the client has moved to Oregon since, and its documents of before have not."""
    TaxRateFactory(client=acme, percent=D("7.25"), taxed_at="ship_from")
    invoice = bill(an_account(acme, a_plan(acme, {"hosting": "1000.00"})), process, JAN_10)
    Client.objects.filter(pk=acme.pk).update(region="OR", name="Acme Northwest")
    rebill = rebilled(invoice, process, line(1, rate_per_unit="900.00"))
    assert (rebill.tax_amount, rebill.seller) == (D("65.25"), invoice.seller)


# ------------------------------------------------------------------------------------------------ requested


@pytest.fixture
def wrong(acme, process):
    """100.00 and 50.00 at 7.25 %, which turns out to be 8.25: 10.88 of tax, where 12.38 are right."""
    TaxRateFactory(client=acme, percent=D("7.25"))
    invoice = bill(an_account(acme, a_plan(acme, {"a": "100.00", "b": "50.00"})), process, JAN_10)
    assert invoice.tax_amount == D("10.88")
    TaxRate.objects.update(percent=D("8.25"))
    return invoice


def test_a_corrected_rate_comes_onto_a_rebill_where_it_is_asked_for(api, wrong):
    assert post(api, "rebills/preview", carried(wrong), 200)["rebill"]["tax_amount"] == "10.88"
    seen = post(api, "rebills/preview", carried(wrong, retax=True), 200)
    assert seen["rebill"]["tax_amount"] == "12.38"
    assert [row["taxed_again"] for row in seen["lines"]] == [["retax was requested"]] * 2
    assert [row["changes"] for row in seen["lines"]] == [["tax Sales tax 7.25 % -> Sales tax 8.25 %"]] * 2
    made = post(api, "rebills", carried(wrong, retax=True, fingerprint=seen["fingerprint"]), 201)
    assert (made["tax_amount"], made["tax_date"]) == ("12.38", "2026-01-10")
    kept = ("plan_instance_no", "period_start", "period_end", "amount")
    before = [[row[name] for name in kept if name in row] for row in seen["document"]["lines"]]
    assert [[row[name] for name in kept if name in row] for row in made["lines"]] == before


def test_a_corrected_rate_comes_onto_one_line(api, wrong):
    lines = [{"line_no": 2, "retax": True}]
    seen = post(api, "rebills/preview", carried(wrong, lines=lines), 200)
    assert [row["rebill"]["tax_amount"] for row in seen["lines"]] == ["7.25", "4.13"]
    assert [row["taxed_again"] for row in seen["lines"]] == [[], ["retax was requested"]]
    assert post(api, "rebills", carried(wrong, lines=lines), 201)["tax_amount"] == "11.38"


def test_a_corrected_rate_comes_onto_many_rebills(api, wrong):
    answer = post(api, "rebills/bulk", {"rebills": [carried(wrong, retax=True)]}, 200)
    assert Invoice.objects.get(pk=answer["outcomes"][0]["rebill_no"]).tax_amount == D("12.38")


def test_a_corrected_rate_comes_onto_a_rebill_of_gen_rb_m(call, wrong):
    assert call(wrong, {1: {}, 2: {}}, retax="true").tax_amount == D("12.38")


def test_a_corrected_rate_comes_onto_one_line_of_gen_rb_m(call, wrong):
    assert call(wrong, {1: {}, 2: {"rb_retax": "true"}}).tax_amount == D("11.38")


def test_rates_are_looked_up_for_the_originals_tax_date(acme, process, wrong):
    """The rate of 8.25 % ended before: on the day of the original 9 % were right."""
    TaxRate.objects.update(valid_to="2026-01-09")
    TaxRateFactory(client=acme, percent=D(9), valid_from="2026-01-10", valid_to="2026-01-20")
    assert rebilled(wrong, process, 1, 2, retax=True).tax_amount == D("13.50")


@pytest.mark.parametrize(("retax", "difference"), [({}, "$0.00"), ({"retax": "true"}, "+$1.50")])
def test_the_builder_has_a_checkbox_for_it_and_says_why(page, wrong, retax, difference):
    form = {"line-1-include": "yes", "line-2-include": "yes", "act": "recalculate", **retax}
    shown = words(page.post(f"/invoices/{wrong.pk}/rebill/", form))
    assert f"Difference {difference}" in shown
    assert ("Line 1: taxes are recalculated, as requested" in shown) is bool(retax)


@pytest.mark.parametrize(("region", "tax", "_difference"), MOVES)
def test_the_builder_says_which_lines_are_taxed_where_an_address_was_put_right(page, invoice, region, tax, _difference):
    put_right(invoice, region)
    form = {"line-1-include": "yes", "act": "review", "reason_code": "1"}
    shown = words(page.post(f"/invoices/{invoice.pk}/rebill/", form))
    assert (
        f"the ship-to address changed: 2 Side Street, Fresno, CA, 93650, US → 2 Side Street, Portland, {region}, 93650, US"
        in shown
    )
    assert "No line changes" not in shown


# ------------------------------------------------------------------------------------------------ not in the table any more


def test_a_rate_that_was_taken_out_is_kept_by_a_line_that_changes(acme, process):
    """100.00 and 50.00 at 20 %: with 90.00 in the place of 100.00 it is 28.00, and not 10.00."""
    TaxRateFactory(client=acme, percent=D(20))
    invoice = bill(an_account(acme, a_plan(acme, {"a": "100.00", "b": "50.00"})), process, JAN_10)
    TaxRate.objects.all().delete()
    rebill = rebilled(invoice, process, line(1, rate_per_unit="90"), 2)
    assert (rebill.tax_amount, rebill.lines.filter(line_type=2).count()) == (D(28), 1)


def test_a_line_that_is_added_is_taxed_as_its_document_taxes_its_category_there(acme, process):
    TaxRateFactory(client=acme, percent=D(20))
    invoice = bill(an_account(acme, a_plan(acme, {"a": "100.00"})), process, JAN_10)
    ServiceFactory(client=acme, client_service_id="setup")
    TaxRate.objects.update(percent=D(25))
    rebill = rebilled(invoice, process, 1, line(9, client_service_id="setup", amount="10.00"))
    assert (rebill.tax_amount, rebill.lines.filter(line_type=2).count()) == (D(22), 1)


def test_a_line_of_another_service_of_the_same_category_keeps_its_rate(acme, process):
    TaxRateFactory(client=acme, percent=D(20))
    invoice = bill(an_account(acme, a_plan(acme, {"a": "100.00"})), process, JAN_10)
    ServiceFactory(client=acme, client_service_id="setup", tax_inclusive=True)
    TaxRate.objects.all().delete()
    rebill = rebilled(invoice, process, line(1, client_service_id="setup", amount="120.00"))
    assert (rebill.net_amount, rebill.tax_amount, rebill.total_amount) == (D(100), D(20), D(120))


def test_a_category_that_its_document_does_not_have_is_looked_up(acme, process):
    TaxRateFactory(client=acme, percent=D(20))
    TaxRateFactory(client=acme, percent=D(7), category="books")
    invoice = bill(an_account(acme, a_plan(acme, {"a": "100.00"})), process, JAN_10)
    ServiceFactory(client=acme, client_service_id="atlas", tax_category="books")
    plan = previewed(a_request(invoice, line(1, client_service_id="atlas")), acme)
    assert plan.rebill.tax == D(7)
    assert [(why.what, why.before, why.after) for why in plan.differences[0].taxed_again] == [
        ("tax_category", "standard", "books")
    ]


def test_lines_that_disagree_on_their_rates_say_nothing_of_a_line_that_is_added(acme, process, wrong):
    """One line was taxed again at 8.25 %, the other keeps 7.25: an added line is looked up."""
    rebill = rebilled(wrong, process, 1, line(2, retax=True))
    ServiceFactory(client=acme, client_service_id="setup")
    TaxRate.objects.update(percent=D(10))
    again = rebilled(rebill, process, 1, 2, line(9, client_service_id="setup", amount="10.00"))
    assert sorted(tax.amount for tax in again.tax_details.all()) == [D(1), D("4.13"), D("7.25")]


# ------------------------------------------------------------------------------------------------ documents of before


@pytest.mark.parametrize(("region", "tax", "_difference"), MOVES)
def test_an_older_document_says_by_its_print_where_its_contact_was(acme, process, invoice, region, tax, _difference):
    older = made_before_tax_was_kept(invoice)
    put_right(older, region)
    assert rebilled(older, process, 1).tax_amount == D(tax)


def test_an_older_document_that_was_rounded_by_category_keeps_its_cents(acme, process):
    """10.00 and 15.00 of two categories at 7.25 % had 0.73 and 1.09. Where a line changes, it is 2.54 of 35.00."""
    invoice = rounded_by_category(acme, process)
    assert previewed(a_request(invoice, 1, 2), acme).rebill.tax == D("1.82")
    plan = previewed(a_request(invoice, line(1, rate_per_unit="20.00"), 2), acme)
    assert plan.rebill.tax == D("2.54")
    assert rebilled(invoice, process, 1, 2).tax_amount == D("1.82")


def rounded_by_category(client, process):
    plan = a_plan(client, {"internet": "10.00", "telephone": "15.00"})
    client.services.filter(client_service_id="telephone").update(tax_category="telecom")
    TaxRateFactory(client=client, percent=D("7.25"))
    TaxRateFactory(client=client, percent=D("7.25"), category="telecom", name="State tax")
    invoice = bill(an_account(client, plan), process, JAN_10)
    assert sorted(invoice.tax_details.values_list("amount", flat=True)) == [D("0.73"), D("1.09")]
    first, second = invoice.lines.filter(line_type=2)
    with lifted():
        invoice.tax_details.update(authority="Sales tax", tax_line_no=first.line_no)
        second.delete()
        first.amount = D("1.82")
        first.description = "Sales tax 7.25 % (US-CA)"
        first.save()
    return made_before_tax_was_kept(invoice)
