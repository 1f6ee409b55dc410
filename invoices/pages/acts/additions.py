"""What an account is billed for: plans, orders, coupons, service credits, usage. Each shows its effect on the next invoice.

Charges, coupons, credits and usage are previewed in the facts (`intended`). Plans are previewed by doing the act and rolling it
back, because the usage and the billed days that they move are found in the database.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.db import transaction
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts import clock
from accounts.callers import Caller
from accounts.models import Account, Plan, PlanInstance, Service
from accounts.pages.forms import DayInput, NumberField
from accounts.receipts import use
from accounts.rights import ROW_RIGHTS
from accounts.services.plans import assign_plan
from billing_site.common.numbers import short_number
from invoices.models import Coupon
from invoices.pages.acts.base import ActForm, ActPage, amount_field
from invoices.services.billing.coupons import planned_redemption, redeem_coupon
from invoices.services.billing.one_time_charges import add_one_time_charge, planned_order
from invoices.services.billing.plan_changes import UnusedDays, end_plan, replace_plan, unused_days_of
from invoices.services.billing.service_credits import add_service_credit, planned_credit
from invoices.services.money.ledger.acts import seen_as
from invoices.services.planning.intended import (
    Change,
    NextInvoice,
    preview_change,
    with_coupon,
    with_credit,
    with_order,
    with_usage,
)
from invoices.services.planning.rehearsing import rehearse
from invoices.services.usage.loading import load_usage, planned_usage
from invoices.services.usage.targets import UsageRecord

MOST_CHOICES = 1000


class OwnRowField(forms.TypedChoiceField):
    """A row of the client, chosen by its name."""

    def __init__(self, model: Any, **options: Any) -> None:
        super().__init__(coerce=int, empty_value=None, **options)
        self.model = model

    def offer_to(self, client: Any) -> None:
        rows = self.model.objects.filter(client=client).order_by("name", "pk")[:MOST_CHOICES]
        self.choices = [("", _("Choose")), *((row.pk, row.name) for row in rows)]


class AdditionForm(ActForm):
    later: ClassVar[tuple[str, ...]] = ()

    def offer(self) -> None:
        super().offer()
        for field in self.fields.values():
            if isinstance(field, OwnRowField):
                field.offer_to(self.client)

    def row(self, name: str) -> Any:
        """Return the chosen row, or None."""
        field = self.fields[name]
        assert isinstance(field, OwnRowField)
        number = self.cleaned_data[name]
        return None if number is None else field.model.objects.get(client=self.client, pk=number)


def units_field(**options: Any) -> NumberField:
    return NumberField(**{"label": _("Units"), **options})


class AdditionPreview(NamedTuple):
    """The next invoice before and after the act, billed days that the act makes unused, and what else follows, as texts. Bound
    to what was typed. `costs` are of a price."""

    before: NextInvoice | None
    after: NextInvoice
    unused: list[UnusedDays]
    seen: str
    follows: Sequence[str] = ()
    costs: Sequence[Any] = ()


class AdditionPage(ActPage):
    """An act that changes what an account is billed for."""

    template = "acts/addition.html"
    account: Account
    done: ClassVar[Any]

    def open(self, **numbers: int) -> None:
        self.account = self.found(Account.objects.select_related("client"), numbers["number"])

    def back(self) -> str:
        return reverse("account", args=[self.account.pk])

    def do(self, form: Any, caller: Caller) -> Any:
        """Do the act by its service."""
        raise NotImplementedError

    def intended(self, form: Any) -> Change:
        """Return the change of the facts that the act makes, by the service that plans it. Writes nothing."""
        raise NotImplementedError

    def follows(self, form: Any) -> list[str]:
        """Say what else the reader must know before the act is done."""
        return []

    def costs(self, form: Any) -> list[Any]:
        return []

    def preview(self, form: Any) -> AdditionPreview:
        next_ = preview_change(client=self.client, account_no=self.account.pk, today=self.today, change=self.intended(form))
        follows, costs = self.follows(form), self.costs(form)
        seen = seen_as(str(sorted(form.cleaned_data.items())), next_.after.facts, follows)
        return AdditionPreview(next_.before, next_.after, [], seen, follows, costs)

    def act(self, form: Any, caller: Caller, preview: AdditionPreview) -> str:
        with transaction.atomic():
            use(self.client, caller.receipt)
            self.do(form, caller)
        self.tell(str(self.done))
        return self.back()

    def context(self, preview: AdditionPreview | None) -> Mapping[str, Any]:
        return {"account": self.account, "currency": self.account.currency}


class RehearsedPage(AdditionPage):
    """An act that is previewed by doing it and rolling it back."""

    def unused(self) -> list[UnusedDays]:
        """Return, during a rehearsal, the billed days that are unused after the act."""
        return []

    def preview(self, form: Any) -> AdditionPreview:
        def act() -> list[UnusedDays]:
            self.do(form, self.caller)
            return self.unused()

        done = rehearse(act, client=self.client, today=self.today, account_no=self.account.pk)
        unused = [(one.document_number, one.line_no, one.start_date, one.end_date, one.amount) for one in done.result]
        seen = seen_as(str(sorted(form.cleaned_data.items())), done.after.facts, unused)
        return AdditionPreview(done.before, done.after, done.result, seen)


class PlanForm(AdditionForm):
    plan = OwnRowField(Plan, label=_("Plan"))
    units = units_field()
    start_date = forms.DateField(label=_("First charged day"), widget=DayInput)
    po_num = forms.CharField(label=_("PO number"), required=False, max_length=1000)


class AddPlan(RehearsedPage):
    """A new plan of the account."""

    right = ROW_RIGHTS["add", "accounts.planinstance"]
    form_class = PlanForm
    title = _("Add plan")
    button = _("Add plan")
    done = _("The plan is added.")

    def initial(self) -> dict[str, Any]:
        return {"units": "1", "start_date": self.today.isoformat()}

    def do(self, form: PlanForm, caller: Caller) -> Any:
        fields = {name: form.cleaned_data[name] for name in ("units", "start_date", "po_num")}
        return assign_plan(account=self.account, plan=form.row("plan"), caller=caller, **fields)


UNUSED = [
    ("", _("As the client's settings say")),
    ("yes", _("Credit the unused days")),
    ("no", _("They stay charged")),
]


def unused_field() -> forms.ChoiceField:
    return forms.ChoiceField(label=_("Days that are billed already"), required=False, choices=UNUSED)


def credits_unused(form: Any) -> bool | None:
    return {"yes": True, "no": False}.get(form.cleaned_data["credit_unused"])


class EndPlanForm(AdditionForm):
    end_date = forms.DateField(label=_("Last charged day"), widget=DayInput)
    credit_unused = unused_field()


class InstancePage(AdditionPage):
    """An act on one plan of the account."""

    right = ROW_RIGHTS["change", "accounts.planinstance"]
    instance: PlanInstance

    def open(self, **numbers: int) -> None:
        super().open(number=numbers["number"])
        rows = PlanInstance.objects.select_related("plan", "account__client")
        self.instance = get_object_or_404(rows, pk=numbers["instance_no"], account=self.account)

    def context(self, preview: AdditionPreview | None) -> Mapping[str, Any]:
        return {**super().context(preview), "instance": self.instance}


class EndingPage(InstancePage, RehearsedPage):
    """An act that may end days that are billed already."""

    template = "acts/plan_change.html"

    def unused(self) -> list[UnusedDays]:
        return unused_days_of(PlanInstance.objects.get(pk=self.instance.pk))


class EndPlan(EndingPage):
    """The end of a plan."""

    form_class = EndPlanForm
    title = _("End plan")
    button = _("End plan")
    done = _("The end of the plan is set.")

    def initial(self) -> dict[str, Any]:
        return {"end_date": (self.instance.end_date or self.today).isoformat()}

    def do(self, form: EndPlanForm, caller: Caller) -> Any:
        instance = PlanInstance.objects.get(pk=self.instance.pk)
        end = form.cleaned_data["end_date"]
        return end_plan(instance=instance, end_date=end, caller=caller, today=self.today, credit_unused=credits_unused(form))


class ChangePlanForm(AdditionForm):
    plan = OwnRowField(Plan, label=_("Plan"))
    units = units_field()
    start_date = forms.DateField(label=_("From this day on"), widget=DayInput)
    credit_unused = unused_field()


class ChangePlan(EndingPage):
    """Another plan, or other units, from a day on. A new plan of the account replaces the old one."""

    right = ROW_RIGHTS["add", "accounts.planinstance"]
    form_class = ChangePlanForm
    title = _("Change plan")
    button = _("Change plan")
    done = _("The plan is changed.")

    def initial(self) -> dict[str, Any]:
        return {
            "plan": str(self.instance.plan_id),
            "units": short_number(self.instance.units),
            "start_date": self.today.isoformat(),
        }

    def do(self, form: ChangePlanForm, caller: Caller) -> Any:
        return replace_plan(
            instance=PlanInstance.objects.get(pk=self.instance.pk),
            plan=form.row("plan"),
            start_date=form.cleaned_data["start_date"],
            units=form.cleaned_data["units"],
            caller=caller,
            today=self.today,
            credit_unused=credits_unused(form),
        )


class OrderForm(AdditionForm):
    service = OwnRowField(Service, label=_("Service"))
    rate_per_unit = amount_field(label=_("Price of one unit"), decimal_places=6, max_digits=17)
    units = units_field()
    charge_date = forms.DateField(label=_("Charge date"), widget=DayInput)
    description = forms.CharField(label=_("Description"), required=False, max_length=200)
    po_num = forms.CharField(label=_("PO number"), required=False, max_length=1000)
    client_order_id = forms.CharField(label=_("Order id"), required=False, max_length=100)


class AddOrder(AdditionPage):
    """A one-time charge, which the first invoice on or after its day has."""

    right = ROW_RIGHTS["add", "invoices.onetimecharge"]
    form_class = OrderForm
    title = _("Add one-time charge")
    button = _("Add charge")
    done = _("The charge is added. The first invoice on or after its day has it.")

    def initial(self) -> dict[str, Any]:
        return {"units": "1", "charge_date": self.today.isoformat()}

    def intended(self, form: OrderForm) -> Change:
        order = planned_order(self.account, today=self.today, **{**form.cleaned_data, "service": form.row("service")})
        return with_order(self.account, order)

    def do(self, form: OrderForm, caller: Caller) -> Any:
        fields = {**form.cleaned_data, "service": form.row("service")}
        return add_one_time_charge(client=self.client, account_no=self.account.pk, caller=caller, today=self.today, **fields)


class CouponForm(AdditionForm):
    code = forms.ChoiceField(label=_("Coupon"))

    def offer(self) -> None:
        super().offer()
        coupons = Coupon.objects.filter(client=self.client).order_by("code")[:MOST_CHOICES]
        self.fields["code"].choices = [("", _("Choose")), *((one.code, str(one)) for one in coupons)]  # type: ignore[attr-defined]


class RedeemCoupon(AdditionPage):
    """A coupon, which reduces the account's invoices."""

    right = ROW_RIGHTS["add", "invoices.couponredemption"]
    form_class = CouponForm
    title = _("Redeem coupon")
    button = _("Redeem coupon")
    done = _("The coupon is redeemed.")

    def intended(self, form: CouponForm) -> Change:
        return with_coupon(planned_redemption(self.account, form.cleaned_data["code"], self.today))

    def do(self, form: CouponForm, caller: Caller) -> Any:
        code = form.cleaned_data["code"]
        return redeem_coupon(client=self.client, account_no=self.account.pk, caller=caller, code=code, today=self.today)


