"""The builder: what is typed is planned as it will be issued, refused at its field, reviewed, and issued once."""

import re
from datetime import date
from decimal import Decimal as D

import pytest
from django.contrib.auth.models import Permission
from django.utils.html import escape

from accounts.callers import Caller
from accounts.models import Contact, PaymentMethod, Service, ServiceLocation
from invoices.models import CollectionAttempt, Invoice
from tests.support.billing import JAN_10, bill
from tests.support.credit_memos import with_coupons_and_credits
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.memos import memo_of
from tests.support.paying import due
from tests.support.payments import pay, rows
from tests.support.reading_pages import fields_of, queries, words
from tests.support.rebilling import line, rebilled

pytestmark = pytest.mark.usefixtures("audited", "end_of_january")


def typed(invoice, *, out=(), **fields):
    """A form where nothing but these is changed: `line_1_units` is the field line-1-units."""
    lines = invoice.lines.exclude(line_type=2).values_list("line_no", flat=True)
    included = {f"line-{number}-include": "no" if number in out else "yes" for number in lines}
    named = {re.sub(r"^(line|all)_(\d+_)?", lambda m: m[0].replace("_", "-"), name): value for name, value in fields.items()}
    return {**included, **named}


def sent(page, invoice, act="recalculate", **fields):
    return page.post(f"/invoices/{invoice.pk}/rebill/", {**typed(invoice, **fields), "act": act})


def results(answer):
    """Return the amount of each line as the page shows it."""
    found = re.findall(r'id="result-(\d+)".*?<strong class="plain">(.*?)</strong>', answer.content.decode(), re.S)
    return {int(number): amount for number, amount in found}


def hidden(answer, name):
    return re.search(f'name="{name}" value="([^"]*)"', answer.content.decode())[1]


def test_it_shows_each_line_beside_its_twin_and_counts_nothing_different(page, invoice):
    answer = page.get(f"/invoices/{invoice.pk}/rebill/")
    assert results(answer) == {1: "$30.00", 2: "$20.00", 3: "$50.00"}
    assert "Sales tax 10 % (US-CA)" in words(answer) and "recalculated" in words(answer)
    assert "Difference $0.00 Due $110.00" in words(answer)
    assert "As the settings say (of the original)" in answer.content.decode()
    assert answer.headers["Content-Security-Policy"] and " style=" not in answer.content.decode()


def test_a_change_is_counted_as_it_will_be_made_and_nothing_is_written(page, process, invoice):
    pay(invoice.account, process, "110.00")
    before = rows()
    answer = sent(page, invoice, out=[2], line_1_units="0.5", line_3_rate_per_unit="40")
    assert rows() == before
    assert results(answer) == {1: "$15.00", 2: "$0.00", 3: "$40.00"}
    text = words(answer)
    assert "Before tax $100.00 -$100.00 $55.00 -$45.00" in text
    assert "Sales tax 10 % (US-CA) $10.00 -$10.00 $5.50 -$4.50" in text
    assert "Total $110.00 -$110.00 $60.50 -$49.50" in text
    assert "Payments carried over $60.50 Credit used $0.00 To other invoices $0.00 Left as credit $49.50 Due $0.00" in text
    assert "Balance of the account before $0.00 Difference -$49.50 Balance of the account after -$49.50" in text
    assert "left out -$20.00" in text


