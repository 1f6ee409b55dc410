"""The resource of pending documents: their adjustments and versions. Decisions on them are at `invoices/`."""

from collections.abc import Mapping

from django.db.models import Q
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.api.resources import Operation, ReadResource
from accounts.clock import today
from accounts.models import Receipt
from accounts.rights import REBILL, Right
from billing_site.errors import ErrorCode
from invoices.kinds import CYCLE_KINDS, InvoiceStatus
from invoices.models import Invoice
from rebills.api.pending_serializers import (
    AdjustArguments,
    AdjustPreviewArguments,
    AdjustPreviewSerializer,
    PendingDetailSerializer,
    PendingFilter,
    PendingSerializer,
    VersionsSerializer,
    adjust_request,
)
from rebills.services.adjusting import adjust_document, preview_adjusting, read_state
from rebills.services.versions import shown_versions


class PendingViewSet(ReadResource):
    """Documents of cycles that are pending, or were recalculated or adjusted while they were."""

    queryset = Invoice.objects.filter(Q(status=InvoiceStatus.PENDING) | Q(version__gt=1), kind__in=CYCLE_KINDS)
    filterset_class = PendingFilter
    not_found = ErrorCode.INVOICE_NOT_FOUND
    newest_first = True
    rights: Mapping[str, Right] = {"adjust": REBILL}
    operations: Mapping[str, Operation] = {
        "preview": Operation(AdjustPreviewArguments, AdjustPreviewSerializer),
        "adjust": Operation(AdjustArguments, PendingDetailSerializer),
        "versions": Operation(None, VersionsSerializer),
    }

    def get_serializer_class(self) -> type[BaseSerializer[Invoice]]:
        return PendingSerializer if self.action == "list" else PendingDetailSerializer

    def get_serializer(self, *args: object, **kwargs: object) -> BaseSerializer[Invoice]:
        serializer = super().get_serializer(*args, **kwargs)
        if self.action != "list" and args and isinstance(args[0], Invoice):
            serializer.context["state"] = read_state(args[0])
        return serializer  # type: ignore[no-any-return]

    @action(detail=True, methods=["post"])
    def preview(self, request: Request, pk: str) -> Response:
        """Preview a pending document with these adjustments. Nothing is written."""
        arguments = self.arguments()
        asked = adjust_request(self.get_object().pk, arguments)
        plan = preview_adjusting(client=self.client, request=asked, today=today(self.client))
        return Response(AdjustPreviewSerializer(plan, context={"currency": plan.invoice.currency}).data)

    @action(detail=True, methods=["post"])
    def adjust(self, request: Request, pk: str) -> Response:
        """Give a pending document these adjustments, as previewed. It stays pending."""
        arguments = self.arguments()
        asked = adjust_request(self.get_object().pk, arguments)
        number = adjust_document(client=self.client, request=asked, caller=self.caller, today=today(self.client))
        return self.answer(number)

    @action(detail=True)
    def versions(self, request: Request, pk: str) -> Response:
        """Return the versions of a document, oldest first. One that never changed has none."""
        invoice = self.get_object()
        rows = {"versions": shown_versions(invoice)}
        return Response(VersionsSerializer(rows, context={"currency": invoice.currency}).data)

    def number_of(self, receipt: Receipt) -> int | None:
        return receipt.invoice_no
