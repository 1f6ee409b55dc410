"""Campaigns: the list, a new one, the page of one with its progress, one document of it, and what is done with it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.callers import Caller
from accounts.models import Receipt, SavedView
from accounts.pages.base import StaffPage
from accounts.pages.forms import show_refusal, style_fields
from accounts.pages.lists import LIST_PARAMETERS, Column, ListPage
from accounts.rights import APPROVE, REBILL, SEND_STATEMENTS, Right
from accounts.services.saved_views import views_of
from accounts.staff import names_of
from billing_site.common.csv_lists import ROWS_AT_ONCE, csv_response
from billing_site.common.keyset_pages import Order, in_chunks, page_of
from billing_site.errors import BillingError
from invoices.kinds import ReasonType
from invoices.models import Invoice
from invoices.pages.collecting import TICKED, ticked_numbers
from invoices.pages.documents import InvoiceList, documents_of_view
from invoices.services.documents.reasons import reasons_of
from invoices.services.documents.rights import APPROVE_PERMISSION, REBILL_PERMISSION
from invoices.services.work.workers import missing_command
from rebills.api.campaign_serializers import CampaignItemFilter, CampaignItemSerializer
from rebills.kinds import WORKED_ON, CampaignState, ItemState, RuleChange
from rebills.models import CampaignItem, RebillCampaign
from rebills.pages.campaign_forms import CampaignForm
from rebills.plan.campaign_rules import Rule
from rebills.services.campaigns.campaigns import (
    approve_campaign,
    approve_undo,
    ask_for_undo,
    cancel_campaign,
    continue_campaign_for,
    create_campaign,
    pause_campaign,
    preview_campaign_again,
    resume_campaign,
    retry_campaign,
    start_campaign,
    withdraw_undo,
)
from rebills.services.campaigns.figures import (
    count_items,
    count_items_of,
    count_refused,
    find_outliers,
    sample_of,
    sum_by_currency,
    sum_taxes,
)
from rebills.services.campaigns.files import WrongRow, read_line_values, rows_of_csv
from rebills.services.campaigns.previewing import preview_items
from rebills.services.campaigns.rules import read_rules, rules_of
from rebills.services.campaigns.selection import numbers_of_list, read_selection, selected_invoices
from rebills.services.campaigns.statements import count_held, send_held_statements
from rebills.services.campaigns.undo_preview import preview_campaign_undo
from rebills.services.explaining import totals
from rebills.services.facts import read_names
from rebills.services.requests import PlannedRebill, RefusedRebill
from rebills.services.shown_changes import location_names, shown

CAMPAIGNS_OF_A_PAGE = 20
WRONG_ROWS_SHOWN = 100
SECONDS_OF_A_REQUEST = 2.0
SHOWN_STATES = (ItemState.READY, ItemState.REBILLED, ItemState.REFUSED, ItemState.MOVED, ItemState.FAILED)


class CampaignCsv(serializers.Serializer):
    """A campaign as a row of the file."""

    campaign_no = serializers.ReadOnlyField(source="pk")
    name = serializers.ReadOnlyField()
    state = serializers.ReadOnlyField()
    built_at = serializers.ReadOnlyField()
    built_by = serializers.ReadOnlyField(source="builder")
    ready = serializers.ReadOnlyField(source="ready_count")
    rebilled = serializers.ReadOnlyField(source="rebilled_count")
    refused = serializers.ReadOnlyField(source="refused_count")
    moved = serializers.ReadOnlyField(source="moved_count")
    failed = serializers.ReadOnlyField(source="failed_count")


class CampaignList(ListPage):
    address = "campaigns"
    columns = (
        Column("campaign", _("Campaign"), "pk", ("campaign_no", "name")),
        Column("state", _("State"), members=("state",)),
        Column("built", _("Built"), "built_at", ("built_at", "built_by")),
        *(Column(state.value, state.label, members=(state.value,), css="num") for state in SHOWN_STATES),
    )
    is_newest_first = True
    parameters = LIST_PARAMETERS

    def get(self, request: HttpRequest) -> HttpResponseBase:
        rows = RebillCampaign.objects.filter(client=self.client, is_recheck=False)
        if request.GET.get("format") == "csv":
            return self.file("campaigns", CampaignCsv(), rows, lambda some: CampaignCsv(self._counted(some), many=True).data)
        pages = page_of(rows, self.order, request.GET.get("cursor"), CAMPAIGNS_OF_A_PAGE)
        self._counted(pages.rows)
        shown_here = {"pages": pages, "may_rebill": self.may(REBILL_PERMISSION), **self.list_context()}
        return self.page("rebills/campaigns.html", shown_here)

    def _counted(self, campaigns: list[Any]) -> list[Any]:
        """Set who has built each campaign, and how many documents are in each state. Two queries."""
        counts, names = count_items_of(campaigns), names_of(one.built_by for one in campaigns)
        for one in campaigns:
            one.counts = [(state, counts[one.pk].get(state, 0)) for state in SHOWN_STATES]
            for state, count in one.counts:
                setattr(one, f"{state.value}_count", count)
            one.builder = names[one.built_by]
        return campaigns


class CampaignStart(StaffPage):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self._page(CampaignForm(self.client, views=self._views()))

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if request.POST.get("act") == TICKED:
            return self._page(CampaignForm(self.client, views=self._views(), initial={"invoices": self._ticked()}))
        form = CampaignForm(self.client, request.POST, request.FILES, views=self._views())
        if not form.is_valid():
            return self._page(form, status=422)
        try:
            rules = read_rules(self.client, form.given_rules)
            if form.file_text:
                return self._start_from_file(form, rules)
            chosen = read_selection(self.client, self._selection(form))
            if request.POST.get("act") == "count":
                return self._page(form, found=selected_invoices(self.client, chosen).count())
            return self._create(form, rules, selection=chosen)
        except BillingError as refusal:
            show_refusal(form, refusal)
            return self._page(form, status=422)

    def _views(self) -> Sequence[SavedView]:
        """Return the saved views of invoices that the reader sees."""
        return list(views_of(self.client, self.request.user, InvoiceList.address))

    def _ticked(self) -> str:
        """Return the invoices that are ticked in a list, one a line: by document number, else by invoice number."""
        numbers = ticked_numbers(self.request)
        rows = Invoice.objects.filter(client=self.client, pk__in=numbers).order_by("pk")
        return "\n".join(number or str(pk) for pk, number in rows.values_list("pk", "document_number"))

    def _selection(self, form: CampaignForm) -> dict[str, Any]:
        """Return the selection of the form. The invoices of a saved view are those of its list now."""
        query = form.view_query
        if query is None:
            return form.selection
        return {**form.selection, "invoices": numbers_of_list(documents_of_view(self.client, query, self.request))}

    def _start_from_file(self, form: CampaignForm, rules: Sequence[Rule]) -> HttpResponseBase:
        values = read_line_values(self.client, rows_of_csv(form.file_text))
        if values.wrong:
            return self._page(form, wrong=values.wrong, status=422)
        if form.selection or form.view_query is not None:
            form.add_error("file", _("The file names the invoices. Leave the fields of the selection empty."))
            return self._page(form, status=422)
        if self.request.POST.get("act") == "count":
            return self._page(form, found=len(values.changes))
        return self._create(form, rules, changes=values.changes)

    def _create(self, form: CampaignForm, rules: Sequence[Rule], **chosen: Any) -> HttpResponseBase:
        def work(caller: Caller) -> str:
            campaign = create_campaign(
                client=self.client,
                name=form.cleaned_data["name"],
                rules=rules,
                options=form.options,
                caller=caller,
                **chosen,
            )
            return reverse("campaign", args=[campaign.pk])

        return self.once(work, _stored_before, REBILL)

    def _page(
        self, form: CampaignForm, *, found: int | None = None, wrong: Sequence[WrongRow] = (), status: int = 200
    ) -> HttpResponseBase:
        shown_here = {
            "form": form,
            "found": found,
            "wrong": wrong[:WRONG_ROWS_SHOWN],
            "wrong_count": len(wrong),
            "may_rebill": self.may(REBILL_PERMISSION),
        }
        return self.page("rebills/campaign_start.html", shown_here, status=status)


def _stored_before(receipt: Receipt) -> str:
    return reverse("campaigns") if receipt.row_no is None else reverse("campaign", args=[receipt.row_no])


class CampaignAct(NamedTuple):
    """A button on the page of a campaign: its address, words, and what will happen."""

    act: str
    words: str | Promise
    question: str | Promise
    tone: str = ""
    button_tone: str = "btn-primary"


START = CampaignAct(
    "run", _("Run campaign"), _("Workers rebill each document exactly as it was previewed and approved."), "btn-primary"
)
PAUSE = CampaignAct("pause", _("Pause campaign"), _("A batch that has begun is finished. The rest follows after you resume."))
RESUME = CampaignAct(
    "resume", _("Resume campaign"), _("Workers rebill what is left. Nothing is rebilled twice."), "btn-primary"
)
CANCEL = CampaignAct(
    "cancel",
    _("Cancel campaign"),
    _("No further document is rebilled. Rebills that are issued stay. A cancelled campaign cannot be resumed."),
    button_tone="btn-danger",
)
PREVIEW = CampaignAct(
    "preview", _("Preview again"), _("Documents are planned again as they are now. The campaign needs a new approval.")
)
RETRY = CampaignAct("retry", _("Retry what failed"), _("Documents that something was in the way of are tried again."))
SEND = CampaignAct("send", _("Send the statements"), _("Each customer gets the statement of the rebill, with its explanation."))

UNDO = CampaignAct(
    "undo",
    _("Undo campaign"),
    _("All its rebills are undone, after another person has approved. One that later acts stand in the way of is left."),
    button_tone="btn-danger",
)
WITHDRAW = CampaignAct("keep", _("Keep the rebills"), _("The rebills stay as they are, and nothing is undone."))

CHOICES: Mapping[CampaignState, tuple[CampaignAct, ...]] = {
    CampaignState.PREVIEWING: (CANCEL,),
    CampaignState.PREVIEWED: (PREVIEW, CANCEL),
    CampaignState.APPROVED: (START, PREVIEW, CANCEL),
    CampaignState.RUNNING: (PAUSE, CANCEL),
    CampaignState.PAUSED: (RESUME, CANCEL),
    CampaignState.STOPPED: (RESUME, CANCEL),
    CampaignState.UNDO_ASKED: (WITHDRAW,),
}


def _choices(campaign: RebillCampaign, counts: Mapping[ItemState, int], held: int) -> list[CampaignAct]:
    choices = list(CHOICES.get(CampaignState(campaign.state), ()))
    if campaign.is_recheck:
        return [choice for choice in choices if choice is not CANCEL or campaign.state == CampaignState.PREVIEWING]
    if campaign.state == CampaignState.FINISHED:
        choices += [RETRY] if counts.get(ItemState.FAILED) else []
        again = (ItemState.MOVED, ItemState.FAILED, ItemState.REFUSED)
        choices += [PREVIEW] if any(counts.get(state) for state in again) else []
    if campaign.state in (CampaignState.FINISHED, CampaignState.CANCELLED) and held:
        choices.append(SEND)
    if campaign.state in (CampaignState.FINISHED, CampaignState.CANCELLED) and counts.get(ItemState.REBILLED):
        choices.append(UNDO)
    return choices


class CampaignPage(StaffPage):
    """A campaign: state, progress, totals, taxes, refusals, what stands out, a sample, and each document."""

    parameters = tuple(CampaignItemFilter.base_filters)  # type: ignore[attr-defined]

    def get(self, request: HttpRequest, number: int) -> HttpResponseBase:
        campaign = _campaign_of(self, number)
        search: Any = CampaignItemSearch(request.GET, campaign.items.all(), request=request)  # type: ignore[no-untyped-call]
        rows = (search.qs if search.is_valid() else campaign.items.none()).select_related("invoice", "account", "rebill")
        if request.GET.get("format") == "csv":
            chunks = in_chunks(rows, Order("pk"), ROWS_AT_ONCE)
            rows_of = lambda chunk: CampaignItemSerializer(chunk, many=True).data  # noqa: E731
            return csv_response(f"campaign-{campaign.pk}", CampaignItemSerializer(), chunks, rows_of)
        counts, held = count_items(campaign), count_held(campaign)
        left = _LEFT.get(CampaignState(campaign.state), ())
        done = sum(count for state, count in counts.items() if state not in left)
        command = missing_command() if campaign.state in WORKED_ON else ""
        people = names_of([*campaign.builders, *([campaign.approved_by] if campaign.approved_by else [])])
        shown_here = {
            "campaign": campaign,
            "counts": [(state, counts[state]) for state in ItemState if counts.get(state)],
            "documents": sum(counts.values()),
            "done": done,
            "is_at_work": campaign.state in WORKED_ON,
            "start_command": command,
            "builders": [people[one] for one in campaign.builders],
            "approver": people.get(campaign.approved_by, ""),
            "rules": [_rule_words(rule) for rule in rules_of(campaign.rules)],
            "selection": [(name, ", ".join(map(str, _few(value)))) for name, value in campaign.selection.items()],
            "reason": _reason(self, campaign),
            "totals": sum_by_currency(campaign),
            "taxes": sum_taxes(campaign),
            "refused": count_refused(campaign),
            "outliers": find_outliers(campaign),
            "sample": sample_of(campaign),
            "held": held,
            "form": search.form,
            "pages": page_of(rows, Order("pk"), request.GET.get("cursor")),
            "choices": _choices(campaign, counts, held),
            "may_rebill": self.may(REBILL_PERMISSION),
            "may_approve": self.may(APPROVE_PERMISSION)
            and campaign.state == CampaignState.PREVIEWED
            and not campaign.is_recheck,
            "may_correct": campaign.is_recheck
            and campaign.state == CampaignState.PREVIEWED
            and bool(counts.get(ItemState.READY))
            and self.may(REBILL_PERMISSION),
            "may_approve_undo": self.may(APPROVE_PERMISSION)
            and campaign.state == CampaignState.UNDO_ASKED
            and self.caller.identity != campaign.undo_asked_by,
            "undo": preview_campaign_undo(campaign) if campaign.state == CampaignState.UNDO_ASKED else None,
            "is_own": self.caller.identity in campaign.builders,
        }
        return self.page("rebills/campaign.html", shown_here)

    def post(self, request: HttpRequest, number: int) -> HttpResponseBase:
        """Work on the campaign for a few seconds, where no worker is alive."""
        campaign = _campaign_of(self, number)
        if campaign.state in WORKED_ON:
            if not self.may(REBILL_PERMISSION):
                raise BillingError(REBILL.refused, REBILL.act)
            continue_campaign_for(campaign, seconds=SECONDS_OF_A_REQUEST)
        return redirect("campaign", campaign.pk)


_LEFT = {
    CampaignState.PREVIEWING: (ItemState.WAITING,),
    CampaignState.RUNNING: (ItemState.READY,),
    CampaignState.CANCELLING: (ItemState.READY,),
    CampaignState.UNDOING: (ItemState.UNDOING,),
}
"""The states of documents that are still to be done, by the state of the campaign."""

VALUES_SHOWN = 10


def _few(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    return values if len(values) <= VALUES_SHOWN else [*values[:VALUES_SHOWN], "…"]


def _rule_words(rule: Rule) -> tuple[str, list[tuple[str, str]]]:
    """Return a rule as its change and the names and values of its other members."""
    members = rule._asdict()
    del members["change"]
    given = [(name, value) for name, value in members.items() if value not in (None, "", ())]
    return str(RuleChange(rule.change).label), [(name, _value_words(value)) for name, value in given]


def _value_words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _reason(page: StaffPage, campaign: RebillCampaign) -> str:
    names = {reason.code: reason.shown_name for reason in reasons_of(page.client, ReasonType.REBILL)}
    return names.get(campaign.reason_code or 0, "")


def _campaign_of(page: StaffPage, number: int) -> RebillCampaign:
    campaign: RebillCampaign = page.found(RebillCampaign.objects.select_related("client"), number)
    return campaign


class CampaignActPage(StaffPage):
    """Does what a button of a campaign says, and returns to its page."""

    def post(self, request: HttpRequest, number: int, act: str) -> HttpResponseBase:
        campaign = _campaign_of(self, number)
        acts: Mapping[str, tuple[Callable[[RebillCampaign, Caller], object], Right]] = {
            "approve": (self._approve, APPROVE),
            "run": (lambda one, caller: start_campaign(one, caller=caller), REBILL),
            "pause": (lambda one, caller: pause_campaign(one, caller=caller), REBILL),
            "resume": (lambda one, caller: resume_campaign(one, caller=caller), REBILL),
            "cancel": (lambda one, caller: cancel_campaign(one, caller=caller), REBILL),
            "preview": (lambda one, caller: preview_campaign_again(one, caller=caller), REBILL),
            "retry": (self._retry, REBILL),
            "send": (self._send, SEND_STATEMENTS),
            "undo": (lambda one, caller: ask_for_undo(one, caller=caller), REBILL),
            "keep": (lambda one, caller: withdraw_undo(one, caller=caller), REBILL),
            "approve-undo": (self._approve_undo, APPROVE),
        }
        if act not in acts:
            raise Http404
        do, right = acts[act]

        def work(caller: Caller) -> str:
            do(campaign, caller)
            return reverse("campaign", args=[campaign.pk])

        return self.once(work, lambda receipt: reverse("campaign", args=[campaign.pk]), right)

    def _approve(self, campaign: RebillCampaign, caller: Caller) -> None:
        approve_campaign(campaign, fingerprint=self.request.POST.get("fingerprint", ""), caller=caller)
        messages.success(self.request, gettext("The campaign is approved. It can be run now."))

    def _approve_undo(self, campaign: RebillCampaign, caller: Caller) -> None:
        approve_undo(campaign, fingerprint=self.request.POST.get("fingerprint", ""), caller=caller)

    def _retry(self, campaign: RebillCampaign, caller: Caller) -> None:
        if not retry_campaign(campaign, caller=caller):
            words = gettext("Nothing is tried again: a rule has refused what failed. Preview it again to see why.")
            messages.warning(self.request, words)

    def _send(self, campaign: RebillCampaign, caller: Caller) -> None:
        count = send_held_statements(campaign, caller=caller)
        words = ngettext("%(count)s statement will be sent.", "%(count)s statements will be sent.", count)
        messages.success(self.request, words % {"count": count})


class CampaignItemPage(StaffPage):
    """One document of a campaign, as the customer will see its changes."""

    def get(self, request: HttpRequest, number: int, item: int) -> HttpResponseBase:
        campaign = _campaign_of(self, number)
        row = campaign.items.select_related("invoice", "account", "rebill").filter(pk=item).first()
        if row is None:
            raise Http404
        if row.rebill_id:
            return redirect("difference", row.invoice_id, row.rebill_id)
        context: dict[str, Any] = {"campaign": campaign, "item": row, "invoice": row.invoice, **_neighbours(row)}
        found = preview_items(campaign, [row], self.today)[row.invoice_id]
        if isinstance(found, RefusedRebill):
            context["refusal"] = found.error
        elif isinstance(found, PlannedRebill):
            original, content = found.plan.facts.original, found.plan.content
            names = {**read_names([original, content]), **location_names(campaign.client)}
            moved = found.plan.moved(row.fingerprint) if row.fingerprint else []
            context |= {
                "rows": shown(found.plan.differences, names),
                "totals": totals(original, content),
                "money": found.plan.money,
                "bill_to": content.parties.bill_to,
                "has_moved": bool(moved),
            }
        return self.page("rebills/campaign_item.html", context)


def _neighbours(item: CampaignItem) -> dict[str, int | None]:
    """Return the documents before and after this one that would be rebilled."""
    rows = CampaignItem.objects.filter(campaign=item.campaign_id, state=item.state).values_list("pk", flat=True)
    return {
        "previous": rows.filter(pk__lt=item.pk).order_by("-pk").first(),
        "next": rows.filter(pk__gt=item.pk).order_by("pk").first(),
    }


class CampaignItemSearchForm(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in (
            ("state", _("Result")),
            ("error_code", _("Reason code")),
            ("acct_no", _("Account number")),
            ("outlier", _("Stands out")),
        ):
            self.fields[name].label, self.fields[name].help_text = label, ""
        style_fields(self)


class CampaignItemSearch(CampaignItemFilter):
    class Meta(CampaignItemFilter.Meta):
        form = CampaignItemSearchForm
