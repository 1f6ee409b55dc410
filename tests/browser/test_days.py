"""A day of each role by keyboard alone, and one without scripts: only keys are pressed, and the focus is never lost."""

from datetime import date

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from accounts.clock import offset_to
from accounts.models import PaymentMethod, SavedView
from invoices.audit import run_audits
from invoices.models import CashCredit, Comparison, CreditMemo, Invoice, Payment
from invoices.plan.facts import BillingRequest
from invoices.services.billing.generating import generate_invoice
from tests.support.billing import JAN_10, bill
from tests.support.clicks import Clicks
from tests.support.factories import BY_TEST, ClientFactory, TaxRateFactory, a_plan, an_account
from tests.support.paying import due

JANUARY_20 = date(2026, 1, 20)
MOST_TABS = 150


@pytest.fixture
def office(transactional_db, settings):
    """A client whose account A-1 owes 33.00, and A-2 has a pending invoice of 33.00."""
    settings.VIRTUAL_CLOCK = True
    client = ClientFactory(clock_offset=offset_to(JANUARY_20, "UTC"))
    TaxRateFactory(client=client)
    plan = a_plan(client, {"phone": "30.00"})
    client.one, client.two = (an_account(client, plan, client_acct_id=name) for name in ("A-1", "A-2"))
    PaymentMethod.objects.create(account=client.one, type="card", token="sandbox_approved", label="Card")
    client.issued = bill(client.one, BY_TEST, JAN_10)
    request = BillingRequest(JAN_10, force_pending=True)
    client.pending = generate_invoice(client=client, account_no=client.two.pk, request=request, caller=BY_TEST)
    return client


class Keyboard:
    """A person who has no mouse. Every stop of Tab must show where it is."""

    def __init__(self, page):
        self.page = page

    def at(self):
        """The name of what has the focus, as it is read out."""
        return self.page.evaluate(
            """() => {
              const one = document.activeElement;
              if (!one || one === document.body) return "";
              const label = one.labels && one.labels[0] ? one.labels[0].innerText : "";
              return (one.getAttribute("aria-label") || label || one.innerText || one.value || "").trim();
            }"""
        )

    def go(self, name, key="Tab"):
        """Press Tab until the focus is on what has this name."""
        for _ in range(MOST_TABS):
            if f"{self.at()} ".startswith(f"{name} "):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{name} cannot be reached by {key} on {self.page.url}")

    def press(self, name):
        """Go to a link, button or summary, and press it."""
        self.go(name)
        if self.page.evaluate("document.activeElement.matches('a, button')"):
            with self.page.expect_navigation():
                self.page.keyboard.press("Enter")
        else:
            self.page.keyboard.press("Enter")

    def confirm(self):
        """Do what the page is for."""
        with self.page.expect_navigation():
            self.page.keyboard.press("Control+Enter")

    def type(self, name, text):
        self.go(name)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def choose(self, name, times=1):
        """Choose an option of a list that follows the first."""
        self.go(name)
        for _ in range(times):
            self.page.keyboard.press("ArrowDown")

    def told(self, text):
        self.page.get_by_text(text).first.wait_for()

    def search(self, text):
        """Open what the search finds first."""
        self.page.keyboard.press("/")
        self.page.keyboard.type(text)
        self.page.locator("#found [data-found]").first.wait_for()
        self.page.keyboard.press("ArrowDown")
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")


