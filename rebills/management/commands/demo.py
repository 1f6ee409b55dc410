"""manage.py demo: import real customers, bill them exactly, bill one of them by hand, charge one account in all nine ways, and
rebill the invoice that was billed by hand. Checks every figure.

Needs an empty database, which `make demo` creates. The figures are compared with what this module reads from the file itself.
"""

import csv
import secrets
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from accounts import clock
from accounts.callers import Caller
from accounts.importing.customers import import_customers
from accounts.models import Account, Client, Plan, Service
from accounts.models.history import change_many, changing_as
from accounts.services.accounts import create_client
from accounts.services.plans import assign_plan, update_plan_instance
from billing_site.common.currencies import currency_of
from billing_site.common.storage import ExactSum
from billing_site.errors import BillingError
from invoices.audit import run_audits
from invoices.calculation import ZERO, rounded
from invoices.kinds import DecisionAct, InvoiceKind, InvoiceStatus, LineType, RefundStatus, RunResult
from invoices.line_explanations import line_explanation, units_text
from invoices.management import demo_line_types
from invoices.management.commands.audit import report_lines
from invoices.management.commands.bill import bill_with_progress, run_summary
from invoices.models import CollectionAttempt, DocumentFile, Invoice, InvoiceLine, LedgerEntry, Payment, TaxRate
from invoices.plan.facts import BillingRequest
from invoices.services.approving.deciding import decide_on_one
from invoices.services.billing.generating import generate_invoice, generate_invoices
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.credit_memos import CreditRequest, create_credit_memo
from invoices.services.documents.outcomes import Settled
from invoices.services.money.ledger.acts import Why
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.history import description, with_voids
from invoices.services.money.ledger.refunds import left_to_refund, refund_payment
from invoices.services.money.payment_methods import add_payment_method
from invoices.services.money.receivables import add_up_by_currency, receivables
from invoices.services.planning.flags import flags_of, with_flags
from invoices.services.printing.files import file_of_document
from invoices.services.runs.figures import count_results, run_totals
from invoices.services.runs.runs import start_run
from rebills.kinds import CampaignState, ItemState, RuleChange
from rebills.management.commands.rebill_campaign import campaign_summary, carry_out
from rebills.models import RebillCampaign
from rebills.plan import RebillPlan
from rebills.plan.campaign_rules import Rule
from rebills.services.campaigns.campaigns import (
    CampaignOptions,
    approve_campaign,
    approve_undo,
    ask_for_undo,
    create_campaign,
    start_campaign,
)
from rebills.services.campaigns.figures import count_items, sum_by_currency
from rebills.services.campaigns.selection import Selection
from rebills.services.campaigns.undo_preview import preview_campaign_undo
from rebills.services.previewing import preview_rebills
from rebills.services.rebilling import rebill_invoices
from rebills.services.requests import RebillRequest, RefusedRebill, RequestedLine

INSTALLED_SERVE = "DATABASE_URL=sqlite:///demo.sqlite3 DEBUG=1 billing-back-office work --serve 8000"
CUSTOMERS = Path(settings.RESOURCES) / "data" / "telco_customers.csv"
# Bill days are 1 to 28. So on these days every account is due for this month's cycle, and none for the next.
END_OF_JANUARY = date(2026, 1, 31)
END_OF_FEBRUARY = date(2026, 2, 28)
# Invented rates, modelled on real ones. Internet access is not taxed, which its services say.
NOT_TAXED = "exempt"
TAX_RATES = (
    ("Federal excise tax", "", "telecom", Decimal("3")),
    ("State sales tax", "CA", "digital", Decimal("7.25")),
)
EXTRAS = {
    "OnlineSecurity": 5,
    "OnlineBackup": 5,
    "DeviceProtection": 5,
    "TechSupport": 5,
    "StreamingTV": 10,
    "StreamingMovies": 10,
}
# A customer with a telephone, an internet connection and several extras.
BILLED_BY_HAND = "9305-CDSKC"
# The accounts after this number are left with a pending invoice.
WAITING_FROM, WAITING = 100, 12
WRONG_PRICE = "tech-support"
UNDONE = 20
CALLER = Caller(process="demo")


class Expected(NamedTuple):
    """What the customers should be billed according to the file, calculated without the product's code."""

    customers: int
    net_amount: Decimal
    tax_amount: Decimal


