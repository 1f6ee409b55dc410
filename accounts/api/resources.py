"""Base classes of all REST resources. Rows are found, created and shown only for the client of the caller."""

import hashlib
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
from rest_framework.serializers import BaseSerializer, CharField, ChoiceField, Field, Serializer
from rest_framework.status import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import StaffAccess
from accounts.call_log import call_of
from accounts.callers import Caller
from accounts.models import ApiKey, Client, Receipt
from accounts.receipts import Claim, claim_for, claim_of, once, use
from accounts.rights import Right, check_may
from accounts.services.accounts import lock_row
from accounts.services.changing import FIXED, change_row, remove_row
from accounts.trail import pending_act_of
from billing_site.common.csv_lists import ROWS_AT_ONCE, CsvRenderer, csv_response
from billing_site.common.fields import LARGEST_LONG
from billing_site.common.json_bodies import MergePatchParser
from billing_site.common.keyset_pages import asked_order, in_chunks
from billing_site.common.members import NoArguments, check_members, check_parameters
from billing_site.errors import BillingError, Detail, ErrorCode, PendingAct


class Operation(NamedTuple):
    """The arguments, answer and HTTP status of an action. An action without arguments takes no body."""

    arguments: type[Serializer] | None
    answer: type[Serializer]
    status: int = HTTP_200_OK


