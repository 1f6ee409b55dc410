"""The back office's pages of accounts: the list, an account's page, and generating its invoice as it was seen."""

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client as Session
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.kinds import AccountStatus
from accounts.models import Contact, Event, PaymentMethod, RateSchedule
from invoices.models import CollectionAttempt, Invoice
from tests.support.billing import FEB_10, JAN_10, bill, metered
from tests.support.factories import AccountFactory, ClientFactory, TaxRateFactory, a_plan, an_account, some_usage
from tests.support.payments import pay

PROCESS = Caller(process="test")
EVERYTHING = (
    "accounts.view_account",
    "accounts.view_event",
    "invoices.view_invoice",
    "invoices.view_usage",
    "invoices.view_ledgerentry",
    "invoices.generate_invoice",
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 12, tzinfo=UTC), tick=False):
        yield


def session_of(client, *permissions):
    """A member of staff of this client, with these permissions, who is signed in."""
    user = get_user_model().objects.create(username=f"staff of {client.pk} {len(permissions)}", is_staff=True)
    client.staff.add(user)
    codenames = [name.partition(".")[2] for name in permissions]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    session = Session()
    session.force_login(user)
    return session


@pytest.fixture
def staff(acme):
    return session_of(acme, *EVERYTHING)


def text(answer):
    """What a page says, its tags and spaces aside."""
    main = answer.content.decode().partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)).replace("&#x27;", "'").replace("\xa0", " ")


def names(answer):
    return [row.client_acct_id for row in answer.context["rows"]]


def queries(session, address):
    with CaptureQueriesContext(connection) as captured:
        answer = session.get(address)
    assert answer.status_code == 200
    return len(captured)


# The list.


@pytest.fixture
def world(acme):
    """Seven accounts, each found by something else."""
    plan = a_plan(acme, name="Basic")
    owing = an_account(acme, plan, client_acct_id="AB-1")
    owing.contacts.update(name="Emma Meier", company="Meier & Sons")
    bill(owing, PROCESS, JAN_10)
    an_account(acme, plan, client_acct_id="AB-2")
    waiting = an_account(acme, plan, client_acct_id="CD-1", invoice_approval_required=True)
    bill(waiting, PROCESS, JAN_10)
    an_account(acme, plan, client_acct_id="CD-2", status=AccountStatus.SUSPENDED)
    an_account(acme, plan, client_acct_id="EF-1", is_test=True)
    an_account(acme, a_plan(acme, currency="eur"), client_acct_id="EF-2", currency="eur")
    AccountFactory(client=acme, client_acct_id="GH-1")
    an_account(ClientFactory(name="Umbra"), client_acct_id="AB-9")
    return owing


def test_the_list_says_what_is_known_of_each_account(acme, staff, world):
    page = text(staff.get("/accounts/?search=AB-1"))
    for said in ("AB-1", "Emma Meier", "Meier &amp; Sons", "Active", "Basic", "Feb 10, 2026", "$30.00"):
        assert said in page
    assert "AB-2" not in page
    pending = Invoice.objects.get(status="pending")
    assert f'href="/invoices/{pending.pk}/"' in staff.get("/accounts/?search=CD-1").content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["AB-1", "AB-2", "CD-1", "CD-2", "EF-1", "EF-2", "GH-1"]),
        ("search=ab", ["AB-1", "AB-2"]),
        ("search=meier", ["AB-1"]),
        ("search=%26 Sons", ["AB-1"]),
        ("search=nobody", []),
        ("status=-1", ["CD-2"]),
        ("currency=EUR", ["EF-2"]),
        ("due=yes", ["AB-2", "CD-1", "CD-2", "EF-1", "EF-2"]),
        ("due=no", ["AB-1", "GH-1"]),
        ("owes=yes", ["AB-1"]),
        ("owes=no&due=no", ["GH-1"]),
        ("waits=yes", ["CD-1"]),
        ("waits=no&search=CD", ["CD-2"]),
        ("approval=yes", ["CD-1"]),
        ("test=yes", ["EF-1"]),
        ("test=no&search=EF", ["EF-2"]),
        ("ordering=-account&search=AB", ["AB-2", "AB-1"]),
        ("ordering=-number&due=no", ["GH-1", "AB-1"]),
        ("ordering=next_bill_date&due=no", ["AB-1", "GH-1"]),
    ],
)
def test_accounts_are_found(staff, world, query, found):
    assert names(staff.get(f"/accounts/?{query}")) == found