class Command(BaseCommand):
    help = (
        "Imports 7,043 real customers, bills them, collects, refunds, rebills and audits everything. Needs an empty database."
    )

    @changing_as("demo")
    def handle(self, *args: Any, **options: Any) -> None:
        if Client.objects.exists():
            raise CommandError(
                "The demo needs an empty database. Use `make demo`: it creates its own database and does not touch yours."
            )
        client, auth_key = self.make_client()
        people = self.make_people(client)
        self.import_them(client)
        self.bill_them(client)
        by_hand = self.bill_one(client)
        self.move_money(client, self.bill_every_way(client))
        self.rebill_one(client, by_hand)
        self.print_chain(client, by_hand)
        self.leave_some_to_approve(client)
        campaign = self.correct_all(client, people)
        self.undo_one(campaign, people)
        self.audit(client)
        self.say_what_next(client, auth_key)

    def make_client(self) -> tuple[Client, str]:
        client, _, auth_key = create_client(
            name="Demo Telecom",
            caller=CALLER,
            address1="1 Market Street",
            city="San Francisco",
            region="CA",
            postal_code="94105",
            country="US",
            time_zone="America/Los_Angeles",
            clock_offset=clock.offset_to(END_OF_JANUARY, "America/Los_Angeles"),
        )
        for name, region, category, percent in TAX_RATES:
            TaxRate.objects.create(
                client=client,
                name=name,
                country="US",
                region=region,
                category=category,
                percent=percent,
                valid_from=date(2020, 1, 1),
            )
        return client, auth_key

    def make_people(self, client: Client) -> dict[str, Caller]:
        """Create two people of different roles, and return them by role. They sign in with the password of the end."""
        people = {}
        for role in ("Biller", "Approver"):
            user = get_user_model().objects.create_user(role.lower(), is_staff=True)
            user.groups.add(Group.objects.get(name=role))
            client.staff.add(user)
            people[role] = Caller(staff=user)
        return people

    def import_them(self, client: Client) -> None:
        self.title(f"Importing {CUSTOMERS.name}")
        with CUSTOMERS.open("rb") as file:
            summary = import_customers(client, file, report=lambda fault: self.stderr.write(str(fault)), left_as_billable=True)
        change_many(Service.objects.filter(client=client, tax_category="internet"), tax_category=NOT_TAXED)
        self.figure("accounts", f"{summary.created:,}")
        self.figure("plan instances", f"{summary.plan_instances:,}")
        self.figure("customer prices", f"{summary.own_prices:,}")

    def bill_them(self, client: Client) -> None:
        today = clock.today(client)
        self.title(f"Billing everyone whose cycle of January is due, on {today} by the client's clock")
        run = start_run(client=client, today=today, caller=CALLER)
        bill_with_progress(run, CALLER)
        for line in run_summary(run):
            self.stdout.write(f"  {line}")
        expected = read_expected()
        results = count_results(run)
        (totals,) = run_totals(run)
        self.must_be("accounts", sum(results.values()), expected.customers)
        self.must_be("invoices", results[RunResult.INVOICED], expected.customers)
        self.must_be("total before tax", totals.net_amount, expected.net_amount)
        self.must_be("tax", totals.tax_amount, expected.tax_amount)
        self.must_be("total", totals.total_amount, expected.net_amount + expected.tax_amount)
        self.stdout.write("  The file says the same, added up on its own.")

    def bill_one(self, client: Client) -> Invoice:
        today = clock.advance_clock_to(client, END_OF_FEBRUARY).date()
        account = Account.objects.filter(client=client).get(client_acct_id=BILLED_BY_HAND)
        self.title(f"One month on, {today}: account {account.pk} ({account.client_acct_id}) is billed by hand, as pending")
        before = account_balance(account)
        number = generate_invoice(
            client=client, account_no=account.pk, request=BillingRequest(today, force_pending=True), caller=CALLER
        )
        invoice = Invoice.objects.get(account=account, status=InvoiceStatus.PENDING)
        self.must_be("the pending invoice", invoice.pk, number)
        self.show(invoice)
        self.must_be("balance while pending", account_balance(account), before)
        decide_on_one(DecisionAct.APPROVE, client=client, invoice_no=invoice.pk, caller=CALLER, today=today)
        invoice.refresh_from_db()
        after = account_balance(account)
        self.stdout.write(f"  Approved as {invoice.document_number}, due {invoice.due_date}.")
        self.figure("balance before", f"{before}")
        self.figure("balance after", f"{after}")
        self.must_be("status", invoice.status, InvoiceStatus.APPROVED.value)
        self.must_be("balance after", after, before + rounded(invoice.total_amount, invoice.billing_currency))
        return invoice

    def bill_every_way(self, client: Client) -> Invoice:
        today = clock.today(client)
        self.title("One account is charged in every way: all nine line types on one invoice, and the story of each line")
        account = demo_line_types.open_account(client, today, CALLER)
        invoice = demo_line_types.bill(account, today, CALLER)
        lines = list(invoice.lines.all())
        for line in lines:
            explanation = "; ".join([text for text in (units_text(line), *line_explanation(line)) if text])
            amount = rounded(line.amount, invoice.billing_currency)
            label = line.get_line_type_display()
            self.stdout.write(f"  {line.line_no:>2} {label:<28}{line.description:<26}{amount:>10}  {explanation}".rstrip())
        for line in lines:
            taken = invoice.credit_details.filter(credit_line_no=line.line_no)
            parts = [f"{rounded(one.amount, invoice.billing_currency)} off {one.credited_line_no}" for one in taken]
            if parts:
                self.stdout.write(f"  line {line.line_no} takes {', '.join(parts)}")
        self.figure("total", f"{rounded(invoice.total_amount, invoice.billing_currency)}")
        seen = [(line.line_type, str(rounded(line.amount, invoice.billing_currency))) for line in lines]
        self.must_be("lines", seen, [(int(line_type), amount) for line_type, amount in demo_line_types.EXPECTED_LINES])
        self.must_be("line types", {line.line_type for line in lines}, set(LineType))
        return invoice

    def move_money(self, client: Client, invoice: Invoice) -> None:
        """Let the first card be declined and the second charged; then credit a line, and refund the released amount."""
        account = invoice.account
        by: dict[str, Any] = {"client": client, "caller": CALLER, "today": clock.today(client)}
        self.title("What it owes is collected through the sandbox gateway, which keeps books of its own")
        total = rounded(invoice.total_amount, invoice.billing_currency)
        owed = list(Invoice.objects.filter(account=account).order_by("pk").values_list("pk", flat=True))
        for token, result in (("sandbox_insufficient_funds", "declined"), ("sandbox_approved", "collected")):
            add_payment_method(client=client, account_no=account.pk, caller=CALLER, type="card", token=token, label="A card")
            outcomes = collect_invoices(invoice_nos=owed, **by)
            self.must_be(f"collecting by {token}", {outcome.result.value for outcome in outcomes}, {result})
            attempt = CollectionAttempt.objects.filter(invoice=invoice).latest("attempt_no")
            self.stdout.write(f"  attempt {attempt.attempt_no}: {attempt.status}, {attempt.proc_status_text}")
        self.must_be("balance once it is collected", account_balance(account), ZERO)
        first = invoice.lines.filter(line_type=LineType.RECURRING).earliest("line_no")
        memo = create_credit_memo(
            invoice_no=invoice.pk, why=Why(1, "Line was down"), credit=CreditRequest(lines={first.line_no: None}), **by
        )
        credited = rounded(-memo.total_amount, memo.billing_currency)
        self.stdout.write(
            f"  {memo.document_number} credits line {first.line_no} ({first.description}) and its tax: {credited}"
        )
        self.must_be("balance with the credit", account_balance(account), -credited)
        payment = Payment.objects.get(attempt__invoice=invoice)
        refund = refund_payment(transaction_id=payment.pk, amount=credited, why=Why(4, "Customer asked"), **by)
        self.must_be("refund", refund.status, RefundStatus.DONE.value)
        self.must_be("balance once it is refunded", account_balance(account), ZERO)
        self.stdout.write("  Its transactions:")
        for entry in with_voids(LedgerEntry.objects.filter(account=account)).order_by("entry_no"):
            amounts = [rounded(amount, invoice.billing_currency) for amount in (entry.amount, entry.balance_after)]
            self.stdout.write(f"  {description(entry):<34}{amounts[0]:>12}{amounts[1]:>12}")
        self.must_be("the invoice, less the credit, is what the gateway has kept", total - credited, left_to_refund(payment))
        for currency, ages in add_up_by_currency(receivables(client, by["today"])).items():
            self.figure(f"due from all, {currency.upper()}", f"{ages.total:,.2f}")
            self.figure("of it not payable", f"{ages.current:,.2f}")

    def rebill_one(self, client: Client, invoice: Invoice) -> None:
        """Charge half the units of one line of the paid invoice, another rate on a second line, and leave a third out."""
        account, today = invoice.account, clock.today(client)
        by: dict[str, Any] = {"client": client, "caller": CALLER, "today": today}
        self.title(f"{invoice.document_number}, billed by hand, is paid by card and then rebilled: a memo and a rebill at once")
        add_payment_method(
            client=client, account_no=account.pk, caller=CALLER, type="card", token="sandbox_approved", label="Card"
        )
        owed = list(Invoice.objects.filter(account=account).values_list("pk", flat=True))
        collected = collect_invoices(invoice_nos=owed, **by)
        self.must_be("collecting", {one.result.value for one in collected}, {"collected"})
        halved, repriced, dropped, *_ = invoice.lines.exclude(line_type=LineType.TAX)
        assert halved.units is not None and repriced.rate_per_unit is not None
        request = RebillRequest(
            invoice.pk,
            reason_code=1,
            comments="As agreed by telephone",
            carries_unlisted=True,
            collect=True,
            lines=(
                RequestedLine(halved.line_no, units=halved.units / 2, comments="half a month"),
                RequestedLine(repriced.line_no, rate_per_unit=repriced.rate_per_unit - 1, comments="the price of the offer"),
                RequestedLine(dropped.line_no, exclude=True),
            ),
        )
        (preview,) = preview_rebills(client=client, requests=[request], today=today)
        if isinstance(preview, RefusedRebill):
            raise CommandError(f"The preview was refused: {preview.error}")
        (outcome,) = rebill_invoices(requests=[request._replace(fingerprint=preview.plan.fingerprint)], **by)
        if isinstance(outcome, RefusedRebill):
            raise outcome.error
        rebill = Invoice.objects.select_related("memo").get(corrects=invoice, kind=InvoiceKind.REBILL)
        assert rebill.memo is not None
        self.show_side_by_side(invoice, rebill, preview.plan)
        left = (
            rounded(halved.amount - cents(halved.amount / 2), currency_of("usd"))
            + 1
            + rounded(dropped.amount, currency_of("usd"))
        )
        self.must_be("difference before tax", rounded(invoice.net_amount - rebill.net_amount, currency_of("usd")), left)
        self.must_be("the memo", rebill.memo.total_amount, -invoice.total_amount)
        difference = rounded(rebill.total_amount - invoice.total_amount, currency_of("usd"))
        self.must_be("balance after it, as the preview has said", account_balance(account), preview.plan.money.balance_after)
        self.must_be("what was paid and is not owed any more", account_balance(account), difference)
        payment = Payment.objects.get(attempt__invoice=invoice)
        refund = refund_payment(transaction_id=payment.pk, amount=-difference, why=Why(2, "Rebilled"), **by)
        self.must_be("refund", refund.status, RefundStatus.DONE.value)
        self.must_be("balance once it is refunded", account_balance(account), ZERO)
        self.stdout.write(f"  The difference of {-difference} is given back through the gateway; the balance is {ZERO:.2f}.")

    def show_side_by_side(self, invoice: Invoice, rebill: Invoice, plan: RebillPlan) -> None:
        numbers = (invoice.document_number, str(rebill.memo), rebill.document_number, "difference")
        self.stdout.write(f"  {'with tax':<26}" + "".join(f"{number:>13}" for number in numbers))
        for row in plan.differences:
            amounts = (row.original.total, -row.original.total, row.rebill.total, row.difference.total)
            changes = "; ".join(change for change in row.changes if not change.startswith("amount"))
            figures = "".join(f"{amount:>13.2f}" for amount in amounts)
            self.stdout.write(f"  {row.description:<26}{figures}  {changes}".rstrip())
        for name, label in (("net", "before tax"), ("tax", "tax"), ("total", "total")):
            before, after = getattr(plan.original, name), getattr(plan.rebill, name)
            amounts = (before, -before, after, after - before)
            self.stdout.write(f"  {label:<26}" + "".join(f"{amount:>13.2f}" for amount in amounts))
        stored = (invoice.total_amount, rebill.total_amount)
        self.must_be("preview and commit", stored, (plan.original.total, plan.rebill.total))

    def print_chain(self, client: Client, original: Invoice) -> None:
        """Make the PDFs of an invoice, its credit memo and its rebill, and say where they are. Without Pango, say why not."""
        self.title("The PDFs of the invoice, its credit memo and its rebill")
        chain = Invoice.objects.filter(Q(pk=original.pk) | Q(chain_root=original.pk)).order_by("pk")
        for number, printed in chain.values_list("pk", "document_number"):
            try:
                file_of_document(client, number)
            except BillingError as refusal:
                self.stdout.write(f"  {printed:<12}{refusal.message}")
                continue
            file = DocumentFile.objects.get(invoice=number)
            self.stdout.write(f"  {printed:<12}{Path(settings.DOCUMENTS_FOLDER) / file.name}")

    def leave_some_to_approve(self, client: Client) -> None:
        """Leave a dozen pending invoices of February. Most are as in January, one has an additional service, one has another
        price."""
        today = clock.today(client)
        self.title("A dozen invoices are left in the approval queue, two of them with something to look at")
        accounts = list(Account.objects.filter(client=client, pk__gt=WAITING_FROM).order_by("pk")[:WAITING])
        extra = Plan.objects.filter(client=client, name__startswith="Streaming TV").earliest("pk")
        assign_plan(account=accounts[0], plan=extra, start_date=accounts[0].next_bill_date or today, caller=CALLER)
        instance = accounts[1].plan_instances.earliest("pk")
        instance.units, instance.po_num = Decimal(2), "PO-2026-7"
        update_plan_instance(instance, ["units", "po_num"], caller=CALLER)
        outcomes = generate_invoices(
            client=client,
            account_nos=[account.pk for account in accounts],
            request=BillingRequest(today, force_pending=True),
            caller=CALLER,
        )
        numbers = [one.invoice_no for one in outcomes if isinstance(one, Settled)]
        flagged = [flags_of(invoice) for invoice in with_flags(Invoice.objects.filter(pk__in=numbers), client)]
        self.must_be("pending invoices", len(flagged), WAITING)
        self.must_be("of them flagged", sum(map(bool, flagged)), 2)

    def correct_all(self, client: Client, people: Mapping[str, Caller]) -> RebillCampaign:
        """Tech support was 2 % too dear in January. One person corrects all invoices by one campaign, another one approves."""
        self.title("All invoices of January charged 2 % too much for tech support: one campaign corrects them")
        support = Service.objects.get(client=client, client_service_id=WRONG_PRICE)
        lines = InvoiceLine.objects.filter(invoice__kind=InvoiceKind.RECURRING, invoice__invoice_date__lte=END_OF_JANUARY)
        wrong = list(lines.filter(service=support).values_list("amount", flat=True))
        campaign = create_campaign(
            client=client,
            name="Tech support 2 % too dear in January",
            selection=Selection(dated_until=END_OF_JANUARY),
            rules=[Rule(RuleChange.DISCOUNT, Decimal(2), services=(support.pk,), comments="2 % too dear")],
            options=CampaignOptions(reason_code=1, comments="We charged too much for tech support in January"),
            caller=people["Biller"],
        )
        carry_out(campaign, "Previewing")
        counts, (seen,) = count_items(campaign), sum_by_currency(campaign)
        expected = sum((cents(amount * Decimal("0.98")) for amount in wrong), ZERO) - sum(wrong)
        self.must_be("invoices of January", sum(counts.values()), read_expected().customers)
        self.must_be("of them with tech support", counts[ItemState.READY], len(wrong))
        self.must_be("difference before tax", seen.net_after - seen.net_before, rounded(expected, currency_of("usd")))
        self.stdout.write("  Seen by the biller, before anything is written:")
        for line in campaign_summary(campaign):
            self.stdout.write(f"  {line}")
        approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=people["Approver"])
        start_campaign(campaign, caller=people["Biller"])
        carry_out(campaign, "Rebilling")
        self.must_be("the campaign", campaign.state, CampaignState.FINISHED.value)
        self.must_be("rebilled", count_items(campaign).get(ItemState.REBILLED), len(wrong))
        rebills = Invoice.objects.filter(campaign_item__campaign=campaign)
        totals = rebills.aggregate(ExactSum("total_amount"), ExactSum("corrects__total_amount"))
        done = tuple(rounded(amount, currency_of("usd")) for amount in totals.values())
        self.must_be("the totals that were approved", done, (seen.total_after, seen.total_before))
        self.stdout.write(f"  Approved by the approver, then run: {len(wrong):,} credit memos and {len(wrong):,} rebills.")
        return campaign

    def undo_one(self, first: RebillCampaign, people: Mapping[str, Caller]) -> None:
        """A small second campaign is a mistake: it is undone as a whole, and every invoice is open as before it."""
        self.title(f"A second campaign, over {UNDONE} invoices, was a mistake: it is undone as a whole")
        others = first.items.filter(state=ItemState.UNCHANGED).order_by("pk").values_list("invoice_id", flat=True)[:UNDONE]
        invoices = Invoice.objects.filter(pk__in=list(others)).order_by("pk")
        before = list(invoices.values_list("pk", "status", "open_amount"))
        campaign = create_campaign(
            client=first.client,
            name="10 % off by mistake",
            selection=Selection(invoices=tuple(others)),
            rules=[Rule(RuleChange.DISCOUNT, Decimal(10))],
            options=CampaignOptions(reason_code=1),
            caller=people["Biller"],
        )
        carry_out(campaign, "Previewing")
        approve_campaign(campaign, fingerprint=campaign.fingerprint, caller=people["Approver"])
        start_campaign(campaign, caller=people["Biller"])
        carry_out(campaign, "Rebilling")
        self.must_be("rebilled", count_items(campaign), {ItemState.REBILLED: UNDONE})
        ask_for_undo(campaign, caller=people["Biller"])
        approve_undo(campaign, fingerprint=preview_campaign_undo(campaign).fingerprint, caller=people["Approver"])
        carry_out(campaign, "Undoing")
        self.must_be("undone", count_items(campaign), {ItemState.UNDONE: UNDONE})
        self.must_be("the invoices", list(invoices.values_list("pk", "status", "open_amount")), before)
        self.stdout.write(f"  {UNDONE} rebills and their memos are reversed. Each invoice is open as it was before.")

    def show(self, invoice: Invoice) -> None:
        for line in invoice.lines.all():
            period = f"{line.period_start} to {line.period_end}" if line.period_start else ""
            listed = line.list_rate_per_unit
            own_price = f"own price, list {rounded(listed, invoice.billing_currency)}" if listed is not None else ""
            amount = rounded(line.amount, invoice.billing_currency)
            self.stdout.write(f"  {line.line_no:>2} {line.description:<34}{period:<26}{amount:>10}  {own_price}".rstrip())
        self.figure("total before tax", f"{rounded(invoice.net_amount, invoice.billing_currency)}")
        self.figure("tax", f"{rounded(invoice.tax_amount, invoice.billing_currency)}")
        self.figure("total", f"{rounded(invoice.total_amount, invoice.billing_currency)}")

    def audit(self, client: Client) -> None:
        self.title("Audit")
        reports = list(run_audits(client))
        for line in report_lines(reports):
            self.stdout.write(f"  {line}")
        self.must_be("audit findings", sum(len(report.findings) for report in reports), 0)

    def say_what_next(self, client: Client, auth_key: str) -> None:
        password = secrets.token_urlsafe(9)
        get_user_model().objects.create_superuser("demo", password=password)
        hashed = make_password(password)
        get_user_model().objects.filter(username__in=("biller", "approver")).update(password=hashed)
        serve = "make serve" if settings.IS_CHECKOUT else INSTALLED_SERVE
        self.title(f"Every figure is right. `{serve}` shows it all at http://127.0.0.1:8000/")
        self.stdout.write(f"  Sign in as demo with the password {password}")
        self.stdout.write("  With the same password: biller, who generates and rebills, and approver, who approves")
        self.stdout.write(f"  For the API: client_no {client.pk}, auth_key {auth_key}")

    def title(self, text: str) -> None:
        self.stdout.write(f"\n{text}")

    def figure(self, label: str, value: str) -> None:
        self.stdout.write(f"  {label:<17}{value:>14}")

    def must_be(self, label: str, seen: object, expected: object) -> None:
        if seen != expected:
            raise CommandError(f"{label} is {seen}, but should be {expected}")


def read_expected() -> Expected:
    customers, net, tax = 0, Decimal(0), Decimal(0)
    with CUSTOMERS.open(newline="") as file:
        for row in csv.DictReader(file):
            charge = Decimal(row["MonthlyCharges"])
            digital = Decimal(sum(price for name, price in EXTRAS.items() if row[name] == "Yes"))
            # The customer's own deviation from list prices is in the internet line or, without internet, in the phone line.
            phone = Decimal(20 * (row["PhoneService"] == "Yes") + 5 * (row["MultipleLines"] == "Yes"))
            telecom = charge if row["InternetService"] == "No" else phone
            customers += 1
            net += charge
            tax += cents(telecom * 3 / 100) + cents(digital * Decimal("7.25") / 100)
    return Expected(customers, net, tax)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
