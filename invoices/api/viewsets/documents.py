"""Resources of invoices, tax rates and billing runs, and the method call gen_invoice."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.resources import Operation, ReadResource, RemoveResource, check_version, with_version
from accounts.clock import today
from accounts.models import Client, Receipt
from accounts.rights import APPROVE, COLLECT, CORRECT, GENERATE, SEND_STATEMENTS, Right, row_rights
from accounts.staff import name_readings
from billing_site.common.compiled_reads import CompiledRead, Reading, compiled_read, read_ahead
from billing_site.common.fields import LARGEST_LONG
from billing_site.errors import NUMBERED, BillingError, ErrorCode
from invoices.api.downloads import PdfRenderer, XmlRenderer, ZipRenderer, download_of, zip_response
from invoices.api.filters import InvoiceFilter
from invoices.api.serializers.approval_rules import DocumentApprovalSerializer, StopArguments
from invoices.api.serializers.documents import (
    ActionSerializer,
    AgainArguments,
    ApprovalArguments,
    CollectArguments,
    ContentSerializer,
    CreationArguments,
    CyclePreviewArguments,
    DocumentSerializer,
    InvoiceSerializer,
    ManyApprovalArguments,
    ManyArguments,
    OutcomesSerializer,
    PlannedTaxSerializer,
    PreviewSerializer,
    RemarkArguments,
    RemarkChangeArguments,
    StatementArguments,
    StatementSerializer,
    TaxRateSerializer,
    TermsSerializer,
    WaiverArguments,
    billing_request,
    decided_row,
    document_of,
    mark_excluded,
)
from invoices.api.serializers.money import (
    AttemptSerializer,
    CollectedOutcomesSerializer,
    CollectedSerializer,
    VoidArguments,
)
from invoices.api.serializers.orders import OneOffArguments, OneOffPreviewArguments, charges_of
from invoices.api.serializers.undoing import UndoVoidArguments, UndoVoidPreviewSerializer
from invoices.aria.correcting_methods import RemarkMethods
from invoices.aria.document_methods import GeneratingMethods, PendingMethods, ReadingMethods, VoidingMethods
from invoices.aria.preview_methods import PreviewMethods
from invoices.kinds import DecisionAct, StatementStatus
from invoices.models import CollectionAttempt, Invoice, Statement, TaxRate
from invoices.plan.billing_again import missing_texts
from invoices.plan.facts import BillingRequest
from invoices.services.actions import action_readings, available_actions
from invoices.services.approving.automatic import resume_approval, stop_approval
from invoices.services.approving.deciding import decide, decide_on_one
from invoices.services.billing.generating import generate_invoice
from invoices.services.billing.one_off import bill_one_off, one_off_request
from invoices.services.collecting.collecting import collect_invoices
from invoices.services.correcting.remarks import change_remarks, remarks_version
from invoices.services.correcting.void_undoing import preview_undo_void, undo_void
from invoices.services.documents.collection_results import Collected
from invoices.services.documents.document_storage import content_of, content_readings, stored_contents
from invoices.services.documents.outcomes import NothingToBill, Refused
from invoices.services.documents.rebill_markers import excluded_lines, with_rebills
from invoices.services.documents.remarks import Remarks
from invoices.services.documents.states import with_states
from invoices.services.documents.tax_rates import remove_tax_rate
from invoices.services.issuing.after_issue import finish_issued
from invoices.services.planning.billing_again import unbilled_periods_of, waive_periods
from invoices.services.planning.flags import FLAG_SETTINGS, with_flags
from invoices.services.planning.previewing import preview_invoices
from invoices.services.planning.rule_matching import given_approvals, ruled_documents
from invoices.services.printing.files import e_invoice_of_document, file_of_document
from invoices.services.statements.statements import finish_sending, resend_statement
from invoices.services.undoing.voiding import void_invoice


class DocumentResource(ReadResource):
    """Invoices and credit memos with their amount due. They cannot be edited or deleted."""

    serializer_class = InvoiceSerializer
    filterset_class = InvoiceFilter
    not_found = ErrorCode.INVOICE_NOT_FOUND
    ordering = {name: name for name in ("bill_date", "due_date", "total_amount")} | {"invoice_no": "pk"}
    newest_first = True
    expansions = ("lines", "available_actions")
    rights: Mapping[str, Right] = {"void": CORRECT, "send_statement": SEND_STATEMENTS}
    operations: Mapping[str, Operation] = {
        "retrieve": Operation(None, DocumentSerializer),
        "void": Operation(VoidArguments, DocumentSerializer),
        "send_statement": Operation(StatementArguments, StatementSerializer),
    }

    def listed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return _as_listed(rows, self.client, today(self.client))

    def expanded(self, page: Sequence[Any], data: Any) -> Any:
        """Add lines with taxes, and available actions, of all documents of a page at once."""
        requested = self.listed_names("expand", self.expansions)
        numbers = [invoice.pk for invoice in page]
        if "lines" in requested:
            contents = stored_contents(numbers)
            data = [
                {**row, **ContentSerializer(document_of(contents[number])).data}
                for number, row in zip(numbers, data, strict=True)
            ]
        if "available_actions" in requested:
            actions = available_actions(self.client, numbers, self.caller, today(self.client))
            data = [
                {**row, "available_actions": ActionSerializer(actions[number], many=True).data}
                for number, row in zip(numbers, data, strict=True)
            ]
        return data

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the whole document, or the members that `fields` names. `expand` has no effect."""
        self.listed_names("expand", self.expansions)
        answer = self._shown(self._found(int(self.kwargs["pk"])))
        return answer if "fields" in request.query_params else with_version(answer)

    def _found(self, number: int) -> Any:
        """Return a document of the client with the columns of lists. One query. Refuses a number that does not exist."""
        settings = (getattr(self.client, name) for name in FLAG_SETTINGS)
        read = _rows_of(type(self))
        rows = read(self.client.pk, today(self.client), number, *settings) if number <= LARGEST_LONG else []
        if not rows:
            raise BillingError(self.not_found)
        return rows[0]

    @action(detail=True, methods=["post"])
    def void(self, request: Request, pk: str) -> Response:
        arguments = self.arguments()
        invoice_no = self.get_object().pk
        void_invoice(client=self.client, invoice_no=invoice_no, caller=self.caller, today=today(self.client), **arguments)
        return self.answer(invoice_no)

    @action(detail=True, methods=["post"])
    def send_statement(self, request: Request, pk: str) -> Response:
        """Send the statement again. A failure is an outcome, answered with the HTTP status of its error code."""
        arguments = self.arguments()
        contact_no = arguments.get("statement_address_seq")
        statement = resend_statement(
            client=self.client, invoice_no=self.get_object().pk, caller=self.caller, contact_no=contact_no
        )
        return self.answer(statement.pk)

    downloads: Mapping[str, type[BaseRenderer]] = {"pdf": PdfRenderer, "xml": XmlRenderer, "files": ZipRenderer}
    """The actions that answer with a file, and its media type."""

    @action(detail=True, methods=["get"])
    def pdf(self, request: Request, pk: str) -> HttpResponse:
        """Return the PDF of a document. One that is owed is made now. The PDF of a pending document is a draft."""
        return download_of(file_of_document(self.client, self.get_object().pk))

    @action(detail=True, methods=["get"])
    def xml(self, request: Request, pk: str) -> HttpResponse:
        """Return the electronic invoice of a document (EN 16931). A document that was issued without one is shown as UBL, which
        is not kept."""
        return download_of(e_invoice_of_document(self.client, self.get_object().pk))

    @action(detail=False, methods=["get"])
    def files(self, request: Request) -> StreamingHttpResponse:
        """Return the PDFs of the documents that the filters of the list select, as a ZIP. It has those that are made."""
        return zip_response("documents", self.filter_queryset(self.get_queryset()))

    def get_renderers(self) -> list[BaseRenderer]:
        renderers = super().get_renderers()
        return [*renderers, self.downloads[self.action]()] if self.action in self.downloads else renderers

    def query_parameters(self) -> set[str]:
        return self.filters() if self.action == "files" else super().query_parameters()

    def is_stored(self, receipt: Receipt) -> bool:
        """True also if there was nothing to bill."""
        return True

    def number_of(self, receipt: Receipt) -> int | None:
        return receipt.row_no if self.action == "send_statement" else receipt.invoice_no

    def finish(self, number: int) -> None:
        if self.action == "send_statement":
            finish_sending(client=self.client, statement_no=number, caller=self.caller)
        else:
            finish_issued(self.client, [number], self.caller, today(self.client))

    def answer_without_row(self) -> Response:
        """Render the answer of an act that found nothing to bill."""
        return Response({"invoice_no": None})

    def stored_answer(self, number: int) -> Response:
        """Render the document, or the statement that was sent, as it is stored."""
        if self.action == "send_statement":
            return _sent(Statement.objects.get(invoice__client=self.client, pk=number))
        return self._shown(self._found(number), self.created)

    def _shown(self, invoice: Any, status: int | None = None) -> Response:
        parts = _parts()
        requested = self.listed_names("fields", parts) if self.request.method in SAFE_METHODS else set()
        chosen = dict.fromkeys(parts[name] for name in parts if not requested or name in requested)
        shown: dict[str, Any] = {}
        with read_ahead(*(reading for part in chosen for reading in self._readings(part, invoice))):
            for part in chosen:
                shown |= self._part(part, invoice)
        shown = {name: value for name, value in shown.items() if not requested or name in requested}
        return Response(shown, status=status)

    def _readings(self, part: str, invoice: Any) -> Sequence[Reading]:
        """Return what a part of a document reads, so that all parts are read in one round trip."""
        match part:
            case "row":
                return name_readings({invoice.generated_by, invoice.approved_by})
            case "content":
                return content_readings([invoice.pk])
            case "collection":
                return [_newest_attempts.of(invoice.pk)]
            case "statement":
                return [_newest_statements.of(invoice.pk)]
            case "available_actions":
                return action_readings([invoice.pk])
        return []

    def _part(self, part: str, invoice: Any) -> Mapping[str, Any]:
        """Return one part of a document. Parts that are not requested are not read."""
        if part == "row":
            return dict(InvoiceSerializer(invoice).data)
        if part == "content":
            return self._content(invoice)
        if part == "collection":
            attempt = next(iter(_newest_attempts(invoice.pk)), None)
            return {part: AttemptSerializer(attempt).data if attempt else None}
        if part == "to_bill_again":
            return {part: missing_texts(unbilled_periods_of(invoice))}
        if part == "statement":
            statement = next(iter(_newest_statements(invoice.pk)), None)
            return {part: StatementSerializer(statement).data if statement else None}
        actions = available_actions(self.client, [invoice.pk], self.caller, today(self.client))[invoice.pk]
        return {part: ActionSerializer(actions, many=True).data}

    def _content(self, invoice: Any) -> Mapping[str, Any]:
        document = document_of(stored_contents([invoice.pk])[invoice.pk])
        document["fingerprint"] = invoice.fingerprint or document["fingerprint"]
        mark_excluded(document, excluded_lines([invoice.rb_no])[invoice.rb_no] if invoice.rb_no else None)
        return dict(ContentSerializer(document).data)