def test_an_account_is_found_by_its_number(staff, world):
    assert names(staff.get(f"/accounts/?search={world.pk}")) == ["AB-1"]
    assert names(staff.get(f"/accounts/?search={10**30}")) == []


def test_a_filter_that_is_none_is_told_at_its_field(staff, world):
    answer = staff.get("/accounts/?status=lost")
    assert "Select a valid choice" in text(answer)
    assert "rows" not in answer.context


def test_pages_follow_one_another_by_cursor(acme, staff):
    for number in range(51):
        AccountFactory(client=acme, client_acct_id=f"P-{number:02}")
    first = staff.get("/accounts/?ordering=account")
    assert len(names(first)) == 50 and first.context["pages"].previous is None
    second = staff.get(f"/accounts/?ordering=account&cursor={first.context['pages'].next}")
    assert names(second) == ["P-50"] and second.context["pages"].next is None
    assert names(staff.get(f"/accounts/?ordering=account&cursor={second.context['pages'].previous}")) == names(first)
    assert staff.get("/accounts/?cursor=none-of-ours").status_code == 302


def test_the_list_takes_as_many_queries_however_long(acme, staff, world):
    before = queries(staff, "/accounts/")
    plan = a_plan(acme)
    for number in range(10):
        bill(an_account(acme, plan, client_acct_id=f"Q-{number}"), PROCESS, JAN_10)
    assert queries(staff, "/accounts/") == before <= 12


def test_the_list_as_a_file_has_what_the_filters_leave_and_no_formulas(acme, staff, world):
    Contact.objects.filter(account=world).update(name="=1+1")
    answer = staff.get("/accounts/?search=AB&format=csv&ordering=account")
    assert answer["Content-Type"] == "text/csv; charset=utf-8" and answer.streaming
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [(row["client_acct_id"], row["balance"], row["name"], row["plans"]) for row in rows] == [
        ("AB-1", "30.00", "'=1+1", "Basic"),
        ("AB-2", "0.00", "Ada Byron", "Basic"),
    ]


def test_an_empty_list_says_what_to_do_next(staff, acme):
    assert "There are no accounts yet" in text(staff.get("/accounts/"))
    assert "Show all accounts" in text(staff.get("/accounts/?search=x"))


@pytest.mark.parametrize("page", ["", "{number}/", "{number}/generate/"])
def test_pages_of_accounts_need_a_permission_and_ones_own_client(acme, umbra, page):
    account = an_account(acme)
    address = f"/accounts/{page.format(number=account.pk)}"
    assert session_of(acme, "accounts.view_account").get(address).status_code == 200
    assert session_of(acme).get(address).status_code == 403
    assert Session().get(address)["Location"] == f"/login/?next={address}"
    other = session_of(umbra, "accounts.view_account").get(address)
    assert other.status_code == (404 if page else 200)
    assert account.client_acct_id not in other.content.decode()


# The page of an account.


def test_an_account_says_that_it_can_be_billed(acme, staff):
    account = an_account(acme)
    page = staff.get(f"/accounts/{account.pk}/")
    assert "Can be billed now: the cycle of Jan 10, 2026" in text(page)
    assert "An alternate bill day is allowed." in text(page)
    assert f'href="/accounts/{account.pk}/generate/"' in page.content.decode()


def refused(staff, account):
    answer = staff.get(f"/accounts/{account.pk}/")
    return text(answer), answer.context["resolving"]


def test_an_account_that_was_billed_offers_an_advance_invoice(acme, staff):
    account = an_account(acme)
    first = bill(account, PROCESS, JAN_10)
    page, resolving = refused(staff, account)
    assert "Cannot be billed now." in page and "The next bill date of the account is in the future: Feb 10, 2026." in page
    assert "lternate bill day" not in page and f"invoice {first.pk}" not in page
    assert resolving == (f"/accounts/{account.pk}/generate/?mode=advance", "Bill the coming cycle in advance")
    bill(account, PROCESS, JAN_10, advance=True)
    assert refused(staff, account)[1] is None