def test_htmx_is_answered_with_the_summary_and_the_lines_results_only(page, invoice):
    address, body = f"/invoices/{invoice.pk}/rebill/", typed(invoice, line_1_rate_per_unit="10")
    answer = page.post(address, body, headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert results(answer) == {1: "$10.00", 2: "$20.00", 3: "$50.00"}
    # The results of all lines are one piece, which a script applies: htmx swaps pieces one by one.
    pieces = re.search(r"<template data-results>(.*?)</template>", text, re.S)[1]
    assert re.findall(r'id="(result-[^"]+)"', pieces) == ["result-1", "result-2", "result-3"]
    assert text.count("<template") == 1 and "<html" not in text and "<input" not in text
    swapped = re.findall(r'<p id="([^"]+)"[^>]* hx-swap-oob="true"', text)
    assert swapped == ["live-total", "announcement"]
    assert re.search(r'id="result-1"[^>]* data-changed="rate_per_unit"', text)
    assert "Difference -$22.00, due $88.00" in text


def test_an_amount_that_is_typed_overrides_rate_times_units_and_says_so(page, invoice):
    answer = sent(page, invoice, line_1_amount="25.00")
    assert results(answer)[1] == "$25.00"
    assert "overridden" in words(answer)
    assert "overridden" not in words(sent(page, invoice, line_1_amount="30.00"))


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"line_2_units": "many"}, "units", "Enter a number."),
        ({"line_2_units": ""}, "units", "This may not be empty. It was 1."),
        ({"line_2_amount": "25", "line_2_rate_per_unit": ""}, "rate_per_unit", "This may not be empty. It was 20."),
        ({"line_2_description": ""}, "description", "This may not be empty. It was "),
        ({"line_2_period_end": ""}, "period_end", "This may not be empty. It was "),
        ({"line_2_units": "-1"}, "units", "-1 is below 0; to give something back, add a line with a negative amount"),
        ({"line_2_amount": "1.234"}, "amount", "1.234 is not a multiple of the smallest unit of usd"),
        ({"line_2_units": "2", "line_2_rate_per_unit": "3", "line_2_amount": "7"}, "amount", "3 for 2 units is 6, and not 7"),
        ({"line_2_service_no": "999999"}, "service_no", "999999 does not exist"),
    ],
)
def test_a_refusal_stands_at_the_field_that_it_names_and_what_was_typed_is_kept(page, invoice, fields, field, told):
    answer = sent(page, invoice, line_1_units="7", **fields)
    text = answer.content.decode()
    message = re.search(r'id="errors-2">(.*?)</div>', text, re.S)[1]
    assert escape(told) in message
    assert re.search(rf'id="line-2-{field}"[^>]*aria-invalid="true"', text)
    assert re.search(r'id="line-1-units"[^>]*value="7"', text)
    assert "Not calculated" in words(answer)


def test_all_lines_left_out_is_refused_above_the_figures(page, invoice):
    assert "No line is left. Keep or add at least one line" in words(sent(page, invoice, out=[1, 2, 3]))


def test_a_line_is_added_and_taken_away_and_one_of_the_original_is_reverted(acme, page, invoice):
    service = Service.objects.get(client=acme, client_service_id="tv")
    first = sent(page, invoice, "add")
    assert hidden(first, "added") == "5" and "Not calculated" not in words(first)
    assert re.search(r'id="line-5-service_no"[^>]* autofocus', first.content.decode())
    added = {"added": "5", "line_5_service_no": str(service.pk), "line_5_amount": "5.00"}
    answer = sent(page, invoice, line_1_units="2", **added)
    assert results(answer) == {1: "$60.00", 2: "$20.00", 3: "$50.00", 5: "$5.00"}
    assert results(sent(page, invoice, "revert-1", line_1_units="2", **added))[1] == "$30.00"
    assert 5 not in results(sent(page, invoice, "revert-5", **added))
    assert results(sent(page, invoice, "revert-2", out=[2]))[2] == "$20.00"


