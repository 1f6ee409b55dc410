"""Approval rules: the version that is on, all versions, a new one, trying one on the past, and who stands in for whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.auth.models import Group
from django.forms import BaseFormSet, formset_factory
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Plan
from accounts.pages.base import StaffPage
from accounts.pages.forms import DayInput, NumberField, PageForm, style_fields
from accounts.rights import CHANGE_APPROVAL_RULES, may
from accounts.staff import name_of, names_of
from billing_site.common.numbers import short_number
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import Flag, InvoiceKind
from invoices.models import ApprovalRule, ApprovalRules, GivenApproval
from invoices.services.approving.rule_trial import USUAL_DAYS, try_rules
from invoices.services.approving.rules import (
    RULED_KINDS,
    TERMS,
    make_rules,
    remove_stand_in,
    set_stand_in,
    stand_ins,
    switch_off,
    switch_on,
)
from invoices.services.planning.rule_matching import Ruled
from invoices.services.work.workers import missing_command

VERSIONS_SHOWN = 50
LONGEST_TRIAL = 1000
LARGEST_NUMBER = 2**63 - 1


def _number(text: str, name: str, largest: int = LARGEST_NUMBER) -> int:
    """Return a parameter that is a number from 1. Refuses (1016) any other text by name."""
    if not text.isdecimal() or len(text) > len(str(LARGEST_NUMBER)) or not 1 <= int(text) <= largest:
        detail = Detail("{name}: {value} is not a number from 1 to {largest}", name=name, value=text[:30], largest=largest)
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field=name)
    return int(text)


class RuleForm(forms.Form):
    """One rule. Its fields are styled by `RuleForms`, last, because that looks for errors."""

    name = forms.CharField(label=_("Name"), max_length=100)
    kinds = forms.MultipleChoiceField(
        label=_("Kinds of documents"),
        choices=[(one.value, one.label) for one in RULED_KINDS],
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 4}),
        help_text=_("None: all but rebills."),
    )
    is_clean = forms.NullBooleanField(
        label=_("Flags"),
        required=False,
        widget=forms.Select(choices=[("", _("Any")), ("true", _("Without flags")), ("false", _("With a flag"))]),
    )
    flags = forms.MultipleChoiceField(
        label=_("One of these flags"),
        choices=Flag.choices,
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 4}),
    )
    is_zero = forms.BooleanField(label=_("The total is 0"), required=False)
    currency = forms.CharField(label=_("Currency"), max_length=3, required=False)
    total_above = NumberField(label=_("Total above"), max_digits=15, decimal_places=4, required=False)
    total_below = NumberField(label=_("Total below"), max_digits=15, decimal_places=4, required=False)
    change_below_percent = NumberField(
        label=_("Change below percent"), max_digits=7, decimal_places=2, min_value=0, required=False
    )
    account_days = forms.IntegerField(label=_("Age of the account in days"), min_value=0, required=False)
    tag = forms.CharField(label=_("Tag of the account"), max_length=100, required=False)
    plan = forms.TypedChoiceField(label=_("Plan"), coerce=int, empty_value=None, required=False)
    approves_after_hours = forms.IntegerField(
        label=_("Approves automatically after hours"),
        min_value=0,
        required=False,
        help_text=_("Empty: people approve it."),
    )
    approvers = forms.IntegerField(label=_("Number of people"), min_value=1, max_value=5, initial=1)
    role = forms.ChoiceField(label=_("Role"), required=False)
    escalates_after_days = forms.IntegerField(label=_("Escalates after days"), min_value=0, required=False)

    def __init__(self, *args: Any, plans: Sequence[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["plan"].choices = [("", _("Any")), *plans]
        fields["role"].choices = [("", _("Any")), *((name, name) for name in Group.objects.values_list("name", flat=True))]

    def clean_currency(self) -> str:
        """Return the currency as it is stored, for who types EUR."""
        return str(self.cleaned_data["currency"]).lower()

    def terms(self) -> dict[str, Any]:
        """Return the rule as services take it."""
        given = {name: self.cleaned_data[name] for name in TERMS if name != "plan"}
        given["plan_id"] = self.cleaned_data["plan"]
        return {**given, "kinds": ",".join(given["kinds"]), "flags": ",".join(given["flags"])}


class RuleForms(BaseFormSet):
    def add_fields(self, form: Any, index: int | None) -> None:
        """Add the order of a rule, and whether it is left out."""
        super().add_fields(form, index)
        form.fields["ORDER"].label, form.fields["DELETE"].label = pgettext_lazy("of a rule", "Place"), _("Leave this rule out")
        style_fields(form)


def _initial(rule: ApprovalRule) -> dict[str, Any]:
    terms = {name: getattr(rule, name) for name in TERMS if name != "plan"} | {"plan": rule.plan_id}
    clean = {True: "true", False: "false", None: ""}[rule.is_clean]
    lists = {name: terms[name].split(",") if terms[name] else [] for name in ("kinds", "flags")}
    return {**terms, **lists, "is_clean": clean}


class StandInForm(PageForm):
    person = forms.CharField(label=_("User name of who is away"), max_length=150)
    stand_in = forms.CharField(label=_("User name of who stands in"), max_length=150)
    first_day = forms.DateField(label=_("From"), widget=DayInput())
    last_day = forms.DateField(label=_("Through"), widget=DayInput())


class RuleWords(NamedTuple):
    """A rule in words."""

    rule: ApprovalRule
    conditions: Sequence[str]
    outcome: Sequence[str]


def words_of(rule: ApprovalRule) -> RuleWords:
    """Return what a rule says, in the reader's language."""
    return RuleWords(rule, _conditions(rule) or [gettext("every document but rebills")], _outcome(rule))