class ClientResource(GenericViewSet):
    """Rows of the caller's client. Rows of other clients do not exist (404), so their existence is not revealed."""

    client_path = "client"
    lookup_value_regex = "[0-9]{1,22}"
    not_found = ErrorCode.NO_DATA

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the parameters, and set up replay: a call with an Idempotency-Key is done once, and repeats get its first
        answer."""
        super().initial(request, *args, **kwargs)
        verb = (request.method or "").lower()
        answers = verb in self.http_method_names and hasattr(self, verb)
        if request.auth is None or not answers:
            return  # A method call, which checks its credentials itself, or a method that the address does not support.
        self._check_query()
        if "If-Match" in request.headers and request.method not in SAFE_METHODS and self.action not in self.versioned_actions:
            detail = Detail("If-Match: this operation compares no version; leave it out")
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field="If-Match")
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
        """Refuse unknown query parameters. On a list they would return unintended rows, and on an act a `dry_run` would be
        ignored.

        With an API key, `client_no` must be the key's own client.
        """
        query = self.request.query_params
        check_parameters(query, self.query_parameters() | {"client_no"})
        if isinstance(self.request.auth, ApiKey) and query.get("client_no", str(self.client.pk)) != str(self.client.pk):
            raise BillingError(
                ErrorCode.PERMISSION,
                f"client_no {query['client_no'][:22]} is not the client of this API key",
                field="client_no",
            )

    queries: Mapping[str, type[Serializer]] = {}
    """The serializer of each action's query parameters, by action."""

    def query_parameters(self) -> set[str]:
        """Return the query parameters that this call may have besides `client_no`."""
        return set(self.queries[self.action]().fields) if self.action in self.queries else set()

    def query_arguments(self) -> dict[str, Any]:
        """Return the validated query parameters of this action."""
        names = self.query_parameters()
        sent = {name: value for name, value in self.request.query_params.items() if name in names}
        serializer = self.queries[self.action](data=sent, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _once(self, work: Callable[..., Response], request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = once(
            self.client,
            self.receipt,
            lambda: _written(_done(partial(work, request, *args, **kwargs))),
            lambda receipt: _written(self._resumed(receipt, partial(work, request, *args, **kwargs))),
            self.check_right,
        )
        status, body = json.loads(answer)
        return Response(body, status=status)

    def _resumed(self, receipt: Receipt, work: Callable[[], Response]) -> Response:
        """Finish what a call whose process died has left, and render its answer from what is stored. What is done now is
        recorded under the receipt of that call."""
        self.receipt = claim_of(receipt)
        pending = pending_act_of(self.receipt)
        if pending is not None:
            return Response(pending.body, status=pending.code.http_status)
        if self.action in self.resumed_actions or not self.is_stored(receipt):
            return work()
        number = self.number_of(receipt)
        if number is not None:
            self.finish(number)
        return self.answer(number)

    def is_stored(self, receipt: Receipt) -> bool:
        """Whether the answer can be rendered from stored rows. If not, the work is done again, which has the same result."""
        return receipt.invoice_no is not None or receipt.row_no is not None or self.request.method == "DELETE"

    def number_of(self, receipt: Receipt) -> int | None:
        """Return the number of the row that a call's answer shows."""
        return receipt.row_no

    def finish(self, number: int) -> None:
        """Finish what an interrupted call has left to do for the row that it made or changed. Most acts are one transaction,
        which leaves nothing."""

    def answer(self, number: int | None) -> Response:
        """Answer an act from what is stored, the first time and for each retry. `number` is that of the row to show."""
        return self.answer_without_row() if number is None else self.stored_answer(number)

    def answer_without_row(self) -> Response:
        """Render the answer of an act that leaves no row: a removal."""
        return Response(status=HTTP_204_NO_CONTENT)

    def stored_answer(self, number: int) -> Response:
        """Render the answer of an act from the row that it made or changed."""
        return Response(self.get_serializer(self.get_queryset().get(pk=number)).data, status=self.created)

    @property
    def created(self) -> int:
        """The HTTP status of an answer that shows what a call created or changed."""
        if self.action in self.operations:
            return self.operations[self.action].status
        return HTTP_201_CREATED if self.action == "create" else HTTP_200_OK

    operations: Mapping[str, Operation] = {}
    """The arguments and answers of actions, by action. Master data needs none: its serializer describes both."""

    resumed_actions: Sequence[str] = ()
    """Actions whose services resume an interrupted call, so a retry calls them again."""

    rights: Mapping[str, Right] = {}
    """The right that each writing action needs. Services check it too; here it is checked before a stored answer is
    returned."""

    def check_right(self) -> None:
        """Refuse a caller without the right to the repeated act."""
        check_may(self.caller, self.rights[self.action])

    versioned_actions: Sequence[str] = ()
    """Actions that compare the version that `If-Match` names. Others refuse that header (1016), because it would be ignored."""

    reading_actions: Sequence[str] = ("preview",)
    """Actions that write nothing although they use POST."""

    @property
    def staff_permission(self) -> str:
        """The permission that staff need to see such rows. Services check what may be done to them."""
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

    def arguments(self) -> dict[str, Any]:
        """The validated body of this action."""
        return self._read(self.operations[self.action].arguments or NoArguments)

    def _read(self, arguments: type[Serializer]) -> dict[str, Any]:
        context = self.get_serializer_context()
        serializer = arguments(data=self.sent(arguments(context=context)), context=context)
        check_members(serializer, self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def sent(self, serializer: Serializer) -> Any:
        """Return the body. In a change, null clears a text that may be empty, as in a JSON merge (RFC 7396)."""
        if self.request.method != "PATCH" or not isinstance(self.request.data, Mapping):
            return self.request.data
        clearable = {name for name, field in serializer.fields.items() if _is_clearable(field)}
        return {name: "" if value is None and name in clearable else value for name, value in self.request.data.items()}

    def get_parsers(self) -> list[Any]:
        parsers = super().get_parsers()
        return [*parsers, MergePatchParser()] if self.request is not None and self.request.method == "PATCH" else parsers

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return the serializer of the resource's rows. When it reads a body, unknown members are refused."""
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
"""Query parameters that choose which members of a row are returned."""


class FilteredResource(ClientResource):
    """Rows that can be filtered by query parameters."""

    def filters(self) -> set[str]:
        """The names of the filters."""
        filters = DjangoFilterBackend().get_filterset_class(self, self.get_queryset())  # type: ignore[no-untyped-call]
        return set(filters.base_filters if filters else ())


class ListResource(ListModelMixin, FilteredResource):
    """Lists with filters, orders (`ordering`: API names with their columns), selected members (`fields`), additional members
    (`expand`, listed in `expansions`), and CSV output."""

    ordering: Mapping[str, str] = {}
    newest_first = False
    expansions: Sequence[str] = ()

    def get_renderers(self) -> list[BaseRenderer]:
        renderers = super().get_renderers()
        return [*renderers, CsvRenderer()] if self.action == "list" else renderers

    def handle_exception(self, exc: Exception) -> Response:
        """Return errors as JSON, also if CSV was requested."""
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
        return self.get_paginated_response(self.expanded(page, self.get_serializer(self.shown(page), many=True).data))

    def listed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows with the annotations that a list shows besides their columns."""
        return rows

    def shown(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Return what a list shows for these rows: the rows themselves, or what a report knows about them, in their order."""
        return rows

    def expanded(self, page: Sequence[Any], data: Any) -> Any:
        """Return the data of a page of rows with the members that `expand` requests."""
        self.listed_names("expand", self.expansions)
        return data

    def listed_names(self, parameter: str, known: Iterable[str]) -> set[str]:
        """Return the names in a comma-separated parameter. Unknown names are refused."""
        listed = self.request.query_params.get(parameter, "")
        names = {name for name in listed.split(",") if name}
        for name in sorted(names - set(known)):
            raise BillingError(ErrorCode.INVALID_INPUT, f"{parameter}: {name} does not exist", field=parameter)
        return names

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        serializer: Any = super().get_serializer(*args, **kwargs)
        if self.request.method in SAFE_METHODS and "fields" in self.request.query_params:
            fields = getattr(serializer, "child", serializer).fields
            for name in set(fields) - self.listed_names("fields", fields):
                fields.pop(name)
        return serializer

    def _as_csv(self, rows: QuerySet[Any]) -> StreamingHttpResponse:
        if self.request.query_params.get("expand"):
            detail = "expand: a CSV list has plain columns; leave this parameter out. Lines of documents are at invoice-lines/"
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field="expand")
        for parameter in sorted(PAGE_PARAMETERS.intersection(self.request.query_params)):
            detail = f"{parameter}: a CSV list always contains all rows; leave this parameter out"
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field=parameter)
        name = self.request.path.rstrip("/").rsplit("/", 1)[-1]
        chunks = in_chunks(rows, asked_order(self.request, self.ordering, newest_first=self.newest_first), ROWS_AT_ONCE)
        return csv_response(
            name, self.get_serializer(), chunks, lambda chunk: self.get_serializer(self.shown(chunk), many=True).data
        )


class ReadResource(RetrieveModelMixin, ListResource):
    """List and retrieve."""

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.listed_names("expand", self.expansions)
        return super().retrieve(request, *args, **kwargs)


VERB_OF_ACTION = {"create": "add", "partial_update": "change", "destroy": "delete"}


class CreateReadResource(CreateModelMixin, ReadResource):
    """Create, list and retrieve. Rows that documents may refer to cannot be changed or deleted here."""

    @property
    def staff_permission(self) -> str:
        return self.permission_of(VERB_OF_ACTION.get(self.action, "view"))

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        with transaction.atomic():
            row = serializer.save()
            use(self.client, self.receipt, row_no=row.pk)


class ChangeResource(CreateReadResource):
    """Create, list, retrieve and change.

    PATCH is a JSON merge: members that are left out stay as they are, and null clears. A row has an `ETag`; with `If-Match` it
    is changed only if it is still that version (else 412, 90162). Without `If-Match` the members that are sent are written in
    any case.
    """

    versioned_actions: Sequence[str] = ("partial_update",)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().retrieve(request, *args, **kwargs)
        return answer if "fields" in request.query_params else with_version(answer)

    def stored_answer(self, number: int) -> Response:
        answer = super().stored_answer(number)
        return with_version(answer) if self.action == "partial_update" else answer

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the members that are sent. The others stay as they are."""
        with transaction.atomic():
            row = self.locked_row()
            number = self.perform_change(row, self.changes(row))
            use(self.client, self.receipt, row_no=number)
        return self.answer(number)

    fixed_members: Mapping[str, Detail] = {}
    """Members that are never changed here, with what to do instead."""

    def changes(self, row: Any) -> dict[str, Any]:
        """Return the validated values of the members that were sent."""
        serializer = self.get_serializer(row, data=self.sent(self.get_serializer(row)), partial=True)
        serializer.is_valid(raise_exception=True)
        self._check_fixed(row, serializer)
        return dict(serializer.validated_data)

    def _check_fixed(self, row: Any, serializer: Any) -> None:
        """Refuse (90161) another value of a member that never changes, by the name under which it was sent."""
        columns = FIXED.get(row._meta.label_lower, ())
        for name in self.request.data:
            field = serializer.fields[name]
            if name in self.fixed_members:
                detail = Detail("{field}: {instead}", field=name, instead=self.fixed_members[name])
                raise BillingError(ErrorCode.NEVER_CHANGES, detail, field=name)
            if field.source in columns and serializer.validated_data[field.source] != getattr(row, field.source):
                raise BillingError(ErrorCode.NEVER_CHANGES, name, field=name)

    def locked_row(self) -> Any:
        """Lock the row, and return it. Refuses (90162) one that is not the version that `If-Match` names."""
        found = self.get_object()
        lock_row(found)
        row = self.get_queryset().get(pk=found.pk)
        check_version(self.request, lambda: self.shown_alone(row))
        return row

    def shown_alone(self, row: Any) -> Any:
        """Return what retrieving the row answers."""
        return self.get_serializer_class()(row, context=self.get_serializer_context()).data

    def perform_change(self, row: Any, values: Mapping[str, Any]) -> int:
        """Change a locked row, and return the number of the row that the answer shows."""
        change_row(row, values, caller=self.caller)
        return int(row.pk)


class RemoveResource(ChangeResource):
    """Rows that can also be removed, as long as nothing uses them."""

    versioned_actions = ("partial_update", "destroy")

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a row that nothing uses."""
        with transaction.atomic():
            row = self.locked_row()
            number = row.pk
            self.perform_remove(row)
            use(self.client, self.receipt, row_no=number)
        return self.answer(None)

    def perform_remove(self, row: Any) -> None:
        """Remove a locked row."""
        remove_row(row, caller=self.caller)


def version_of(data: Any) -> str:
    """Return the ETag of a row as it is shown."""
    return f'"{hashlib.sha256(JSONRenderer().render(data)).hexdigest()[:32]}"'


def with_version(answer: Response) -> Response:
    """Return the answer that shows a whole row with its ETag."""
    answer["ETag"] = version_of(answer.data)
    return answer


def check_version(request: Request, shown: Callable[[], Any]) -> None:
    """Refuse (90162) a row that is not the version that `If-Match` names. `shown` returns what retrieving it answers.

    A proxy that compresses answers marks their versions as weak (`W/"..."`), and callers send them back like that. They are
    hashes of the whole row, so they mean the same.
    """
    wanted = request.headers.get("If-Match")
    if wanted is None or wanted == "*":
        return
    versions = {one.strip().removeprefix("W/") for one in wanted.split(",")}
    if version_of(shown()) not in versions:
        raise BillingError(ErrorCode.CHANGED_SINCE, field="If-Match")


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


def _is_clearable(field: Field) -> bool:
    """Whether an empty text clears a member, and null is no value of its own."""
    return isinstance(field, (CharField, ChoiceField)) and field.allow_blank and not field.allow_null


def _whole(number: Any) -> int | None:
    return number if type(number) is int and abs(number) <= LARGEST_LONG else None


def _done(work: Callable[[], Response]) -> Response:
    """Return the answer of an act, or the answer that it is pending approval. Both are stored and replayed."""
    try:
        return work()
    except PendingAct as pending:
        return Response(pending.body, status=pending.code.http_status)


def _written(response: Response) -> str:
    """Return status and body as JSON text."""
    return f"[{response.status_code},{JSONRenderer().render(response.data).decode() or 'null'}]"