def test_one_po_number_and_one_address_for_all_lines(acme, page, carol, invoice):
    Contact.objects.create(account=invoice.account, contact_no=2, name="Grace", city="Arlington", region="VA", country="US")
    place = ServiceLocation.objects.create(client=acme, client_service_location_id="LA")
    all_of_it = {"all-po_num": "PO-7", "all-bill_to_address_seq": "2", "all-ship_from_location_no": str(place.pk)}
    answer = page.post(f"/invoices/{invoice.pk}/rebill/", {**typed(invoice), **all_of_it, "act": "apply"})
    text = answer.content.decode()
    assert text.count('value="PO-7"') == 3
    assert len(re.findall(r'id="line-\d-bill_to_address_seq".*?<option value="2" selected>', text)) == 3
    fields = {
        f"line_{n}_{name}": value for n in (1, 2, 3) for name, value in (("po_num", "PO-7"), ("bill_to_address_seq", "2"))
    }
    page.post(f"/invoices/{invoice.pk}/rebill/", {**typed(invoice, **fields), "reason_code": "2", "act": "commit"})
    rebill = Invoice.objects.get(kind="rebill")
    assert set(rebill.lines.exclude(line_type=2).values_list("po_num", "bill_to_contact__contact_no")) == {("PO-7", 2)}


def test_a_po_number_that_is_emptied_is_taken_away(page, process, invoice):
    first = rebilled(invoice, process, line(1, po_num="PO-1"), 2, 3)
    sent(page, first, "commit", line_1_po_num="", reason_code="2")
    second = Invoice.objects.get(corrects=first, kind="rebill")
    assert list(second.lines.values_list("po_num", flat=True)[:1]) == [""]


def test_what_takes_off_has_an_amount_only(acme, process, page):
    invoice = bill(with_coupons_and_credits(acme), process, JAN_10)
    credit = invoice.lines.get(line_type=3)
    answer = page.get(f"/invoices/{invoice.pk}/rebill/")
    names = re.findall(rf'name="line-{credit.line_no}-(\w+)"', answer.content.decode())
    assert names == ["include", "include", "amount", "po_num", "comments"]
    changed = sent(page, invoice, **{f"line_{credit.line_no}_amount": "-2.00"})
    assert results(changed)[credit.line_no] == "-$2.00"
    refused = sent(page, invoice, **{f"line_{credit.line_no}_amount": "-8.00"})
    assert f"line {credit.line_no} can credit at most -7.77" in words(refused)


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_field_that_is_not_sent_is_as_on_the_original(page, process, invoice, headers):
    """Where scripts run, only what was changed is sent. A line without fields is neither left out nor emptied."""
    first = rebilled(invoice, process, line(1, po_num="PO-1"), 2, 3)
    address = f"/invoices/{first.pk}/rebill/"
    nothing = page.post(address, {"act": "recalculate"}, headers=headers)
    assert results(nothing) == {1: "$30.00", 2: "$20.00", 3: "$50.00"}
    assert 'data-changed=""' in nothing.content.decode() and "left out" not in words(nothing)
    one = page.post(address, {"line-3-units": "2"}, headers=headers)
    assert results(one) == {1: "$30.00", 2: "$20.00", 3: "$100.00"}
    assert results(page.post(address, {"line-2-include": "no"}, headers=headers))[2] == "$0.00"
    ticked_again = {"line-2-include": ["no", "yes"]}
    assert results(page.post(address, ticked_again, headers=headers))[2] == "$20.00"


def test_the_rebill_of_one_sent_field_is_that_of_the_whole_form_and_of_the_resource(acme, page, process):
    """150.00 at 10 %. The text of line 1 has spaces and a line break, which the complete form does not change either."""
    TaxRateFactory(client=acme)
    rebills = []
    for number in range(3):
        invoice = bill(an_account(acme, a_plan(acme, {f"a{number}": "100.00", f"b{number}": "50.00"})), process, JAN_10)
        first = rebilled(invoice, process, line(1, description=" Hosting,\nlarge ", po_num="PO-1"), 2)
        address, change = f"/invoices/{first.pk}/rebill/", {"line-2-units": "0.5", "reason_code": "1"}
        if number == 0:
            page.post(address, {**change, "act": "commit"})
        elif number == 1:
            page.post(address, {**dict(fields_of(page.get(address))), **change, "act": "commit"})
        else:
            rebilled(first, process, line(2, units="0.5"), carries_unlisted=True)
        rebills.append(Invoice.objects.get(corrects=first, kind="rebill"))
    found = [[*one.lines.values_list("units", "amount", "po_num", "source_line_no")] for one in rebills]
    assert found[0] == found[1] == found[2]
    assert [row[1] for row in found[0]] == [D(100), D(25), D("12.5")]
    texts = {one.lines.order_by("line_no").first().description for one in rebills}
    assert texts == {" Hosting,\nlarge "}