def _conditions(rule: ApprovalRule) -> list[str]:
    found = []
    if rule.kinds:
        found.append(", ".join(str(InvoiceKind(kind).label) for kind in rule.kinds.split(",")))
    if rule.is_clean is not None:
        found.append(gettext("without flags") if rule.is_clean else gettext("with a flag"))
    if rule.flags:
        flags = ", ".join(str(Flag(flag).label) for flag in rule.flags.split(","))
        found.append(gettext("one of the flags %(flags)s") % {"flags": flags})
    if rule.is_zero:
        found.append(gettext("the total is 0"))
    amounts = {"currency": rule.currency.upper()}
    if rule.total_above is not None:
        found.append(gettext("total above %(amount)s %(currency)s") % {**amounts, "amount": short_number(rule.total_above)})
    if rule.total_below is not None:
        found.append(gettext("total below %(amount)s %(currency)s") % {**amounts, "amount": short_number(rule.total_below)})
    if rule.currency and rule.total_above is None and rule.total_below is None:
        found.append(amounts["currency"])
    if rule.change_below_percent is not None:
        found.append(gettext("change below %(percent)s percent") % {"percent": short_number(rule.change_below_percent)})
    if rule.account_days is not None:
        found.append(gettext("account at least %(days)s days old") % {"days": rule.account_days})
    if rule.tag:
        found.append(gettext("account with the tag %(tag)s") % {"tag": rule.tag})
    if rule.plan is not None:
        found.append(gettext("plan %(plan)s") % {"plan": rule.plan.name})
    return found


def _outcome(rule: ApprovalRule) -> list[str]:
    found = []
    if rule.approves_after_hours is not None:
        hours = rule.approves_after_hours
        words = ngettext("approves automatically after %(n)s hour", "approves automatically after %(n)s hours", hours)
        found.append(words % {"n": hours})
    elif rule.approvers > 1:
        found.append(gettext("%(n)s different people approve it") % {"n": rule.approvers})
    else:
        found.append(gettext("one person approves it"))
    if rule.role:
        found.append(gettext("only with the role %(role)s") % {"role": rule.role})
    if rule.escalates_after_days is not None:
        days = rule.escalates_after_days
        found.append(ngettext("escalates after %(n)s day", "escalates after %(n)s days", days) % {"n": days})
    return found


@dataclass(frozen=True)
class ApprovalWords:
    """How a pending document is approved under the rules that are on, as the queue and its page say it."""

    ruled: Ruled
    given: int

    @property
    def missing(self) -> int:
        """How many people must still approve it, where several must."""
        return max(self.ruled.rule.approvers - self.given, 0) if self.ruled.rule.approvers > 1 else 0

    @property
    def outcome(self) -> str:
        return "; ".join(words_of(self.ruled.rule).outcome)

    @property
    def stopped_by(self) -> str:
        return name_of(self.ruled.stopped_by)


def approval_words(ruled: Mapping[int, Ruled], given: Mapping[int, Sequence[GivenApproval]]) -> dict[int, ApprovalWords]:
    return {number: ApprovalWords(one, len(given.get(number, ()))) for number, one in ruled.items()}


class RulesPage(StaffPage):
    @property
    def may_change(self) -> bool:
        return may(self.caller, CHANGE_APPROVAL_RULES)