def test_an_account_with_a_pending_invoice_leads_to_it(acme, staff):
    account = an_account(acme)
    pending = bill(account, PROCESS, JAN_10, force_pending=True)
    page, resolving = refused(staff, account)
    assert f"The account has a pending invoice: invoice {pending.pk}. Approve or discard it first" in page
    assert resolving.address == f"/invoices/{pending.pk}/"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"is_test": True}, "A test account is not billed"),
        ({"status": -1}, "The account is not billed in its status: status -1"),
    ],
)
def test_what_is_changed_at_the_account_leads_there(acme, fields, said):
    account = an_account(acme, **fields)
    page, resolving = refused(session_of(acme, *EVERYTHING, "accounts.change_account"), account)
    assert said in page
    assert resolving.address == f"/accounts/{account.pk}/edit/"
    assert refused(session_of(acme, *EVERYTHING), account)[1] is None


def test_an_account_without_a_plan_leads_to_giving_it_one(acme):
    account = AccountFactory(client=acme)
    page, resolving = refused(session_of(acme, *EVERYTHING, "accounts.add_planinstance"), account)
    assert "The account has no plan that can be billed" in page and "The account has no active plan" in page
    assert resolving.address == f"/accounts/{account.pk}/plans/new/"


def test_an_account_shows_plans_usage_invoices_ledger_and_timeline(acme, staff):
    account, instance = metered(acme, rate="0.10")
    charge = instance.plan.charges.get()
    RateSchedule.objects.create(charge=charge, plan_instance=instance, currency="usd", rate_per_unit=Decimal("0.08"))
    bill(account, PROCESS, JAN_10)
    other = an_account(acme)
    first = bill(other, PROCESS, JAN_10)
    pay(other, PROCESS, "12.50")
    PaymentMethod.objects.create(account=other, type="card", label="Visa ending 4242", token="ok")
    page = text(staff.get(f"/accounts/{account.pk}/"))
    assert "Calls $0.08" in page and "customer price; the list price is $0.10" in page
    page = text(staff.get(f"/accounts/{other.pk}/"))
    assert "Phone $30.00" in page and "Feb 10, 2026 – Mar 9, 2026" in page
    assert f"Invoice {first.document_number} Jan 10, 2026 $30.00 $30.00" in page
    assert "-$12.50 $17.50" in page
    assert "Balance $17.50" in page
    assert "Visa ending 4242" in page and "Ada Byron" in page
    assert "Invoice generated" in page and "· process test" in page


def test_what_is_open_is_not_pushed_off_the_page_by_newer_invoices(acme, staff, monkeypatch):
    monkeypatch.setattr("invoices.pages.account_pages.INVOICES_SHOWN", 2)
    account = an_account(acme)
    first, second, third = (bill(account, PROCESS, date(2026, month, 10)) for month in (1, 2, 3))
    pay(account, PROCESS, "60.00", invoices={second: "30.00", third: "30.00"})
    shown = staff.get(f"/accounts/{account.pk}/").context["invoices"]
    assert [one.document_number for one in shown] == [first.document_number, third.document_number]


def test_the_timelines_say_once_that_an_invoice_was_made(acme, staff, process):
    invoice = bill(an_account(acme), process, JAN_10)
    for address in (f"/invoices/{invoice.pk}/", f"/accounts/{invoice.account_id}/"):
        page = text(staff.get(address))
        assert page.count("Invoice generated") == 1
        assert "invoice issued" not in page


def test_usage_so_far_is_shown_at_its_price(acme, staff):
    account, instance = metered(acme, rate="0.10")
    some_usage(instance, "calls", "25", JAN_10)
    page = text(staff.get(f"/accounts/{account.pk}/"))
    assert "25 $0.10 $2.50" in page and "Total before tax $2.50" in page


def test_what_a_reader_may_not_see_is_not_on_the_page(acme):
    account = an_account(acme)
    bill(account, PROCESS, JAN_10)
    page = text(session_of(acme, "accounts.view_account").get(f"/accounts/{account.pk}/"))
    assert "Plans" in page and "Contacts" in page
    for hidden in ("Unbilled usage", "Ledger", "Timeline", "INV-000001"):
        assert hidden not in page


def test_a_page_of_an_account_takes_as_many_queries_however_much_it_shows(acme, staff):
    account = an_account(acme)
    bill(account, PROCESS, JAN_10)
    address = f"/accounts/{account.pk}/"
    queries(staff, address)  # The first time it is noted who has seen the account.
    before = queries(staff, address)
    for month in range(2, 13):
        bill(account, PROCESS, date(2026, month, 10))
        pay(account, PROCESS, "30.00")
        PaymentMethod.objects.create(account=account, type="card", label=f"Card {month}", token="ok")
    assert queries(staff, address) == before <= 45