def test_a_review_says_in_plain_words_what_will_be_done(acme, page, invoice):
    tv = Service.objects.get(client=acme, client_service_id="tv")
    added = {"added": "5", "line_5_service_no": str(tv.pk), "line_5_amount": "5.00"}
    answer = sent(page, invoice, "review", out=[3], line_1_units="0.5", line_1_comments="half", reason_code="1", **added)
    text = words(answer)
    assert "Line 1, Phone : units 1 → 0.5 , $30.00 → $15.00 “half”" in text
    assert "Line 3 is left out: Net , $50.00" in text
    assert "Added: Tv , $5.00" in text
    assert "1 line stays as it is." in text
    assert "Wrong price or quantity" in text and "Nothing is collected." in text
    assert "Total $110.00 -$110.00 $44.00 -$66.00" in text


def test_a_review_needs_a_reason(page, invoice):
    answer = sent(page, invoice, "review", line_1_units="2")
    assert "Choose a reason for the rebill." in words(answer)
    assert re.search(r'id="line-1-units"[^>]*value="2"', answer.content.decode())


def committed(page, invoice, **fields):
    """Reviewed, then made."""
    review = sent(page, invoice, "review", reason_code="1", **fields)
    body = {**typed(invoice, **fields), "reason_code": "1", "act": "commit"}
    return {**body, "once": hidden(review, "once"), "fingerprint": hidden(review, "fingerprint")}


def test_it_is_made_and_its_page_links_the_three_documents(page, carol, process, invoice):
    pay(invoice.account, process, "50.00")
    answer = page.post(
        f"/invoices/{invoice.pk}/rebill/", committed(page, invoice, line_1_units="2", comments="as told"), follow=True
    )
    rebill = Invoice.objects.get(kind="rebill")
    assert answer.redirect_chain == [(f"/rebills/{rebill.pk}/", 302)]
    assert (rebill.total_amount, rebill.generated_by, rebill.comments) == (D(143), Caller(staff=carol).identity, "as told")
    text = words(answer)
    assert "The rebill was made." in text
    assert "Original INV-000001 $110.00" in text
    assert "Memo CM-000001 -$110.00" in text
    assert "Rebill RB-000001 $143.00" in text
    assert "Difference line by line +$33.00" in text
    assert "Due $93.00, Jan 24, 2026" in text
    assert "No statement was sent." in text and "carol" in text


def test_a_double_click_makes_one_rebill(page, invoice):
    body = committed(page, invoice, line_1_units="2")
    answers = [page.post(f"/invoices/{invoice.pk}/rebill/", body) for _ in range(2)]
    rebill = Invoice.objects.get(kind="rebill")
    assert [answer.headers["Location"] for answer in answers] == [f"/rebills/{rebill.pk}/"] * 2


def test_money_that_moved_meanwhile_stops_it_says_so_and_is_reviewed_again(page, process, invoice):
    body = committed(page, invoice, line_1_units="2")
    pay(invoice.account, process, "10.00")
    before = rows()
    answer = page.post(f"/invoices/{invoice.pk}/rebill/", body)
    assert "Changed since your preview: the account's payments and credits." in words(answer).replace("&#x27;", "'")
    assert "Payments carried over $10.00" in words(answer)
    assert rows() == before
    assert (hidden(answer, "line-1-units"), Invoice.objects.filter(kind="rebill").count()) == ("2", 0)
    again = {**body, "once": hidden(answer, "once"), "fingerprint": hidden(answer, "fingerprint")}
    page.post(f"/invoices/{invoice.pk}/rebill/", again)
    assert due(Invoice.objects.get(kind="rebill")) == D(133)


