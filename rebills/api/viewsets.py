"""The resource of rebills, and the method call gen_rb_m."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.resources import Operation
from accounts.aria.method_calls import Call, method_call
from accounts.clock import today
from accounts.rights import REBILL, Right
from billing_site.common.compiled_reads import read_ahead
from invoices.api.downloads import PdfRenderer, download_of
from invoices.api.serializers.documents import DocumentSerializer
from invoices.api.serializers.money import why_of
from invoices.api.viewsets.documents import DocumentResource
from invoices.aria.document_methods import finish_document
from invoices.aria.documents import document_row, settled_readings
from invoices.services.documents.chains import read_chain
from invoices.services.documents.document_storage import content_readings, stored_contents
from invoices.services.documents.rebill_markers import excluded_lines, marker_readings, recounted_lines
from invoices.services.printing.files import appendix_of_document
from rebills.api.serializers import (
    ChainArguments,
    ChainSerializer,
    ManyRebillArguments,
    RebillArguments,
    RebillOutcomesSerializer,
    RebillPreviewArguments,
    RebillPreviewSerializer,
    UndoArguments,
    UndoneSerializer,
    UndoPreviewSerializer,
    rebill_request,
    rebilled_row,
)
from rebills.aria.gen_rb_m import (
    GEN_RB_M_NAMES,
    GEN_RB_M_OUTPUTS,
    GenRbMArguments,
    gen_rb_m_answer,
    gen_rb_m_preview,
    gen_rb_m_request,
)
from rebills.models import Rebill
from rebills.plan import RebillPlan
from rebills.services.previewing import preview_rebills
from rebills.services.rebilling import REFUSED, rebill_invoice, rebill_invoices
from rebills.services.requests import RebillRequest, RefusedRebill
from rebills.services.undoing import preview_undo, undo_rebill, undone_rebill


class RebillViewSet(DocumentResource):
    """Rebills are previewed, created and shown. Pending ones are approved and discarded like invoices."""

    queryset = Rebill.objects.all()
    queries = {"chain": ChainArguments}
    rights: Mapping[str, Right] = {**DocumentResource.rights, "create": REBILL, "bulk": REBILL, "undo": REBILL}
    operations: Mapping[str, Operation] = {
        **DocumentResource.operations,
        "create": Operation(RebillArguments, DocumentSerializer, HTTP_201_CREATED),
        "bulk": Operation(ManyRebillArguments, RebillOutcomesSerializer),
        "preview": Operation(RebillPreviewArguments, RebillPreviewSerializer),
        "chain": Operation(None, ChainSerializer),
        "preview_undo": Operation(None, UndoPreviewSerializer),
        "undo": Operation(UndoArguments, UndoneSerializer),
    }
    reading_actions = ("preview", "preview_undo")
    void = None  # type: ignore[assignment]  # A rebill is never voided by itself: it is undone, together with its memo.
    resumed_actions = ("bulk",)
    downloads: Mapping[str, type[BaseRenderer]] = {**DocumentResource.downloads, "explanation": PdfRenderer}

    def create(self, request: Request) -> Response:
        number = rebill_invoice(
            client=self.client,
            request=rebill_request(self.arguments()),
            caller=self.caller,
            today=today(self.client),
        )
        return self.answer(number)

    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        """Create several rebills, with an outcome for each. A refused one does not affect the others."""
        arguments = self.arguments()["rebills"]
        requests = [rebill_request(one, f"rebills[{place}].") for place, one in enumerate(arguments)]
        outcomes = rebill_invoices(client=self.client, requests=requests, caller=self.caller, today=today(self.client))
        return Response(RebillOutcomesSerializer({"outcomes": [rebilled_row(one) for one in outcomes]}).data)

    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Preview original, memo, rebill and difference, line by line. Nothing is written."""
        plan = _preview(self.client, rebill_request(self.arguments()))
        context = {"currency": plan.facts.currency.code, "client": self.client}
        return Response(RebillPreviewSerializer(plan, context=context).data)

    @action(detail=True)
    def explanation(self, request: Request, pk: str) -> HttpResponse:
        """Return the explanation of changes alone as a PDF, in the customer's language. The rebill's own PDF ends with it."""
        return download_of(appendix_of_document(self.client, self.get_object().pk))

    @action(detail=False)
    def chain(self, request: Request) -> Response:
        """Return the chain of corrections that a document belongs to, from its first invoice on."""
        chain = read_chain(client=self.client, invoice_no=self.query_arguments()["invoice_no"])
        return Response(ChainSerializer(chain).data)

    @action(detail=True, methods=["post"])
    def preview_undo(self, request: Request, pk: str) -> Response:
        """Preview the undo of a rebill: the documents that are reversed, what is due afterwards, and the balance. Nothing is
        written."""
        self.arguments()
        plan = preview_undo(client=self.client, rebill_no=self.get_object().pk, today=today(self.client))
        context = {"currency": plan.rebill.currency, "client": self.client}
        return Response(UndoPreviewSerializer(plan, context=context).data)

    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Undo an issued rebill. Its original is open, collectable and rebillable as before the rebill."""
        arguments = self.arguments()
        rebill_no = self.get_object().pk
        undo_rebill(
            client=self.client,
            rebill_no=rebill_no,
            caller=self.caller,
            today=today(self.client),
            why=why_of(arguments),
            seen=arguments.get("fingerprint", ""),
        )
        return self.answer(rebill_no)

    def stored_answer(self, number: int) -> Response:
        """Render an undo by its documents, and anything else as other documents are."""
        if self.action == "undo":
            return Response(UndoneSerializer(undone_rebill(number)).data)
        return super().stored_answer(number)

    @method_call(
        GenRbMArguments,
        outputs=GEN_RB_M_OUTPUTS,
        refused_act=REFUSED,
        names=GEN_RB_M_NAMES,
        right=REBILL,
        writes=lambda arguments: bool(arguments["do_write"]),
        resume=finish_document,
        answer=lambda call, rebill: gen_rb_m_preview(rebill) if isinstance(rebill, RebillPlan) else _stored_answer(rebill),
    )
    def gen_rb_m(self, call: Call) -> int | RebillPlan:
        arguments = gen_rb_m_request(call.arguments)
        if not call.arguments["do_write"]:
            return _preview(call.client, arguments)
        return rebill_invoice(client=call.client, request=arguments, caller=call.caller, today=today(call.client))


def _stored_answer(rebill_no: int) -> Mapping[str, Any]:
    numbers = [rebill_no]
    with read_ahead(
        document_row.of(rebill_no), *marker_readings(numbers), *content_readings(numbers), *settled_readings(rebill_no)
    ):
        (rebill,) = document_row(rebill_no)
        excluded, recounted = excluded_lines(numbers)[rebill_no], recounted_lines(numbers)[rebill_no]
        return gen_rb_m_answer(rebill, stored_contents(numbers)[rebill_no], excluded, recounted)


def _preview(client: Any, request: RebillRequest) -> RebillPlan:
    (outcome,) = preview_rebills(client=client, requests=[request], today=today(client))
    if isinstance(outcome, RefusedRebill):
        raise outcome.error
    return outcome.plan