def test_ledger_and_timeline_are_paged(acme, staff):
    account = an_account(acme)
    for month in range(1, 13):
        bill(account, PROCESS, date(2026, month, 10))
    answer = staff.get(f"/accounts/{account.pk}/")
    assert [one.entry.entry_no for one in answer.context["entries"]] == list(range(12, 2, -1))
    older = staff.get(f"/accounts/{account.pk}/?ledger={answer.context['ledger_pages'].next}")
    assert [one.entry.entry_no for one in older.context["entries"]] == [2, 1]
    assert len(older.context["events"]) == 12


# Generating.


def preview(staff, account, **chosen):
    return staff.get(f"/accounts/{account.pk}/generate/", chosen)


def fields_of(page):
    """What the page's form sends, beside the token."""
    form = page.content.decode().partition('<form method="post" id="generating"')[2].partition("</form>")[0]
    sent = {}
    for tag in re.findall(r"<input [^>]+>", form):
        given = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if given["name"] != "csrfmiddlewaretoken" and "disabled" not in tag and (given["type"] != "radio" or "checked" in tag):
            sent[given["name"]] = given.get("value", "")
    return sent


def commit(staff, account, sent, **changed):
    return staff.post(f"/accounts/{account.pk}/generate/", {**sent, **changed})


def told(answer):
    return [str(message) for message in answer.wsgi_request._messages]


def test_a_preview_tells_the_story_of_each_amount(acme, staff):
    TaxRateFactory(client=acme)
    account = an_account(acme, start=date(2026, 1, 10), bill_day=20)
    page = text(preview(staff, account, mode="now"))
    assert "Recurring, bill date Jan 10, 2026" in page and "will be issued" in page
    assert "10 of 31 days" in page
    assert "$9.68" in page and "Sales tax 10 %: $0.97" in page and "Total $10.65" in page
    assert "Nothing yet. This client does not collect when an invoice is issued." in page
    assert Invoice.objects.count() == Event.objects.count() == 0


def test_what_was_seen_is_generated_and_named(acme, staff):
    account = an_account(acme)
    answer = commit(staff, account, fields_of(preview(staff, account)))
    invoice = Invoice.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/invoices/{invoice.pk}/")
    assert (invoice.status, invoice.total_amount) == ("approved", Decimal("30"))
    assert told(answer) == ["Invoice INV-000001 of $30.00 is issued."]
    assert Event.objects.get(act="invoice.generated").staff == get_user_model().objects.get()


def test_a_form_that_is_sent_twice_makes_one_invoice(acme, staff):
    account = an_account(acme, start=date(2025, 11, 10))
    sent = fields_of(preview(staff, account))
    first, second = commit(staff, account, sent), commit(staff, account, sent)
    assert first["Location"] == second["Location"] == f"/invoices/{Invoice.objects.get().pk}/"
    assert told(second)[-1:] == ["Invoice INV-000001 of $30.00 is issued."]


def test_an_invoice_is_generated_as_pending(acme, staff):
    account = an_account(acme)
    page = preview(staff, account, mode="pending")
    assert "will be pending" in text(page) and "a pending invoice was requested" in text(page)
    answer = commit(staff, account, fields_of(page))
    invoice = Invoice.objects.get()
    assert (invoice.status, answer["Location"]) == ("pending", f"/invoices/{invoice.pk}/")
    assert told(answer) == [f"Invoice {invoice.pk} of $30.00 is pending."]


@pytest.mark.parametrize(
    ("client_fields", "account_fields", "why"),
    [
        ({"invoice_approval_required": True}, {}, "every invoice of this client needs approval"),
        ({}, {"invoice_approval_required": True}, "every invoice of this account needs approval"),
        ({"four_eyes": "above_amount", "four_eyes_amount": 20}, {}, "four eyes: another person must approve this invoice"),
    ],
)
def test_a_preview_says_why_it_will_wait(staff, acme, client_fields, account_fields, why):
    for name, value in client_fields.items():
        setattr(acme, name, value)
    acme.save()
    account = an_account(acme, **account_fields)
    page = preview(staff, account, mode="now")
    assert f"Pending because {why}" in text(page)
    commit(staff, account, fields_of(page))
    assert Invoice.objects.get().status == "pending"


def test_the_coming_cycle_is_billed_in_advance(acme, staff):
    account = an_account(acme)
    bill(account, PROCESS, JAN_10)
    page = preview(staff, account)
    assert page.context["form"]["mode"].value() == "advance"
    assert "Advance, bill date Feb 10, 2026" in text(page)
    assert "Issue advance invoice" in text(page) and "Issue invoice" not in text(page)
    commit(staff, account, fields_of(page))
    assert Invoice.objects.get(kind="advance").bill_date == FEB_10