def test_an_original_that_was_rebilled_meanwhile_is_told_with_a_link(page, process, invoice):
    body = committed(page, invoice, line_1_units="2")
    rebill = rebilled(invoice, process, 1)
    answer = page.post(f"/invoices/{invoice.pk}/rebill/", body)
    assert "INV-000001 cannot be rebilled." in words(answer) and "was replaced by RB-000001" in words(answer)
    assert f'<a href="/invoices/{rebill.pk}/">Show RB-000001</a>' in answer.content.decode()
    assert re.search(r'id="line-1-units"[^>]*value="2"', answer.content.decode())


def test_what_cannot_be_rebilled_says_why_and_where_it_stands(page, process, invoice):
    memo = memo_of(invoice, process, {1: "5.00"})
    answer = page.get(f"/invoices/{invoice.pk}/rebill/")
    assert "The invoice has a credit memo that is not voided: CM-000001 of INV-000001; void that first" in words(answer)
    assert f'<a href="/invoices/{memo.pk}/">Show CM-000001</a>' in answer.content.decode()
    assert "<fieldset" not in answer.content.decode()


def test_it_is_said_before_that_it_will_wait_and_afterwards_for_whom(acme, page, carol, invoice):
    acme.four_eyes = "another_person"
    acme.save()
    assert "Will be pending Another person must approve it." in words(page.get(f"/invoices/{invoice.pk}/rebill/"))
    page.post(f"/invoices/{invoice.pk}/rebill/", committed(page, invoice, line_1_units="2"))
    rebill = Invoice.objects.get(kind="rebill")
    text = words(page.get(f"/rebills/{rebill.pk}/"))
    assert (rebill.status, "You made this rebill, so another person must approve it (four eyes)." in text) == ("pending", True)
    assert "is issued with the rebill" in text


def test_what_is_collected_and_the_outcome(acme, page, carol, process, invoice):
    carol.user_permissions.add(Permission.objects.get(codename="collect_money"))
    PaymentMethod.objects.create(account=invoice.account, type="card", token="sandbox_approved", label="Test card")
    assert "Collected now $0.00" in words(sent(page, invoice))
    assert "Due $110.00 Collected now −$110.00 Left to pay on the rebill $0.00" in words(sent(page, invoice, collect="true"))
    acme.collect_on_rebill = True
    acme.save()
    assert "Collected now −$110.00" in words(sent(page, invoice))
    assert "As the settings say (yes)" in sent(page, invoice).content.decode()
    page.post(f"/invoices/{invoice.pk}/rebill/", committed(page, invoice, line_1_units="2"))
    rebill = Invoice.objects.get(kind="rebill")
    assert CollectionAttempt.objects.get(invoice=rebill).amount == D(143)
    assert "Collection Collected $143.00" in words(page.get(f"/rebills/{rebill.pk}/"))


def test_when_it_is_due_is_chosen(page, process, invoice):
    review = words(sent(page, invoice, "review", reason_code="1", keep_due_date="false"))
    assert "Due date 14 days after it is issued" in review
    page.post(f"/invoices/{invoice.pk}/rebill/", committed(page, invoice, keep_due_date="false"))
    assert Invoice.objects.get(kind="rebill").due_date == date(2026, 2, 14)


def test_why_nothing_is_collected_is_said(page, invoice):
    assert "The account has no valid card or bank account" in words(sent(page, invoice, collect="true"))


def test_without_the_permission_it_is_said_before_and_refused(page, carol, invoice):
    carol.user_permissions.set(Permission.objects.filter(codename="view_invoice"))
    page.force_login(type(carol).objects.get(pk=carol.pk))
    answer = page.get(f"/invoices/{invoice.pk}/rebill/")
    assert "because you have no permission to rebill invoices." in words(answer)
    assert results(sent(page, invoice, line_1_units="2"))[1] == "$60.00"
    made = sent(page, invoice, "commit", reason_code="1", line_1_units="2")
    assert "You have no permission to rebill invoices. Ask an administrator for it" in words(made)
    assert Invoice.objects.filter(kind="rebill").count() == 0


