"""The plans of customers in the admin. What was charged for them is known here, so that a change says what becomes of it."""

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import InlineModelAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget

from accounts.admin.prices import OwnPricesOfPlanInstance
from accounts.admin.rows import HistoryAdmin, MasterDataForm, add_link, may_add
from accounts.callers import Caller
from accounts.clock import today
from accounts.models import PlanInstance, RateSchedule
from accounts.services import assign_plan, lock_account, plans_changed
from invoices.plan.rating import shown
from invoices.services.plan_changes import edit_plan, unused_days_of

CREDIT_CHOICES = (("", _("As the client's setting says")), ("true", _("Give back")), ("false", _("Stay charged")))


class PlanInstanceForm(MasterDataForm):
    units_from = forms.DateField(
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text=_("First day with other units. A new plan instance has them, so that earlier days keep theirs."),
    )
    credit_unused = forms.TypedChoiceField(
        required=False,
        choices=CREDIT_CHOICES,
        coerce=lambda value: value == "true",
        empty_value=None,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Days that were billed and are not used, where the end or the units are changed."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["units_from"] = today(self.instance.account.client)


@admin.register(PlanInstance)
class PlanInstanceAdmin(HistoryAdmin):
    """Every change of a plan instance moves its account's next bill date and version with it, under the account's lock."""

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
                "description": _("Own prices are given once the plan instance is saved: choose 'Save and continue editing'."),
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
                ]
            },
        ),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanInstance]:
        """With what names them: where they are searched for by others, a list of names asks one query."""
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
        return add_link(RateSchedule, _("Add an own price"), plan_instance=instance.pk, currency=currency)

    def get_fixed_fields(self, obj: PlanInstance) -> Sequence[str]:
        """Days that are billed cannot begin on another day any more."""
        return [*self.fixed_fields, "start_date"] if obj.billed_through else self.fixed_fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            given = {name: value for name, value in form.cleaned_data.items() if name not in form.declared_fields}
            obj.pk = assign_plan(**given, caller=Caller(staff=request.user)).pk
            return
        day = today(obj.account.client)
        edited = edit_plan(
            instance=obj,
            changed=[name for name in form.changed_data if name not in form.declared_fields],
            caller=Caller(staff=request.user),
            today=day,
            units_from=form.cleaned_data["units_from"] or day,
            credit_unused=form.cleaned_data["credit_unused"],
        )
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
    """What is said after a change: of a plan instance that took the place, and of days that were billed and are not used."""
    if edited.pk != instance.pk:
        words = gettext("Plan instance %(number)s takes its place from %(day)s with %(units)s units.")
        yield words % {"number": edited.pk, "day": edited.start_date, "units": f"{edited.units.normalize():f}"}
    instance.refresh_from_db()
    for days in unused_days_of(instance):
        yield gettext("%(days)s days from %(start)s to %(end)s: %(amount)s %(currency)s. %(outcome)s.") % {
            "days": days.days,
            "start": days.start_date,
            "end": days.end_date,
            "amount": shown(days.amount, days.currency),
            "currency": days.currency,
            "outcome": days.outcome.label,
        }