class ApprovalRulesPage(RulesPage):
    """The version that is on, all versions, and stand-ins."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self._shown(StandInForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if "remove" in request.POST:
            return self.once(self._remove, lambda receipt: reverse("approval-rules"), CHANGE_APPROVAL_RULES)
        form = StandInForm(request.POST)
        if not form.is_valid():
            return self._shown(form, status=422)
        chosen = form.cleaned_data

        def work(caller: Caller) -> str:
            set_stand_in(client=self.client, caller=caller, today=self.today, **chosen)
            messages.success(self.request, gettext("Saved."))
            return reverse("approval-rules")

        return self.once(work, lambda receipt: reverse("approval-rules"), CHANGE_APPROVAL_RULES)

    def _remove(self, caller: Caller) -> str:
        number = _number(self.request.POST.get("remove", ""), "remove")
        remove_stand_in(client=self.client, stand_in_no=number, caller=caller)
        messages.success(self.request, gettext("Removed."))
        return reverse("approval-rules")

    def _shown(self, form: StandInForm, *, status: int = 200) -> HttpResponseBase:
        versions = list(ApprovalRules.objects.filter(client=self.client)[:VERSIONS_SHOWN])
        is_on = next((one for one in versions if one.is_on), None)
        rows = is_on.rows.select_related("plan").order_by("position") if is_on else ()
        names = names_of(who for one in versions for who in (one.made_by, one.switched_by) if who)
        shown = {
            "is_on": is_on,
            "rules": [words_of(rule) for rule in rows],
            "versions": [(one, names.get(one.made_by, ""), names.get(one.switched_by, "")) for one in versions],
            "stand_ins": stand_ins(self.client, self.today),
            "form": form,
            "may_change": self.may_change,
            "start_command": missing_command() if is_on else None,
            "needs_setting": not self.client.invoice_approval_required,
        }
        return self.page("invoices/approval_rules.html", shown, status=status)


class ApprovalVersionPage(RulesPage):
    """One version: its rules, trying it on the past, switching it on and off."""

    parameters = ("days",)

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        version = self.found(ApprovalRules.objects.all(), number)
        days = request.GET.get("days", "")
        trial = None
        if days:
            trial = try_rules(version, self.client, _number(days, "days", LONGEST_TRIAL))
        shown = {
            "version": version,
            "rules": [words_of(rule) for rule in version.rows.select_related("plan").order_by("position")],
            "made_by": name_of(version.made_by),
            "trial": trial,
            "days": days or USUAL_DAYS,
            "may_change": self.may_change,
        }
        return self.page("invoices/approval_version.html", shown)

    def post(self, request: HttpRequest, number: int) -> HttpResponseBase:
        version = self.found(ApprovalRules.objects.all(), number)
        acts = {"on": (switch_on, gettext("Switched on.")), "off": (switch_off, gettext("Switched off."))}
        act = request.POST.get("act", "")
        if act not in acts:
            raise BillingError(ErrorCode.INVALID_DIRECTIVE, act[:30])
        switch, words = acts[act]

        def work(caller: Caller) -> str:
            switch(client=self.client, version_no=version.pk, caller=caller)
            messages.success(self.request, words)
            return reverse("approval-version", args=[version.pk])

        return self.once(work, lambda receipt: reverse("approval-version", args=[version.pk]), CHANGE_APPROVAL_RULES)


class NewApprovalRules(RulesPage):
    """All rules of a new version, which begins as a copy of another one."""

    parameters = ("from",)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        copied = request.GET.get("from", "")
        versions = ApprovalRules.objects.filter(client=self.client)
        version = self.found(versions, _number(copied, "from")) if copied else versions.first()
        rules = version.rows.order_by("position") if version is not None else []
        return self._shown(self._formset(initial=[_initial(rule) for rule in rules]))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        formset = self._formset(data=request.POST)
        if not formset.is_valid():
            return self._shown(formset, status=422)
        rules = [form.terms() for form in formset.ordered_forms]
        comments = request.POST.get("comments", "")

        def work(caller: Caller) -> str:
            version = make_rules(client=self.client, rules=rules, comments=comments, caller=caller)
            return reverse("approval-version", args=[version.pk])

        try:
            return self.once(work, lambda receipt: reverse("approval-version", args=[receipt.row_no]), CHANGE_APPROVAL_RULES)
        except BillingError as refusal:
            messages.error(request, refusal.shown)
            return self._shown(formset, status=422)

    def _formset(self, **values: Any) -> Any:
        made: Any = formset_factory(RuleForm, RuleForms, extra=1, can_order=True, can_delete=True)
        plans = list(Plan.objects.filter(client=self.client).order_by("name", "pk").values_list("pk", "name"))
        return made(prefix="rules", form_kwargs={"plans": plans}, **values)

    def _shown(self, formset: Any, *, status: int = 200) -> HttpResponseBase:
        shown = {"formset": formset, "may_change": self.may_change, "comments": self.request.POST.get("comments", "")}
        return self.page("invoices/approval_rules_new.html", shown, status=status)