def test_an_alternate_bill_day_is_taken_for_the_first_invoice(acme, staff):
    account = an_account(acme)
    page = preview(staff, account, mode="now", alt_bill_day="20")
    assert "Bill day 20" in text(page)
    commit(staff, account, fields_of(page))
    account.refresh_from_db()
    assert (account.bill_day, Invoice.objects.get().total_amount) == (20, Decimal("9.68"))


@pytest.mark.parametrize(
    ("day", "said"), [("32", "alternate billing day must be between 1 and 31"), ("x", "Enter a whole number.")]
)
def test_a_wrong_bill_day_is_told_at_its_field(acme, staff, day, said):
    page = preview(staff, an_account(acme), mode="now", alt_bill_day=day)
    assert page.context["form"].errors["alt_bill_day"] == [said]
    assert f'value="{day}"' in page.content.decode()
    assert 'method="post" class="card"' not in page.content.decode()


def test_an_alternate_bill_day_that_is_not_allowed_is_refused_at_its_field(acme, staff):
    account = an_account(acme, start=date(2025, 12, 10))
    bill(account, PROCESS, date(2025, 12, 10))
    page = preview(staff, account, mode="now", alt_bill_day="20")
    assert "only with the first invoice" in page.context["form"].errors["alt_bill_day"][0]
    assert "Not offered: The bill day can be changed only with the first invoice" in text(page)


def test_what_moved_since_it_was_seen_is_not_generated_but_shown_anew(acme, staff):
    account = an_account(acme)
    sent = fields_of(preview(staff, account, mode="pending"))
    RateSchedule.objects.update(rate_per_unit=40)
    answer = commit(staff, account, sent)
    assert (answer.status_code, Invoice.objects.count()) == (409, 0)
    page = text(answer)
    assert "The document has changed since you saw it" in page and "moved: terms, lines" in page
    assert "$40.00" in page and answer.context["form"]["mode"].value() == "pending"
    again = commit(staff, account, fields_of(answer))
    assert again["Location"] == f"/invoices/{Invoice.objects.get(total_amount=40).pk}/"


def test_a_reader_without_the_right_sees_why_and_cannot_generate(acme):
    account = an_account(acme)
    reader = session_of(acme, "accounts.view_account", "invoices.view_invoice")
    page = preview(reader, account)
    assert "You have no permission for this: generating invoices" in text(page)
    assert re.search(r'<button class="btn btn-primary"[^>]* disabled', page.content.decode())
    answer = commit(reader, account, fields_of(page))
    assert (answer.status_code, Invoice.objects.count()) == (403, 0)
    assert "You have no permission to generate invoices." in text(reader.get(f"/accounts/{account.pk}/"))


def test_a_cycle_with_nothing_to_bill_moves_the_account_on(acme, staff):
    account, _ = metered(acme)
    page = preview(staff, account)
    assert "Nothing to bill" in text(page) and "Its next bill date is then Feb 10, 2026" in text(page)
    answer = commit(staff, account, fields_of(page))
    assert (answer["Location"], Invoice.objects.count()) == (f"/accounts/{account.pk}/", 0)
    assert told(answer) == ["There was nothing to bill in this cycle. The account moved to the next cycle."]


@pytest.mark.parametrize(
    ("token", "came_of_it"),
    [
        ("sandbox_approved", "$20.00 was collected."),
        ("sandbox_declined", "It was not collected: The payment was declined: The card was declined"),
    ],
)
def test_what_is_collected_is_foretold_and_told(acme, staff, token, came_of_it):
    acme.collect_on_approval = True
    acme.save()
    account = an_account(acme)
    pay(account, PROCESS, "10.00")
    assert "Nothing: The account has no valid card or bank account" in text(preview(staff, account))
    PaymentMethod.objects.create(account=account, type="card", label="Visa ending 4242", token=token)
    page = preview(staff, account)
    assert "From credit $10.00" in text(page) and "Collected $20.00, Visa ending 4242" in text(page)
    answer = commit(staff, account, fields_of(page))
    attempt = CollectionAttempt.objects.get()
    assert attempt.amount == 20
    assert told(answer) == ["Invoice INV-000001 of $30.00 is issued.", came_of_it]
