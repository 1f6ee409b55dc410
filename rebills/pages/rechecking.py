"""Rechecks: issued invoices compared with what they would be today, and a campaign that corrects the differences."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.models import Client
from accounts.pages.base import StaffPage
from accounts.pages.forms import DayInput, PageForm, show_refusal, style_fields
from accounts.rights import REBILL
from accounts.staff import names_of
from billing_site.common.keyset_pages import Order, page_of
from billing_site.common.limits import DOCUMENT_COMMENTS_LENGTH
from billing_site.errors import BillingError
from invoices.kinds import ReasonType
from invoices.services.documents.reasons import reasons_of
from invoices.services.documents.rights import REBILL_PERMISSION
from rebills.kinds import ItemState, Statements
from rebills.models import RebillCampaign
from rebills.services.campaigns.campaigns import CampaignOptions
from rebills.services.campaigns.figures import count_items_of
from rebills.services.campaigns.rechecking import campaign_of_recheck, start_recheck
from rebills.services.campaigns.selection import Selection

RECHECKS_OF_A_PAGE = 20
DIFFERENCES = gettext_noop("Differences of recheck {number}")


class RecheckForm(PageForm):
    first = forms.DateField(label=_("Invoice date from"), widget=DayInput())
    last = forms.DateField(label=_("Invoice date until"), widget=DayInput())


class CorrectForm(forms.Form):
    """How the campaign corrects the differences."""

    name = forms.CharField(label=_("Name"), max_length=100)
    reason_code = forms.TypedChoiceField(label=_("Reason"), coerce=int)
    comments = forms.CharField(
        label=_("Comment, printed on each document"), max_length=DOCUMENT_COMMENTS_LENGTH, required=False
    )
    statements = forms.ChoiceField(label=_("Statements"), choices=Statements.choices, initial=Statements.HELD)

    def __init__(self, client: Client, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["reason_code"].choices = [(one.code, one.shown_name) for one in reasons_of(client, ReasonType.REBILL)]
        style_fields(self)  # last, because it looks for errors


def correct_form(client: Client, recheck: RebillCampaign) -> CorrectForm:
    """Return the form of a campaign that corrects the differences of a recheck."""
    return CorrectForm(client, initial={"name": gettext(DIFFERENCES).format(number=recheck.pk)})


FIELDS = {"dated_from": "first", "dated_until": "last"}
"""The form's names of what the service names."""


class RecheckList(StaffPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self._shown(RecheckForm(initial={"last": self.today}))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = RecheckForm(request.POST)
        if not form.is_valid():
            return self._shown(form, status=422)
        selection = Selection(dated_from=form.cleaned_data["first"], dated_until=form.cleaned_data["last"])

        def work(caller: Caller) -> str:
            recheck = start_recheck(client=self.client, selection=selection, caller=caller)
            return reverse("campaign", args=[recheck.pk])

        try:
            return self.once(work, lambda receipt: reverse("rechecks"), REBILL)
        except BillingError as refusal:
            show_refusal(form, refusal, FIELDS.get(refusal.field or ""))
            return self._shown(form, status=422)

    def _shown(self, form: RecheckForm, *, status: int = 200) -> HttpResponseBase:
        rows = RebillCampaign.objects.filter(client=self.client, is_recheck=True)
        pages = page_of(rows, Order("pk", descending=True), self.request.GET.get("cursor"), RECHECKS_OF_A_PAGE)
        counts, names = count_items_of(pages.rows), names_of(one.built_by for one in pages.rows)
        for one in pages.rows:
            found = counts[one.pk]
            one.documents, one.differing = sum(found.values()), found.get(ItemState.READY, 0)
            one.refused = found.get(ItemState.REFUSED, 0)
            one.builder = names[one.built_by]
            one.days = [one.selection.get("dated_from", ""), one.selection.get("dated_until", "")]
        shown = {"pages": pages, "form": form, "may_rebill": self.may(REBILL_PERMISSION)}
        return self.page("rebills/rechecks.html", shown, status=status)


class CorrectRecheck(StaffPage):
    """Makes a campaign of the differences of a recheck."""

    def post(self, request: HttpRequest, number: int) -> HttpResponseBase:
        recheck = self.found(RebillCampaign.objects.filter(is_recheck=True), number)
        form = CorrectForm(self.client, request.POST)
        if not form.is_valid():
            return self.page("rebills/recheck_correct.html", {"recheck": recheck, "form": form}, status=422)
        chosen = form.cleaned_data
        options = CampaignOptions(
            reason_code=chosen["reason_code"], comments=chosen["comments"], statements=Statements(chosen["statements"])
        )

        def work(caller: Caller) -> str:
            campaign = campaign_of_recheck(recheck, name=chosen["name"], options=options, caller=caller)
            return reverse("campaign", args=[campaign.pk])

        return self.once(work, lambda receipt: reverse("campaigns"), REBILL)

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        recheck = self.found(RebillCampaign.objects.filter(is_recheck=True), number)
        return self.page("rebills/recheck_correct.html", {"recheck": recheck, "form": correct_form(self.client, recheck)})