@pytest.fixture
def signed_in(opened, office):
    def person(role):
        user = get_user_model().objects.create(username=role.lower(), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        office.staff.add(user)
        page = opened(user)
        page.goto("/")
        return Keyboard(page)

    yield person
    assert [report for report in run_audits() if report.findings] == []


def test_the_day_of_a_biller(signed_in, office):
    """Finds an invoice, rebills it with another rate, and saves a view of what is open."""
    keys = signed_in("Biller")
    keys.search("INV-000001")
    keys.press("Rebill")
    keys.choose("Reason")
    keys.type("Rate", "20")
    keys.page.locator("#rebill-summary").get_by_text("-$11.00").first.wait_for()
    keys.confirm()
    keys.told("rate 30 → 20")
    keys.confirm()
    keys.told("The rebill was made.")
    assert Invoice.objects.get(kind="rebill").total_amount == 22
    keys.page.goto("/invoices/?state=open&ordering=-amount_due")
    keys.press("Save view")
    keys.type("Name of the view", "Open")
    keys.page.keyboard.press("Enter")
    keys.told("View saved: Open.")
    assert SavedView.objects.get().query == "state=open&ordering=-amount_due"


def test_the_day_of_an_approver(signed_in, office):
    keys = signed_in("Approver")
    keys.press("Approval queue")
    keys.page.wait_for_url("**/invoices/pending/")
    keys.page.keyboard.press("j")
    keys.page.keyboard.press("Space")
    keys.told("1 selected")
    keys.press("Approve")
    keys.told("What happens")
    keys.confirm()
    keys.told("1 of 1 are done")
    assert Invoice.objects.get(pk=office.pending).status == "approved"


def test_the_day_of_a_collector(signed_in, office):
    """Records a payment, and collects what is left of the ticked invoices."""
    keys = signed_in("Collector")
    keys.search("A-1")
    keys.press("Record payment")
    keys.type("Amount", "10")
    keys.page.locator("#outcome").get_by_text("$23.00").first.wait_for()
    keys.confirm()
    keys.told("The payment of $10.00 is recorded.")
    assert (Payment.objects.count(), due(office.issued)) == (1, 23)
    keys.page.goto("/invoices/?open=true")
    keys.page.keyboard.press("j")
    keys.page.keyboard.press("Space")
    keys.told("1 selected")
    keys.press("Collect …")
    keys.told("$23.00")
    keys.confirm()
    keys.page.wait_for_url("**/invoices/decisions/*/")
    keys.told("1 of 1 are done")
    assert due(office.issued) == 0


def test_the_day_of_a_corrector(signed_in, office):
    """Credits a line, after a refusal that says which field is wrong, and gives a cash credit."""
    keys = signed_in("Corrector")
    keys.search("INV-000001")
    keys.press("Credit lines")
    keys.go("Credit line 1" if keys.page.get_by_label("Credit line 1").count() else "1")
    keys.page.keyboard.press("Space")
    keys.page.locator("#outcome").get_by_text("$33.00").first.wait_for()
    keys.confirm()
    keys.page.troubles.clear()  # the browser notes an answer of 422
    assert keys.at().startswith("Reason")
    described_by = keys.page.evaluate("document.activeElement.getAttribute('aria-describedby')").split()
    assert keys.page.locator(f"#{described_by[-1]}").inner_text() == "This field is required."
    keys.choose("Reason")
    keys.type("Comments", "agreed")
    keys.page.locator("#outcome").get_by_text("$33.00").first.wait_for()
    keys.confirm()
    keys.told("is issued. It reduces INV-000001.")
    assert CreditMemo.objects.get(kind="credit_memo").total_amount == -33
    keys.search("A-2")
    keys.press("Give cash credit")
    keys.type("Amount", "5")
    keys.choose("Reason")
    keys.type("Comments", "late")
    keys.page.locator("#outcome").get_by_text("$5.00").first.wait_for()
    keys.confirm()
    keys.told("$5.00")
    assert CashCredit.objects.filter(kind="cash_credit").count() == 1


def test_the_day_of_an_administrator(signed_in, office):
    """Adds a customer, and shares a view of who is due."""
    keys = signed_in("Administrator")
    keys.page.keyboard.press("/")
    keys.page.keyboard.press("Escape")
    keys.page.goto("/accounts/")
    keys.press("New customer")
    keys.type("Client account id", "B-7")
    keys.page.locator("[name=name]").focus()
    keys.page.keyboard.type("Grace Hopper")
    keys.page.locator("select[name=plan]").focus()
    keys.page.keyboard.press("ArrowDown")
    keys.page.locator("#outcome").get_by_text("Total before tax").wait_for()
    keys.confirm()
    keys.told("Customer B-7 is created.")
    keys.page.goto("/accounts/?due=yes")
    keys.press("Save view")
    keys.type("Name of the view", "Due")
    keys.go("Show it to everyone who works for this client")
    keys.page.keyboard.press("Space")
    keys.press("Save view")
    keys.told("View saved: Due.")
    assert SavedView.objects.get().is_shared


def test_all_clean_documents_are_approved_with_3_clicks(opened, office):
    boss = get_user_model().objects.create(username="boss", is_staff=True, is_superuser=True)
    # It is compared with an invoice of the same total, so it has no flag.
    Comparison.objects.filter(invoice=office.pending).update(previous=office.issued, change_percent=0, change_amount=0)
    page = opened(boss)
    page.goto("/invoices/pending/")
    clicks = Clicks(page)
    page.locator(".tabs").get_by_role("link", name="Clean").click()
    page.wait_for_url("**tab=clean**")
    page.get_by_role("button", name="Approve all clean documents").click()
    page.get_by_role("button", name="Approve", exact=True).click()
    clicks.count += 3
    page.get_by_text("1 of 1 are done").wait_for()
    assert clicks.count <= 3


def test_a_day_without_scripts(opened, office):
    """Chooses columns, saves a view, acts on ticked rows, records a payment, and approves."""
    boss = get_user_model().objects.create(username="boss", is_staff=True, is_superuser=True)
    page = opened(boss, java_script_enabled=False)
    page.goto("/invoices/?open=true")
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("Corrections").uncheck()
    page.get_by_label("Customer").check()
    page.get_by_role("button", name="Show these columns").click()
    assert "Customer" in page.locator("thead").inner_text() and "Corrections" not in page.locator("thead").inner_text()
    page.locator("summary", has_text="Save view").click()
    page.get_by_label("Name of the view").fill("Owed")
    page.get_by_label("Show it to everyone").check()
    page.get_by_role("button", name="Save view").click()
    page.get_by_role("link", name="Owed").wait_for()
    page.get_by_role("link", name="Due", exact=True).click()
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Due")
    page.get_by_label("Select INV-000001").check()
    page.get_by_role("button", name="Collect …").click()
    page.get_by_role("button", name="Collect", exact=True).click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("1 of 1 are done").wait_for()
    assert due(office.issued) == 0
    page.goto("/invoices/pending/")
    page.locator("[data-row] input[type=checkbox]").first.check()
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("button", name="Approve").click()
    page.goto(f"/accounts/{office.two.pk}/payments/new/")
    assert page.get_by_label("Amount").input_value() == "33.00"
    page.get_by_role("button", name="Record payment").click()
    page.get_by_text("The payment of $33.00 is recorded.").wait_for()
    assert due(Invoice.objects.get(pk=office.pending)) == 0


def test_leaving_asks_only_if_something_is_typed(opened, office):
    boss = get_user_model().objects.create(username="boss", is_staff=True, is_superuser=True)
    page = opened(boss)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto(f"/accounts/{office.one.pk}/cash-credits/new/")
    page.get_by_label("Amount").fill("5")
    page.get_by_label("Amount").fill("")
    page.goto("/invoices/")
    page.locator("[data-row] input[type=checkbox]").first.check()
    page.get_by_role("searchbox", name="Search", exact=True).fill("A-1")
    page.goto("/accounts/")
    assert asked == []
    page.goto(f"/accounts/{office.one.pk}/cash-credits/new/")
    page.get_by_label("Amount").fill("5")
    page.goto("/accounts/")
    assert asked == ["beforeunload"]
    page.goto(f"/accounts/{office.one.pk}/payments/new/")
    page.get_by_label("Amount").fill("5")
    page.locator("#outcome").get_by_text("$28.00").first.wait_for()
    page.get_by_role("button", name="Record payment").click()
    page.get_by_text("is recorded.").wait_for()
    assert asked == ["beforeunload"]
