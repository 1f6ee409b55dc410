"""The page of an account: whether it can be billed, its plans and data for billing, and its past documents."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.contrib import messages
from django.db import transaction
from django.db.models import Case, Q, When
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.callers import Caller
from accounts.models import Account, Contact, Event, PlanInstance
from accounts.models.tags import tags_in
from accounts.pages.base import StaffPage
from accounts.receipts import use
from accounts.rights import COLLECT, CORRECT, ROW_RIGHTS
from accounts.services.personal_access import note_access
from billing_site.common.keyset_pages import Order, page_of
from billing_site.errors import BillingError, ErrorCode
from invoices.kinds import InvoiceStatus
from invoices.models import Invoice, LedgerEntry
from invoices.pages.acts.offers import additions, pausing, shown_entries
from invoices.pages.acts.waiting import waiting
from invoices.pages.reports.owed import AGES
from invoices.services.billing.plan_changes import remove_plan
from invoices.services.collecting.starting import methods_of
from invoices.services.documents.rights import check_may_generate
from invoices.services.documents.states import mark_states
from invoices.services.lists.contact_uses import contact_uses
from invoices.services.lists.timeline import events_for_people, timeline_entries
from invoices.services.money.ledger.history import with_voids
from invoices.services.money.ledger.open_items import IS_OPEN
from invoices.services.money.receivables import receivables_of
from invoices.services.planning.billable import Billable, billable, plans_shown
from invoices.services.planning.previewing import rate_unbilled_usage

INVOICES_SHOWN = 8
IS_FIRST = Case(When(IS_OPEN | Q(status=InvoiceStatus.PENDING), then=1), default=0)
"""What is open or pending is listed before newer documents, so that corrections do not push it off the page."""
ENTRIES_SHOWN = 10
EVENTS_SHOWN = 15


class Resolving(NamedTuple):
    """A link to where a problem that blocks billing can be solved."""

    address: str
    text: str


class AccountPage(StaffPage):
    needs = "accounts.view_account"
    parameters = ("ledger", "events", "orders")

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        account = self.found(Account.objects.select_related("client"), number)
        note_access(account.client, [account.pk], self.caller)
        ways = billable(client=account.client, account_no=account.pk, today=self.today)
        (owed,) = receivables_of([account], self.today)
        pauses = [one for one in account.pauses.all() if one.last_day is None or one.last_day >= self.today]
        return self.page(
            "accounts/page.html",
            {
                "account": account,
                "ways": ways,
                "resolving": self._resolving(account, ways),
                "not_permitted": not_permitted(self),
                "additions": [*additions(self, account.pk), *pausing(self, account.pk, is_paused=bool(pauses))],
                "pauses": pauses,
                "may_pay": self.may(COLLECT.permission),
                "may_correct": self.may(CORRECT.permission),
                "owed": owed,
                "ages": [(label, amount, place > 0) for place, (label, amount) in enumerate(zip(AGES, owed.ages, strict=True))],
                "contacts": [(one, _address(one.contact)) for one in contact_uses(account.contacts.all(), account.client)],
                "methods": account.payment_methods.order_by("is_disabled", "-is_default", "pk"),
                "collected_by": methods_of([account.pk]).get(account.pk),
                "tags": tags_in(account.tags),
                "plans": plans_shown(ways.facts, self.today),
                **waiting(self, account),
                **self._usage(account),
                **self._invoices(account),
                **self._ledger(account, owes=bool(owed.ages.total)),
                **self._events(account),
            },
        )

    def _resolving(self, account: Account, ways: Billable) -> Resolving | None:
        if ways.now is None:
            return None
        if ways.now.code is ErrorCode.PENDING_INVOICE and self.may("invoices.view_invoice"):
            return Resolving(reverse("invoice", args=[ways.facts.pending_invoice_no]), _("Go to the pending invoice"))
        if ways.now.code is ErrorCode.BILL_DATE_IN_FUTURE and ways.ahead is None:
            return Resolving(reverse("generate", args=[account.pk]) + "?mode=advance", _("Bill the coming cycle in advance"))
        if ways.now.code is ErrorCode.NO_BILLABLE_PLAN and self.may("accounts.add_planinstance"):
            return Resolving(reverse("add-plan", args=[account.pk]), _("Add a plan"))
        if ways.now.code in (ErrorCode.TEST_ACCOUNT, ErrorCode.ACCOUNT_STATUS) and self.may("accounts.change_account"):
            return Resolving(reverse("edit-account", args=[account.pk]), _("Change the account"))
        return None

    def _usage(self, account: Account) -> Mapping[str, Any]:
        if not self.may("invoices.view_usage"):
            return {}
        try:
            return {"usage": rate_unbilled_usage(client=account.client, account_no=account.pk, today=self.today)}
        except BillingError as refusal:
            return {"usage_refusal": refusal.shown}

    def _invoices(self, account: Account) -> Mapping[str, Any]:
        if not self.may("invoices.view_invoice"):
            return {}
        first = (IS_FIRST.desc(), "-pk")
        invoices = list(Invoice.objects.filter(account=account).order_by(*first)[:INVOICES_SHOWN])
        mark_states(invoices, self.today)
        return {"invoices": invoices}

    def _ledger(self, account: Account, *, owes: bool) -> Mapping[str, Any]:
        if not self.may("invoices.view_ledgerentry"):
            return {}
        entries = with_voids(LedgerEntry.objects.filter(account=account))
        cursor = self.request.GET.get("ledger")
        pages = page_of(entries, Order("entry_no", descending=True), cursor, ENTRIES_SHOWN)
        return {"entries": shown_entries(self, pages.rows, owes=owes), "ledger_pages": pages}

    def _events(self, account: Account) -> Mapping[str, Any]:
        if not self.may("accounts.view_event"):
            return {}
        events = events_for_people(Event.objects.filter(account=account))
        pages = page_of(events, Order("pk", descending=True), self.request.GET.get("events"), EVENTS_SHOWN)
        return {"events": timeline_entries(pages.rows), "event_pages": pages}


def _address(contact: Contact) -> str:
    """Return a contact's address on one line."""
    place = f"{contact.postal_code} {contact.city}".strip()
    parts = (contact.address1, contact.address2, place, contact.region, contact.country)
    return ", ".join(part for part in parts if part)


class RemovePlan(StaffPage):
    """Removes a plan that has not begun, and returns to the account."""

    needs = "accounts.view_account"

    def post(self, request: HttpRequest, number: int, instance_no: int) -> HttpResponse:
        account = self.found(Account.objects.all(), number)
        instance = get_object_or_404(PlanInstance, pk=instance_no, account=account)
        address = reverse("account", args=[account.pk])

        def work(caller: Caller) -> str:
            try:
                with transaction.atomic():
                    use(account.client, caller.receipt, row_no=instance.pk)
                    remove_plan(instance=instance, caller=caller, today=self.today)
            except BillingError as refusal:
                messages.error(request, refusal.shown)
            else:
                messages.success(request, _("The plan was removed. It is never billed."))
            return address

        return self.once(work, lambda receipt: address, ROW_RIGHTS["change", "accounts.planinstance"])


def not_permitted(page: StaffPage) -> str:
    """Return why the reader may not generate invoices, or ""."""
    try:
        check_may_generate(page.caller)
    except BillingError as refusal:
        return refusal.shown
    return ""
