"""Campaigns over REST: created, previewed, approved, run; and their documents."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.resources import Operation, ReadResource
from accounts.clock import today
from accounts.rights import APPROVE, REBILL, SEND_STATEMENTS, Right
from billing_site.errors import BillingError, Detail, ErrorCode
from rebills.api.campaign_serializers import (
    CampaignApprovalArguments,
    CampaignArguments,
    CampaignDetailSerializer,
    CampaignItemFilter,
    CampaignItemSerializer,
    CampaignSerializer,
    CorrectionArguments,
    RecheckArguments,
    RulesArguments,
    numbered_changes,
    options_of,
)
from rebills.api.serializers import RebillPreviewSerializer
from rebills.models import CampaignItem, RebillCampaign
from rebills.services.campaigns.campaigns import (
    approve_campaign,
    approve_undo,
    ask_for_undo,
    cancel_campaign,
    change_campaign,
    create_campaign,
    pause_campaign,
    preview_campaign_again,
    resume_campaign,
    retry_campaign,
    start_campaign,
    withdraw_undo,
)
from rebills.services.campaigns.files import read_line_values
from rebills.services.campaigns.previewing import preview_items
from rebills.services.campaigns.rechecking import campaign_of_recheck, start_recheck
from rebills.services.campaigns.rules import read_rules
from rebills.services.campaigns.selection import read_selection
from rebills.services.campaigns.statements import send_held_statements
from rebills.services.requests import PlannedRebill, RefusedRebill

ACTS = ("preview_again", "run", "pause", "resume", "cancel", "retry", "undo", "keep")


class RebillCampaignViewSet(ReadResource):
    """Campaigns correct many issued documents at once. Workers preview and rebill the documents."""

    queryset = RebillCampaign.objects.all()
    newest_first = True
    rights: Mapping[str, Right] = {
        **dict.fromkeys(("create", "change", "recheck", "correct", *ACTS), REBILL),
        **dict.fromkeys(("approve", "approve_undo"), APPROVE),
        "send_statements": SEND_STATEMENTS,
    }
    operations: Mapping[str, Operation] = {
        **dict.fromkeys((*ACTS, "send_statements"), Operation(None, CampaignDetailSerializer)),
        "create": Operation(CampaignArguments, CampaignDetailSerializer, HTTP_201_CREATED),
        "change": Operation(RulesArguments, CampaignDetailSerializer),
        "recheck": Operation(RecheckArguments, CampaignDetailSerializer, HTTP_201_CREATED),
        "correct": Operation(CorrectionArguments, CampaignDetailSerializer, HTTP_201_CREATED),
        **dict.fromkeys(("approve", "approve_undo"), Operation(CampaignApprovalArguments, CampaignDetailSerializer)),
    }

    def get_serializer_class(self) -> type[CampaignSerializer]:
        return CampaignSerializer if self.action == "list" else CampaignDetailSerializer

    def create(self, request: Request) -> Response:
        """Create a campaign. Workers begin to preview its documents, and change nothing."""
        arguments = self.arguments()
        changes = None
        if arguments.get("changes"):
            values = read_line_values(self.client, numbered_changes(arguments))
            values.check()
            changes = values.changes
        if changes is None and "selection" not in arguments:
            raise BillingError(ErrorCode.MISSING_PARAMETER, field="selection")
        if changes is not None and "selection" in arguments:
            detail = Detail("selection: the changes name the invoices; leave it out")
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field="selection")
        campaign = create_campaign(
            client=self.client,
            name=arguments["name"],
            selection=read_selection(self.client, arguments["selection"]) if "selection" in arguments else None,
            rules=read_rules(self.client, arguments.get("rules", ())),
            changes=changes,
            options=options_of(arguments),
            caller=self.caller,
        )
        return self.answer(campaign.pk)

    @action(detail=False, methods=["post"])
    def recheck(self, request: Request) -> Response:
        """Compare issued invoices with what they would be today. It is a campaign that only previews."""
        selection = read_selection(self.client, self.arguments()["selection"])
        return self.answer(start_recheck(client=self.client, selection=selection, caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def correct(self, request: Request, pk: str) -> Response:
        """Create a campaign that corrects the differences of a recheck."""
        arguments = self.arguments()
        options, name = options_of(arguments), arguments["name"]
        return self.answer(campaign_of_recheck(self.get_object(), name=name, options=options, caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def change(self, request: Request, pk: str) -> Response:
        """Replace the rules of a campaign that is not started. Its documents are previewed again."""
        rules = read_rules(self.client, self.arguments()["rules"])
        return self.answer(change_campaign(self.get_object(), rules=rules, caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def preview_again(self, request: Request, pk: str) -> Response:
        """Preview again: all documents, or of a campaign that was started those that were refused, failed or have changed."""
        self.arguments()
        return self.answer(preview_campaign_again(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve the preview that was seen. Another person than those who built the campaign must do so."""
        arguments = self.arguments()
        return self.answer(approve_campaign(self.get_object(), caller=self.caller, **arguments).pk)

    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Have workers rebill the documents of an approved campaign."""
        self.arguments()
        return self.answer(start_campaign(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Pause a running campaign. A batch that has begun is finished."""
        self.arguments()
        return self.answer(pause_campaign(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Resume a campaign that is paused or was stopped."""
        self.arguments()
        return self.answer(resume_campaign(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Rebill no further document. Rebills that the campaign has issued stay."""
        self.arguments()
        return self.answer(cancel_campaign(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Try documents again that failed because something was in the way. Those that have changed need a new preview."""
        self.arguments()
        campaign = self.get_object()
        retry_campaign(campaign, caller=self.caller)
        return self.answer(campaign.pk)

    @action(detail=True, methods=["post"])
    def send_statements(self, request: Request, pk: str) -> Response:
        """Send the statements that were held of all issued rebills."""
        self.arguments()
        campaign = self.get_object()
        send_held_statements(campaign, caller=self.caller)
        return self.answer(campaign.pk)

    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Ask that all rebills of the campaign are undone. Another person must approve."""
        self.arguments()
        return self.answer(ask_for_undo(self.get_object(), caller=self.caller).pk)

    @action(detail=True, methods=["post"])
    def approve_undo(self, request: Request, pk: str) -> Response:
        """Have workers undo all rebills of the campaign, as `undo` showed it. What later acts stand in the way of is left, and
        says why."""
        arguments = self.arguments()
        return self.answer(approve_undo(self.get_object(), caller=self.caller, **arguments).pk)

    @action(detail=True, methods=["post"])
    def keep(self, request: Request, pk: str) -> Response:
        """Withdraw the request to undo the campaign."""
        self.arguments()
        return self.answer(withdraw_undo(self.get_object(), caller=self.caller).pk)


class CampaignItemViewSet(ReadResource):
    """The documents of a campaign, each with its preview and its result."""

    queryset = CampaignItem.objects.select_related("invoice", "account")
    client_path = "campaign__client"
    serializer_class = CampaignItemSerializer
    filterset_class = CampaignItemFilter
    operations: Mapping[str, Operation] = {"lines": Operation(None, RebillPreviewSerializer)}

    def get_queryset(self) -> QuerySet[CampaignItem]:
        campaign = get_object_or_404(RebillCampaign, client=self.client, pk=self.kwargs["campaign"])
        return super().get_queryset().filter(campaign=campaign)

    @action(detail=True)
    def lines(self, request: Request, campaign: str, pk: str) -> Response:
        """Return original, memo, rebill and difference line by line, as the campaign would rebill the document now."""
        item: Any = self.get_object()
        found = preview_items(item.campaign, [item], today(self.client))[item.invoice_id]
        if isinstance(found, RefusedRebill):
            raise found.error
        if not isinstance(found, PlannedRebill):
            raise BillingError(ErrorCode.NO_DATA, Detail("the campaign changes nothing on this invoice"))
        context = {"currency": item.currency, "client": self.client}
        return Response(RebillPreviewSerializer(found.plan, context=context).data)