class ServiceCreditForm(AdditionForm):
    amount = amount_field()
    reason = forms.CharField(label=_("Reason"), max_length=200, help_text=_("Printed on the invoice."))
    service = OwnRowField(Service, label=_("Only for this service"), required=False)
    expires_on = forms.DateField(label=_("Last bill date that uses it"), required=False, widget=DayInput)


class GiveServiceCredit(AdditionPage):
    """A service credit, which reduces the charges of the next invoices."""

    right = ROW_RIGHTS["add", "invoices.servicecredit"]
    form_class = ServiceCreditForm
    title = _("Give service credit")
    button = _("Give service credit")
    done = _("The service credit is given. The next invoices use it.")

    def intended(self, form: ServiceCreditForm) -> Change:
        fields = {**form.cleaned_data, "service": form.row("service")}
        return with_credit(planned_credit(self.account, today=self.today, **fields))

    def do(self, form: ServiceCreditForm, caller: Caller) -> Any:
        fields = {**form.cleaned_data, "service": form.row("service")}
        return add_service_credit(client=self.client, account_no=self.account.pk, caller=caller, today=self.today, **fields)


class UsageForm(AdditionForm):
    service = OwnRowField(Service, label=_("Service"))
    units = units_field()
    used_on = forms.DateField(label=_("Used on"), widget=DayInput)
    description = forms.CharField(label=_("Description"), required=False, max_length=200)
    fields_of_errors: ClassVar[Mapping[str, str]] = {"used_at": "used_on"}


class AddUsage(AdditionPage):
    """One usage record."""

    right = ROW_RIGHTS["add", "invoices.usage"]
    form_class = UsageForm
    title = _("Add usage")
    button = _("Add usage")
    done = _("The usage is added.")

    def initial(self) -> dict[str, Any]:
        return {"used_on": self.today.isoformat()}

    def _record(self, form: UsageForm) -> UsageRecord:
        fields = form.cleaned_data
        return UsageRecord(
            record_id=f"page-{self.request.POST.get('once', '')[:32]}",
            units=fields["units"],
            used_at=datetime.combine(fields["used_on"], time.min, tzinfo=clock.local_time(self.client).tzinfo),
            acct_no=self.account.pk,
            service=fields["service"],
            description=fields["description"],
        )

    def intended(self, form: UsageForm) -> Change:
        used = planned_usage(client=self.client, record=self._record(form), now=clock.local_time(self.client))
        return with_usage(used) if used is not None else lambda facts: facts

    def do(self, form: UsageForm, caller: Caller) -> Any:
        now = clock.local_time(self.client)
        (result,) = load_usage(client=self.client, records=[self._record(form)], now=now, caller=caller)
        if result.error is not None:
            raise result.error
        return result
