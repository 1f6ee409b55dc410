"""Customers' plans in the admin. This page knows what was billed, so it shows what a change does to billed days."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import InlineModelAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget

from accounts.admin.prices import OwnPricesOfPlanInstance
from accounts.admin.rows import HistoryAdmin, MasterDataForm, add_link, may_add
from accounts.callers import Caller
from accounts.clock import today
from accounts.models import PlanInstance, RateSchedule
from accounts.services.accounts import lock_account
from accounts.services.plan_dates import plans_changed
from accounts.services.plans import assign_plan
from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError
from invoices.plan.rating import shown
from invoices.services.billing.plan_changes import UnusedDays, edit_plan, preview_edit, unused_days_of

CREDIT_CHOICES = (("", _("As the client's setting says")), ("true", _("Credit them")), ("false", _("Keep them charged")))


class PlanInstanceForm(MasterDataForm):
    units_from = forms.DateField(
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text=_("First day with the new units. A new plan instance gets them, so earlier days keep the old units."),
    )
    credit_unused = forms.TypedChoiceField(
        required=False,
        choices=CREDIT_CHOICES,
        coerce=lambda value: value == "true",
        empty_value=None,
        widget=UnfoldAdminSelectWidget,
        help_text=_("What happens with billed days that are not used, when the end or the units change."),
    )

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["units_from"] = today(self.instance.account.client)

    @property
    def changed_columns(self) -> list[str]:
        return [name for name in self.changed_data if name not in self.declared_fields]

    def edit(self) -> dict[str, Any]:
        """Return the arguments of the services that preview and save the edit."""
        day = today(self.instance.account.client)
        return {
            "instance": self.instance,
            "changed": self.changed_columns,
            "caller": Caller(staff=self.user),
            "today": day,
            "units_from": self.cleaned_data["units_from"] or day,
            "credit_unused": self.cleaned_data["credit_unused"],
        }

    def full_clean(self) -> None:
        """Show what happens to billed days that are no longer used, before anything is saved.

        The form is then sent again with the hash of what was shown. If the result differs from that, it is shown again.
        """
        super().full_clean()
        if self.instance.pk and self.is_bound and not self.errors and not {"end_date", "units"}.isdisjoint(self.changed_data):
            self._show_unused_days()

    def _show_unused_days(self) -> None:
        try:
            days = preview_edit(**self.edit())
        except BillingError:
            return  # Saving is refused for the same reason, and shows it.
        seen = sha256(repr(days).encode()).hexdigest()
        if not days or self.cleaned_data["seen"] == seen:
            return
        data = cast(QueryDict, self.data).copy()
        data[self.add_prefix("seen")] = seen
        self.data = data
        lead = gettext("Nothing is saved yet. Some billed days are no longer used. Check them, then save again:")
        self.add_error(None, [lead, *_about(days)])


@admin.register(PlanInstance)
class PlanInstanceAdmin(HistoryAdmin):
    """Plan instances. Each change also updates the account's next bill date and billing version, under the account's lock."""

    client_path = "account__client"
    form = PlanInstanceForm
    fixed_fields = ["account", "plan"]
    list_display = ["plan", "id", "account", "units", "start_date", "end_date", "billed_through"]
    list_filter = ["account__client", "start_date", ("end_date", admin.EmptyFieldListFilter)]
    list_select_related = ["plan", "account"]
    search_fields = ["plan__name", "account__client_acct_id", "po_num", "id__exact"]
    autocomplete_fields = ["account", "plan"]
    readonly_fields = ["billed_through", "add_own_price"]
    add_fieldsets = [  # type: ignore[assignment]
        (
            None,
            {
                "fields": ["account", "plan", "units", ("start_date", "end_date"), "po_num"],
                "description": _("Save the plan instance first to add customer prices: choose 'Save and continue editing'."),
            },
        )
    ]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("account", "plan"),
                    ("units", "units_from"),
                    ("start_date", "end_date"),
                    ("billed_through", "credit_unused"),
                    "po_num",
                    "seen",
                ]
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanInstance]:
        """Join the names that are shown, so that a list of search results needs one query."""
        return super().get_queryset(request).select_related("plan")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or not may_add(request, RateSchedule):
            return super().get_fieldsets(request, obj)
        return [*super().get_fieldsets(request, obj), (None, {"fields": ["add_own_price"]})]

    def get_inlines(self, request: HttpRequest, obj: PlanInstance | None) -> list[type[InlineModelAdmin]]:
        return [OwnPricesOfPlanInstance] if obj else []

    @admin.display(description=_("another price"))
    def add_own_price(self, instance: PlanInstance) -> SafeString:
        currency = instance.account.currency
        return add_link(RateSchedule, _("Add a customer price"), plan_instance=instance.pk, currency=currency)

    def get_fixed_fields(self, obj: PlanInstance) -> Sequence[str]:
        """The start of a plan instance is fixed once its days are billed."""
        return [*self.fixed_fields, "start_date"] if obj.billed_through else self.fixed_fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            columns = {name: value for name, value in form.cleaned_data.items() if name not in form.declared_fields}
            obj.pk = assign_plan(**columns, caller=Caller(staff=request.user)).pk
            return
        edited = edit_plan(**form.edit())
        for text in _what_became(obj, edited):
            messages.info(request, text)

    def delete_model(self, request: HttpRequest, obj: PlanInstance) -> None:
        account = lock_account(obj.account_id)
        obj.delete()
        plans_changed(account)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PlanInstance]) -> None:
        for instance in queryset.order_by("account_id", "pk"):
            self.delete_model(request, instance)


def _what_became(instance: PlanInstance, edited: PlanInstance) -> Iterator[str]:
    """Yield messages about a change: the plan instance that replaces this one, and billed days that are not used."""
    if edited.pk != instance.pk:
        words = gettext("Plan instance %(number)s replaces it from %(day)s with %(units)s units.")
        yield words % {"number": edited.pk, "day": edited.start_date, "units": f"{edited.units.normalize():f}"}
    instance.refresh_from_db()
    yield from _about(unused_days_of(instance))


def _about(unused: Iterable[UnusedDays]) -> Iterator[str]:
    """Yield a sentence for each row of unused days."""
    for days in unused:
        yield gettext(
            "%(what)s of %(document)s, %(days)s days from %(start)s to %(end)s: %(amount)s %(currency)s. %(outcome)s."
        ) % {
            "what": days.description,
            "document": days.document_number,
            "days": days.days,
            "start": days.start_date,
            "end": days.end_date,
            "amount": shown(days.amount, currency_of(days.currency)),
            "currency": days.currency,
            "outcome": days.outcome.label,
        }