@cache
def _rows_of(resource: type[DocumentResource]) -> CompiledRead[Any, Any]:
    """Return the read of one document of a resource, by the client's number and day, its own, and the settings of flags."""

    def row(client_no: int, day: date, number: int, *settings: Any) -> QuerySet[Any]:
        client = Client(pk=client_no, **dict(zip(FLAG_SETTINGS, settings, strict=True)))
        rows = cast(QuerySet[Any], resource.queryset).filter(client=client_no, pk=number)
        return _as_listed(rows, client, day)

    return compiled_read(row)


def _as_listed(rows: QuerySet[Any], client: Client, day: date) -> QuerySet[Any]:
    return with_flags(with_states(with_rebills(rows), day), client).select_related("tax_answer")


@compiled_read
def _newest_attempts(invoice_no: int) -> QuerySet[CollectionAttempt]:
    return CollectionAttempt.objects.filter(invoice=invoice_no).order_by("-attempt_no")[:1]


@compiled_read
def _newest_statements(invoice_no: int) -> QuerySet[Statement]:
    return Statement.objects.filter(invoice=invoice_no).order_by("-pk")[:1]


def _sent(statement: Statement) -> Response:
    """Answer a statement's result with the HTTP status of its error code: 409 without an address, 502 if sending failed."""
    failed = statement.status == StatementStatus.FAILED
    return Response(StatementSerializer(statement).data, status=NUMBERED[statement.error_code].http_status if failed else None)


