"""Accounts in the admin, once there are invoices: what an account owes, and generating its invoices.

`accounts` must not know `invoices`, so the page that `accounts` registers is replaced here by one that extends it, as Django
lets a project replace the page of its users. Without this app the accounts keep a page that works.
"""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.accounts import AccountAdmin
from accounts.callers import Caller
from accounts.clock import today
from accounts.models import Account
from invoices.admin.amounts import amount
from invoices.admin.batches import outcomes_by_client, tell
from invoices.plan.facts import BillingRequest
from invoices.services.approval_rules import APPROVE_PERMISSION
from invoices.services.balances import account_balance
from invoices.services.generating import generate_invoices

admin.site.unregister(Account)


@admin.register(Account)
class BilledAccountAdmin(AccountAdmin):
    readonly_fields = [*AccountAdmin.readonly_fields, "balance"]
    fieldsets = [*AccountAdmin.fieldsets, (_("Balance"), {"fields": ["balance"]})]
    actions = ["generate_invoice", "generate_pending_invoice"]

    @admin.display(description=_("balance"))
    def balance(self, account: Account) -> SafeString:
        return amount(account_balance(account), account.currency)

    def has_approve_permission(self, request: HttpRequest) -> bool:
        """An invoice that is generated here may be issued at once."""
        return request.user.has_perm(APPROVE_PERMISSION)

    @admin.action(description=_("Generate invoice"), permissions=["approve"])
    def generate_invoice(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        self._generate(request, queryset, force_pending=False)

    @admin.action(description=_("Generate pending invoice"), permissions=["approve"])
    def generate_pending_invoice(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        self._generate(request, queryset, force_pending=True)

    def _generate(self, request: HttpRequest, queryset: QuerySet[Account], *, force_pending: bool) -> None:
        caller = Caller(staff=request.user)
        outcomes = outcomes_by_client(
            queryset,
            lambda client, numbers: generate_invoices(
                client=client,
                account_nos=numbers,
                request=BillingRequest(today(client), force_pending=force_pending),
                caller=caller,
            ),
        )
        tell(request, outcomes, gettext("Invoices generated"))
