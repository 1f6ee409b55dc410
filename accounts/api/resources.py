"""What all resources share: rows are found, created and shown for the client whose key is calling, and for no other."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django_filters.rest_framework.backends import DjangoFilterBackend
from rest_framework.mixins import CreateModelMixin, ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.status import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import StaffAccess
from accounts.call_log import call_of
from accounts.callers import Caller
from accounts.models import ApiKey, Client, Receipt
from accounts.receipts import Claim, claim_for, claim_of, once, use
from accounts.rights import Right, check_may
from accounts.trail import pending_act_of
from billing_site.common.csv_lists import ROWS_AT_ONCE, CsvRenderer, csv_response
from billing_site.common.fields import LARGEST_LONG
from billing_site.common.keyset_pages import asked_order, in_chunks
from billing_site.common.members import NoArguments, check_members, check_parameters
from billing_site.errors import BillingError, ErrorCode, PendingAct


class Operation(NamedTuple):
    """What an action takes, what it answers and under which HTTP status. One without arguments takes no body."""

    arguments: type[Serializer] | None
    answer: type[Serializer]
    status: int = HTTP_200_OK


class ClientResource(GenericViewSet):
    """Rows of the caller's client. Another client's rows do not exist, so they are never said to be forbidden."""

    client_path = "client"
    lookup_value_regex = "[0-9]{1,22}"
    not_found = ErrorCode.NO_DATA

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """A call with an Idempotency-Key does its work once, and gives its first answer whenever it comes again."""
        super().initial(request, *args, **kwargs)
        verb = (request.method or "").lower()
        answers = verb in self.http_method_names and hasattr(self, verb)
        if request.auth is None or not answers:
            return  # a method call, which looks at its credentials by itself; or a method that the address does not take
        self._check_query()
        if request.method == "DELETE":
            self._read(NoArguments)
        self.receipt = _claim(request)
        record = call_of(request)
        record.receipt_id = self.receipt.receipt_id if self.receipt else ""
        if request.method not in SAFE_METHODS and isinstance(request.data, Mapping):
            record.account_no = _whole(request.data.get("acct_no"))
        if self.receipt is not None:
            setattr(self, verb, partial(self._once, getattr(self, verb)))

    def _check_query(self) -> None:
        """A parameter that nobody reads is refused: on a list it would give rows that were not meant, and `dry_run` on an act
        would write. A key says whose it is, so `client_no` may only repeat it."""
        query = self.request.query_params
        check_parameters(query, self.query_parameters() | {"client_no"})
        if isinstance(self.request.auth, ApiKey) and query.get("client_no", str(self.client.pk)) != str(self.client.pk):
            raise BillingError(
                ErrorCode.PERMISSION,
                f"client_no {query['client_no'][:22]} is not the client of this API key",
                field="client_no",
            )

    queries: Mapping[str, type[Serializer]] = {}
    """What the query of an action is read as, by the action."""

    def query_parameters(self) -> set[str]:
        """The parameters that this call may have in its query, beside `client_no`."""
        return set(self.queries[self.action]().fields) if self.action in self.queries else set()

    def asked_query(self) -> dict[str, Any]:
        """The query, read as the arguments of this action."""
        names = self.query_parameters()
        given = {name: value for name, value in self.request.query_params.items() if name in names}
        serializer = self.queries[self.action](data=given, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _once(self, work: Callable[..., Response], request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = once(
            self.client,
            self.receipt,
            lambda: _written(_done(partial(work, request, *args, **kwargs))),
            lambda receipt: _written(self._answer_again(receipt, partial(work, request, *args, **kwargs))),
            self.check_right,
        )
        status, body = json.loads(answer)
        return Response(body, status=status)

    def _answer_again(self, receipt: Receipt, work: Callable[[], Response]) -> Response:
        """What is done here is done by the call that has died."""
        self.receipt = claim_of(receipt)
        pending = pending_act_of(self.receipt)
        if pending is not None:
            return Response(pending.body, status=pending.code.http_status)
        resumes = self.action in self.resumed_actions or not self.is_stored(receipt)
        return work() if resumes else self.answer_again(receipt)

    def is_stored(self, receipt: Receipt) -> bool:
        """Whether the answer stands in stored rows. A receipt that names nothing is one of a row that is gone, or of work that
        comes to the same when it is done again."""
        return receipt.invoice_no is not None or receipt.row_no is not None or self.request.method == "DELETE"

    def answer_again(self, receipt: Receipt) -> Response:
        """The answer of a call whose work was done before, made from what was stored."""
        if self.request.method == "DELETE":
            return Response(status=HTTP_204_NO_CONTENT)
        return Response(self.get_serializer(self.get_queryset().get(pk=receipt.row_no)).data, status=self.created)

    @property
    def created(self) -> int:
        """The status of an answer that shows what a call has made or changed."""
        if self.action in self.operations:
            return self.operations[self.action].status
        return HTTP_201_CREATED if self.action == "create" else HTTP_200_OK

    operations: Mapping[str, Operation] = {}
    """What actions take and answer, by their names. Those of master data need no row: the resource's serializer says it."""

    resumed_actions: Sequence[str] = ()
    """Actions that are done again where a call was interrupted: their services go on where it was."""

    rights: Mapping[str, Right] = {}
    """The right that each action needs which does more than read. Services ask for it; here it is asked for before a stored
    answer is given again."""

    def check_right(self) -> None:
        """Refuses who may not do the act that is asked for again."""
        check_may(self.caller, self.rights[self.action])

    reading_actions: Sequence[str] = ("preview",)
    """Actions that write nothing, though they are asked for by POST."""

    @property
    def staff_permission(self) -> str:
        """What staff need: to see such rows. What may be done to them, the services say."""
        return self.permission_of("view")

    def permission_of(self, right: str) -> str:
        rows: Any = type(self).queryset
        return f"{rows.model._meta.app_label}.{right}_{rows.model._meta.model_name}"

    @property
    def client(self) -> Client:
        return cast(ApiKey | StaffAccess, self.request.auth).client

    @property
    def caller(self) -> Caller:
        access, request_id = self.request.auth, call_of(self.request).request_id
        if isinstance(access, StaffAccess):
            return Caller(staff=access.user, receipt=self.receipt, request_id=request_id)
        return Caller(api_key=cast(ApiKey, access), receipt=self.receipt, request_id=request_id)

    def asked(self) -> dict[str, Any]:
        """The body, read as the arguments of this action."""
        return self._read(self.operations[self.action].arguments or NoArguments)

    def _read(self, arguments: type[Serializer]) -> dict[str, Any]:
        serializer = arguments(data=self.request.data, context=self.get_serializer_context())
        check_members(serializer, self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """The serializer of the resource's rows. A body that it is to read has no member that it does not know."""
        serializer: Any = super().get_serializer(*args, **kwargs)
        if "data" in kwargs:
            check_members(serializer, kwargs["data"])
        return serializer

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(**{self.client_path: self.client})

    def get_object(self) -> Any:
        try:
            return super().get_object()
        except Http404 as error:
            raise BillingError(self.not_found) from error


PAGE_PARAMETERS = {"cursor", "limit"}
MEMBER_PARAMETERS = {"fields", "expand"}
"""Which members are answered: of a list and of a row."""


class FilteredResource(ClientResource):
    """Rows that are found by filters of a query."""

    def filters(self) -> set[str]:
        """The names of the filters."""
        filters = DjangoFilterBackend().get_filterset_class(self, self.get_queryset())  # type: ignore[no-untyped-call]
        return set(filters.base_filters if filters else ())


class ListResource(ListModelMixin, FilteredResource):
    """Lists, by filters and in orders that the resource names (`ordering`: names of the wire with their columns); with some
    members only (`fields`), with more than a row has (`expand`, of `expansions`), or as CSV."""

    ordering: Mapping[str, str] = {}
    newest_first = False
    expansions: Sequence[str] = ()

    def get_renderers(self) -> list[BaseRenderer]:
        renderers = super().get_renderers()
        return [*renderers, CsvRenderer()] if self.action == "list" else renderers

    def handle_exception(self, exc: Exception) -> Response:
        """An error is told in JSON, also to those who asked for CSV."""
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return super().handle_exception(exc)

    def query_parameters(self) -> set[str]:
        if self.action == "list":
            return PAGE_PARAMETERS | MEMBER_PARAMETERS | ({"ordering"} if self.ordering else set()) | self.filters()
        return MEMBER_PARAMETERS if self.action == "retrieve" else super().query_parameters()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        rows = self.listed(self.filter_queryset(self.get_queryset()))
        if isinstance(request.accepted_renderer, CsvRenderer):
            return self._as_csv(rows)
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response(self.expanded(page, self.get_serializer(page, many=True).data))

    def listed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows with what a list shows of them beside their columns."""
        return rows

    def expanded(self, page: Sequence[Any], data: Any) -> Any:
        """The rows of a page with what `expand` asks for."""
        self.asked_names("expand", self.expansions)
        return data

    def asked_names(self, parameter: str, known: Iterable[str]) -> set[str]:
        """The names that a parameter lists between commas, each one that is known."""
        given = self.request.query_params.get(parameter, "")
        names = {name for name in given.split(",") if name}
        for name in sorted(names - set(known)):
            raise BillingError(ErrorCode.INVALID_INPUT, f"{parameter}: {name} does not exist", field=parameter)
        return names

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        serializer: Any = super().get_serializer(*args, **kwargs)
        if self.request.method in SAFE_METHODS and "fields" in self.request.query_params:
            fields = getattr(serializer, "child", serializer).fields
            for name in set(fields) - self.asked_names("fields", fields):
                fields.pop(name)
        return serializer

    def _as_csv(self, rows: QuerySet[Any]) -> StreamingHttpResponse:
        self.asked_names("expand", ())
        for parameter in sorted(PAGE_PARAMETERS.intersection(self.request.query_params)):
            detail = f"{parameter}: a CSV list always contains all rows; leave this parameter out"
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field=parameter)
        name = self.request.path.rstrip("/").rsplit("/", 1)[-1]
        chunks = in_chunks(rows, asked_order(self.request, self.ordering, newest_first=self.newest_first), ROWS_AT_ONCE)
        return csv_response(name, self.get_serializer(), chunks, lambda chunk: self.get_serializer(chunk, many=True).data)


class ReadResource(RetrieveModelMixin, ListResource):
    """List and retrieve."""

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.asked_names("expand", self.expansions)
        return super().retrieve(request, *args, **kwargs)


class CreateReadResource(CreateModelMixin, ReadResource):
    """Create, list and retrieve. What documents may stand on is not changed or deleted here."""

    @property
    def staff_permission(self) -> str:
        return self.permission_of({"create": "add", "destroy": "delete"}.get(self.action, "view"))

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        with transaction.atomic():
            row = serializer.save()
            use(self.client, self.receipt, row_no=row.pk)


def _claim(request: Request) -> Claim | None:
    key = request.headers.get("Idempotency-Key", "")
    if request.method in SAFE_METHODS or not key:
        return None
    if not re.fullmatch(r"[\x21-\x7e]{1,255}", key):
        raise BillingError(
            ErrorCode.INVALID_FORMAT, "Idempotency-Key: give 1 to 255 printable characters", field="Idempotency-Key"
        )
    return claim_for(
        key,
        f"{request.method} {request.path}",
        {"body": request.data, "query": request.query_params},
        refused_as=ErrorCode.KEY_OF_ANOTHER_REQUEST,
        field="Idempotency-Key",
    )


def _whole(number: Any) -> int | None:
    return number if type(number) is int and abs(number) <= LARGEST_LONG else None


def _done(work: Callable[[], Response]) -> Response:
    """The answer of an act, or that it is pending: that is an answer too, and is given again."""
    try:
        return work()
    except PendingAct as pending:
        return Response(pending.body, status=pending.code.http_status)


def _written(response: Response) -> str:
    """Status and body as they are sent."""
    return f"[{response.status_code},{JSONRenderer().render(response.data).decode() or 'null'}]"