@cache
def _parts() -> Mapping[str, str]:
    """Return the part that each member of a document is read with."""
    parts = {**dict.fromkeys(InvoiceSerializer().fields, "row"), **dict.fromkeys(ContentSerializer().fields, "content")}
    return parts | {name: name for name in ("collection", "statement", "to_bill_again", "available_actions")}


class PendingDecisions(DocumentResource):
    """Approve, discard, recalculate and regenerate: one invoice by its number in the address, or many by `invoice_nos` in the
    body."""

    rights: Mapping[str, Right] = {
        **DocumentResource.rights,
        **dict.fromkeys(("approve", "approve_many", "discard", "discard_many", "regenerate", "regenerate_many"), APPROVE),
        **dict.fromkeys(("recalculate", "recalculate_many"), APPROVE),
        **dict.fromkeys(("partial_update", "stop_approval", "resume_approval"), APPROVE),
        **dict.fromkeys(("collect", "collect_many"), COLLECT),
    }
    operations: Mapping[str, Operation] = {
        **DocumentResource.operations,
        "approve": Operation(ApprovalArguments, DocumentSerializer),
        "discard": Operation(RemarkArguments, DocumentSerializer),
        "recalculate": Operation(RemarkArguments, DocumentSerializer),
        "regenerate": Operation(RemarkArguments, DocumentSerializer),
        "partial_update": Operation(RemarkChangeArguments, DocumentSerializer),
        "approval": Operation(None, DocumentApprovalSerializer),
        "stop_approval": Operation(StopArguments, DocumentSerializer),
        "resume_approval": Operation(StopArguments, DocumentSerializer),
        "approve_many": Operation(ManyApprovalArguments, OutcomesSerializer),
        "discard_many": Operation(ManyArguments, OutcomesSerializer),
        "recalculate_many": Operation(ManyArguments, OutcomesSerializer),
        "regenerate_many": Operation(ManyArguments, OutcomesSerializer),
        "collect": Operation(None, CollectedSerializer),
        "collect_many": Operation(CollectArguments, CollectedOutcomesSerializer),
    }
    versioned_actions = ("partial_update",)
    resumed_actions = ("approve_many", "discard_many", "recalculate_many", "regenerate_many", "collect", "collect_many")

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        return self._one(DecisionAct.APPROVE)

    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        return self._one(DecisionAct.DISCARD)

    @action(detail=True, methods=["post"])
    def recalculate(self, request: Request, pk: str) -> Response:
        """Recalculate a pending invoice from today's data. Its number and adjustments stay."""
        return self._one(DecisionAct.RECALCULATE)

    @action(detail=True, methods=["post"])
    def regenerate(self, request: Request, pk: str) -> Response:
        return self._one(DecisionAct.REGENERATE)

    @action(detail=True)
    def approval(self, request: Request, pk: str) -> Response:
        """Return the approval rule that decides about a pending document, and the approvals that it has."""
        number = self.get_object().pk
        ruled, given = ruled_documents(self.client, [number]), given_approvals([number])
        return Response(DocumentApprovalSerializer({"rule": ruled.get(number), "given": given.get(number, [])}).data)

    @action(detail=True, methods=["post"])
    def stop_approval(self, request: Request, pk: str) -> Response:
        """Stop the document from approving by itself: a person must then approve it."""
        number, reason = self.get_object().pk, self.arguments().get("reason", "")
        stop_approval(client=self.client, invoice_no=number, caller=self.caller, reason=reason)
        return self.answer(number)

    @action(detail=True, methods=["post"])
    def resume_approval(self, request: Request, pk: str) -> Response:
        """Let a stopped document approve by itself again."""
        number, reason = self.get_object().pk, self.arguments().get("reason", "")
        resume_approval(client=self.client, invoice_no=number, caller=self.caller, reason=reason)
        return self.answer(number)

    @action(detail=False, methods=["post"], url_path="approve")
    def approve_many(self, request: Request) -> Response:
        return self._many(DecisionAct.APPROVE)

    @action(detail=False, methods=["post"], url_path="discard")
    def discard_many(self, request: Request) -> Response:
        return self._many(DecisionAct.DISCARD)

    @action(detail=False, methods=["post"], url_path="recalculate")
    def recalculate_many(self, request: Request) -> Response:
        return self._many(DecisionAct.RECALCULATE)

    @action(detail=False, methods=["post"], url_path="regenerate")
    def regenerate_many(self, request: Request) -> Response:
        return self._many(DecisionAct.REGENERATE)

    @action(detail=True, methods=["post"])
    def collect(self, request: Request, pk: str) -> Response:
        """Collect what is due. A payment that the gateway declines is an outcome with its own HTTP status (402)."""
        self.arguments()
        (outcome,) = self._collect([self.get_object().pk])
        if outcome.error is not None and outcome.attempt is None:
            raise outcome.error
        status = outcome.error.code.http_status if outcome.error else None
        return Response(CollectedSerializer(outcome).data, status=status)

    @action(detail=False, methods=["post"], url_path="collect")
    def collect_many(self, request: Request) -> Response:
        numbers = list(dict.fromkeys(self.arguments()["invoice_nos"]))
        return _collected_rows(numbers, self._collect(numbers))

    def _collect(self, invoice_nos: Sequence[int]) -> list[Collected]:
        return collect_invoices(client=self.client, invoice_nos=invoice_nos, caller=self.caller, today=today(self.client))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the note, the custom status or the posting status. Members that are left out stay as they are."""
        arguments = self.arguments()
        reason = arguments.pop("reason", "")
        invoice = self.get_object()
        check_version(request, lambda: self._shown(self._found(invoice.pk)).data)
        version = remarks_version(invoice) if "If-Match" in request.headers else ""
        change_remarks(
            client=self.client,
            invoice_no=invoice.pk,
            caller=self.caller,
            changes=arguments,
            reason=reason,
            version=version,
        )
        return with_version(self.answer(invoice.pk))

    def _one(self, act: DecisionAct) -> Response:
        invoice_no, arguments = self.get_object().pk, self.arguments()
        outcome = decide_on_one(
            act, invoice_no=invoice_no, seen=arguments.get("fingerprint", ""), **self._decision_terms(arguments)
        )
        return self.answer(None if isinstance(outcome, NothingToBill) else outcome.invoice_no)

    def _many(self, act: DecisionAct) -> Response:
        arguments = self.arguments()
        outcomes = decide(
            act, invoice_nos=arguments["invoice_nos"], seen=arguments.get("fingerprints"), **self._decision_terms(arguments)
        )
        rows = [decided_row(number, outcomes[number]) for number in arguments["invoice_nos"]]
        return Response(OutcomesSerializer({"outcomes": rows}).data)

    def _decision_terms(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        by = {"client": self.client, "caller": self.caller, "today": today(self.client)}
        return {**by, "remarks": Remarks.of(arguments), "collect": arguments.get("collect")}


def _collected_rows(numbers: Sequence[int], outcomes: Sequence[Collected]) -> Response:
    """Return the outcomes in the order of the requested numbers."""
    found = {one.invoice_no: one for one in outcomes}
    return Response(CollectedOutcomesSerializer({"outcomes": [found[number] for number in numbers]}).data)


class InvoiceViewSet(
    GeneratingMethods, PendingMethods, ReadingMethods, VoidingMethods, RemarkMethods, PreviewMethods, PendingDecisions
):
    """Invoices are generated, previewed, shown and decided on. They cannot be edited or deleted."""

    queryset = Invoice.objects.all()
    rights: Mapping[str, Right] = {
        **PendingDecisions.rights,
        "create": GENERATE,
        "one_off": GENERATE,
        "bill_again": GENERATE,
        "waive_periods": CORRECT,
        "undo_void": CORRECT,
    }
    operations: Mapping[str, Operation] = {
        **PendingDecisions.operations,
        "create": Operation(CreationArguments, DocumentSerializer, HTTP_201_CREATED),
        "bill_again": Operation(AgainArguments, DocumentSerializer, HTTP_201_CREATED),
        "waive_periods": Operation(WaiverArguments, DocumentSerializer),
        "preview_undo_void": Operation(None, UndoVoidPreviewSerializer),
        "undo_void": Operation(UndoVoidArguments, DocumentSerializer, HTTP_201_CREATED),
        "preview": Operation(CyclePreviewArguments, PreviewSerializer),
        "one_off": Operation(OneOffArguments, DocumentSerializer, HTTP_201_CREATED),
        "one_off_preview": Operation(OneOffPreviewArguments, PreviewSerializer),
    }
    reading_actions = ("preview", "one_off_preview", "preview_undo_void")

    def create(self, request: Request) -> Response:
        arguments = self.arguments()
        invoice_no = generate_invoice(
            client=self.client,
            account_no=arguments["acct_no"],
            request=billing_request(arguments, today(self.client)),
            caller=self.caller,
            collect=arguments.get("collect"),
            seen=arguments.get("fingerprint", ""),
        )
        return self.answer(invoice_no)

    @action(detail=True, methods=["post"])
    def bill_again(self, request: Request, pk: str) -> Response:
        """Bill the periods of a voided invoice that no other invoice bills, at the prices of their days. Answers the new
        invoice."""
        arguments = self.arguments()
        invoice = self.get_object()
        number = generate_invoice(
            client=self.client,
            account_no=invoice.account_id,
            request=BillingRequest(today(self.client), force_pending=arguments["force_pending"], again_for=invoice.pk),
            caller=self.caller,
            collect=arguments.get("collect"),
        )
        return self.answer(number)

    @action(detail=True, methods=["post"])
    def waive_periods(self, request: Request, pk: str) -> Response:
        """Record that the periods of a voided invoice are not billed again."""
        arguments = self.arguments()
        invoice_no = self.get_object().pk
        waive_periods(client=self.client, invoice_no=invoice_no, caller=self.caller, today=today(self.client), **arguments)
        return self.answer(invoice_no)

    @action(detail=True, methods=["post"])
    def preview_undo_void(self, request: Request, pk: str) -> Response:
        """Preview the undo of a void: what is open afterwards, and the balance. Nothing is written."""
        self.arguments()
        plan = preview_undo_void(client=self.client, invoice_no=self.get_object().pk, today=today(self.client))
        context = {"currency": plan.voided.currency, "client": self.client}
        return Response(UndoVoidPreviewSerializer(plan, context=context).data)

    @action(detail=True, methods=["post"])
    def undo_void(self, request: Request, pk: str) -> Response:
        """Undo the void of an invoice. Answers the invoice that charges again what the voided one charged."""
        arguments = self.arguments()
        seen = arguments.pop("fingerprint", "")
        number = self.get_object().pk
        restored = undo_void(
            client=self.client, invoice_no=number, caller=self.caller, today=today(self.client), seen=seen, **arguments
        )
        return self.answer(restored.pk)

    @action(detail=False, methods=["post"])
    def one_off(self, request: Request) -> Response:
        """Bill charges of an account at once, by an invoice beside its cycles. Answers the invoice, pending or issued."""
        arguments = self.arguments()
        number = bill_one_off(
            client=self.client,
            caller=self.caller,
            today=today(self.client),
            force_pending=bool(arguments.get("force_pending")),
            collect=arguments.get("collect"),
            seen=arguments.get("fingerprint", ""),
            **charges_of(arguments),
        )
        return self.answer(number)

    @action(detail=False, methods=["post"], url_path="one_off/preview")
    def one_off_preview(self, request: Request) -> Response:
        """Preview the invoice that would bill these charges at once. Nothing is written."""
        arguments = self.arguments()
        wanted = one_off_request(client=self.client, today=today(self.client), **charges_of(arguments))
        return self._preview(arguments["acct_no"], wanted)

    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Preview the invoice that would be generated now. Nothing is written."""
        arguments = self.arguments()
        return self._preview(arguments["acct_no"], billing_request(arguments, today(self.client)))

    def _preview(self, account_no: int, request: BillingRequest) -> Response:
        (planned,) = preview_invoices(client=self.client, account_nos=[account_no], request=request)
        if isinstance(planned, Refused):
            raise planned.error
        if not planned.plan.lines:
            return Response({"acct_no": planned.account_no, "bill_date": planned.plan.bill_date, "lines": []})
        document = document_of(content_of(self.client, planned.plan))
        taxed = PlannedTaxSerializer(planned.plan).data
        return Response({**TermsSerializer(document).data, **ContentSerializer(document).data, **taxed})


class TaxRateViewSet(RemoveResource):
    queryset = TaxRate.objects.all()
    rights = row_rights("invoices.taxrate", create="add", partial_update="change", destroy="delete")
    serializer_class = TaxRateSerializer
    filterset_fields = ("country", "region", "category")

    def perform_remove(self, row: Any) -> None:
        remove_tax_rate(row, caller=self.caller)