def test_another_clients_documents_do_not_exist(acme, umbra, page, process, invoice):
    umbra.invoice_approval_required = False
    umbra.save()
    theirs = bill(an_account(umbra), process, JAN_10)
    rebill = rebilled(theirs, process, 1)
    addresses = (
        f"/invoices/{theirs.pk}/rebill/",
        f"/rebills/{rebill.pk}/",
        f"/invoices/{theirs.pk}/difference/{rebill.pk}/",
        f"/invoices/{invoice.pk}/difference/{rebill.pk}/",
    )
    assert [page.get(address).status_code for address in addresses] == [404, 404, 404, 404]
    assert page.post(addresses[0], {"act": "commit"}).status_code == 404
    assert "RB-000001" not in words(page.get("/rebills/"))


def test_as_many_queries_for_fifty_lines_as_for_five(acme, page, process):
    TaxRateFactory(client=acme)
    invoices = [
        bill(an_account(acme, a_plan(acme, {f"s{n}": "1.00" for n in range(number)})), process, JAN_10) for number in (5, 50)
    ]
    page.get(f"/invoices/{invoices[0].pk}/rebill/")
    for work in (
        lambda one: page.get(f"/invoices/{one.pk}/rebill/"),
        lambda one: sent(page, one, line_1_units="3"),
        lambda one: page.post(f"/invoices/{one.pk}/rebill/", typed(one, line_1_units="3"), headers={"HX-Request": "true"}),
        lambda one: sent(page, one, "review", line_1_units="3", reason_code="1"),
    ):
        counts = [queries(lambda one=one, work=work: work(one)) for one in invoices]
        assert counts[0] == counts[1] <= 50


# The list.


GERMAN = {"Accept-Language": "de"}


def test_a_german_reader_types_and_sees_german_numbers_and_gets_what_was_reviewed(page, invoice):
    address = f"/invoices/{invoice.pk}/rebill/"
    assert re.search(r'id="line-1-rate_per_unit"[^>]* value="30,00"', page.get(address, headers=GERMAN).text)
    body = typed(invoice, line_1_rate_per_unit="1.234,50", line_2_amount="12,50", line_3_units="0,5", reason_code="1")
    part = page.post(address, body, headers={**GERMAN, "HX-Request": "true"})
    assert [amount.replace("\xa0", " ") for amount in results(part).values()] == ["1.234,50 $", "12,50 $", "25,00 $"]
    assert re.search(r'id="result-1"[^>]* data-changed="rate_per_unit" data-refused="" data-calculated="1234,50"', part.text)
    review = page.post(address, {**body, "act": "review"}, headers=GERMAN)
    act = {"act": "commit", "fingerprint": hidden(review, "fingerprint"), "once": hidden(review, "once")}
    issued = page.post(address, {**body, **act}, headers=GERMAN)
    rebill = Invoice.objects.get(pk=int(re.search(r"/(\d+)/", issued.url)[1]))
    assert list(rebill.lines.exclude(line_type=2).values_list("amount", flat=True)) == [D("1234.50"), D("12.50"), D("25.00")]


def test_a_number_with_two_meanings_is_refused_at_its_field(page, invoice):
    answer = page.post(
        f"/invoices/{invoice.pk}/rebill/", {**typed(invoice, line_2_amount="1.234"), "act": "recalculate"}, headers=GERMAN
    )
    message = re.search(r'id="errors-2">(.*?)</div>', answer.text, re.S)[1]
    assert "Betrag: 1.234 kann auf zwei Arten gelesen werden. Schreiben Sie 1234 oder 1,234." in message
    assert "Amount: 1,234 can be read in two ways. Write 1234 or 1.234." in words(sent(page, invoice, line_2_amount="1,234"))
    assert "5,000 can be read in two ways" in words(sent(page, invoice, discount_percent="5,000"))
