"""Aria's method calls as viewset actions. Parameters may be spelled in several ways, include the credentials, and HTTP status
is always 200.

Errors are reported in this order: unreadable body (1012); malformed credentials (1016, 1012) or wrong credentials (1004), so
that strangers learn nothing else; unsupported or unknown arguments (1016); missing parameters, all of them (1010); the
first wrong value; then the service's refusals. Once the client is known, a refused input writes one event; services record
their own refusals.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import wraps
from typing import Any, NamedTuple

from django.core.exceptions import RequestDataTooBig
from django.core.exceptions import ValidationError as ModelError
from django.db import Error, transaction
from django.http import HttpRequest, HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from accounts.api.fields import NO_CLIENT
from accounts.api.input_errors import refusal_of, wrong_inputs
from accounts.aria.parsers import Parameters, nested, parameters, scalar
from accounts.aria.renderers import FORMATS, as_json
from accounts.authentication import authenticated_key, check_may_write
from accounts.call_log import call_of
from accounts.callers import Caller
from accounts.models import ApiKey, Client, Receipt
from accounts.receipts import Claim, ReceiptRefused, claim_for, claim_of, once, use_with_answer
from accounts.rights import Right, check_may
from accounts.trail import pending_act_of, record_acts, refusal
from billing_site.common.database_errors import refusal_of as refusal_of_database
from billing_site.common.fields import LongField, rows_of
from billing_site.common.json_bodies import too_large_body
from billing_site.common.members import check_members
from billing_site.errors import BillingError, Detail, ErrorCode, PendingAct

logger = logging.getLogger(__name__)

CREDENTIALS = ("client_no", "auth_key")
TRANSPORT = ("rest_call", "output_format")
"""Parameters of every call that the dispatcher reads."""

Answer = Mapping[str, Any]
Arguments = Mapping[str, Any]


class Credentials(serializers.Serializer):
    client_no = LongField(no_such=NO_CLIENT)
    auth_key = serializers.CharField(max_length=32)


class Qualifier(serializers.Serializer):
    qualifier_name = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)
    qualifier_value = serializers.CharField(max_length=100, required=False, allow_null=True, allow_blank=True)


class CallerFields(serializers.Serializer):
    """What a call may declare about its sender. Stored unchanged, for the record only."""

    alt_caller_id = serializers.CharField(max_length=30, required=False, trim_whitespace=False)
    application_id = serializers.CharField(max_length=300, required=False, trim_whitespace=False)
    application_date = serializers.CharField(max_length=300, required=False, trim_whitespace=False)
    optional_transaction_qualifiers = rows_of(Qualifier(), most=100, required=False)


class Call(NamedTuple):
    """A call whose credentials and input are valid."""

    client: Client
    caller: Caller
    arguments: Mapping[str, Any]

    def under(self, receipt: Receipt) -> "Call":
        """Return the call with the receipt of an earlier, interrupted call, so that work is recorded under that receipt."""
        return self._replace(caller=replace(self.caller, receipt=claim_of(receipt)))


def always(arguments: Arguments) -> bool:
    return True


def never(arguments: Arguments) -> bool:
    return False


def as_it_is(call: Call, output: Answer) -> Answer:
    """Return the output unchanged, for calls whose work returns its output fields."""
    return output


def nothing_left(call: Call, receipt: Receipt) -> None:
    """Resume nothing, for calls whose answer depends only on their arguments."""


class Method(NamedTuple):
    """A method call: arguments, output fields, the act that refusals are recorded as, and its work.

    `writes` tells from the arguments whether the call writes, which needs `right`. `work` returns what it created or changed,
    and `answer` turns that into output fields. `resume` finishes an interrupted call and returns what `work` would have
    returned. With `is_one_transaction` work and answer are stored together, so that no call is interrupted between them.
    """

    name: str
    arguments: type[serializers.Serializer]
    outputs: Sequence[str]
    refused_act: str
    work: Callable[[Any, Call], Any]
    answer: Callable[[Call, Any], Answer]
    writes: Callable[[Arguments], bool] = always
    resume: Callable[[Call, Receipt], Any] = nothing_left
    right: Right | None = None
    names: Mapping[str, str] = {}
    """The call's names of fields that services name differently."""
    is_one_transaction: bool = False

    @property
    def taken(self) -> type[serializers.Serializer]:
        """A serializer of all parameters that the call accepts."""
        parts = (Credentials, self.arguments, CallerFields)
        fields = {name: field for part in parts for name, field in part().fields.items()}
        return type(self.name, (serializers.Serializer,), fields)


class JsonWhateverIsAccepted(DefaultContentNegotiation):
    """Ignores the Accept header, because status 406 would break callers that rely on HTTP 200."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


def method_call(
    arguments: type[serializers.Serializer],
    *,
    outputs: Sequence[str],
    refused_act: str,
    writes: Callable[[Arguments], bool] = always,
    resume: Callable[[Call, Receipt], Any] = nothing_left,
    answer: Callable[[Call, Any], Answer] = as_it_is,
    right: Right | None = None,
    names: Mapping[str, str] | None = None,
    is_one_transaction: bool = False,
) -> Callable[[Callable[[Any, Call], Any]], Callable[[Any, Request], HttpResponse]]:
    """Turn a viewset's method into a method call of the same name. It gets a `Call`. Its result goes through `answer`, if set.

    On failure all output fields are null, except the tax engine's own errors if the call has a field for them. Refusals name
    fields as the call does: `names` has the call's names by those of services.
    """

    def decorate(work: Callable[[Any, Call], Any]) -> Callable[[Any, Request], HttpResponse]:
        method = Method(
            work.__name__,
            arguments,
            outputs,
            refused_act,
            work,
            answer,
            writes,
            resume,
            right,
            names or {},
            is_one_transaction,
        )

        @action(
            detail=False,
            methods=["post"],
            authentication_classes=[],
            permission_classes=[],
            content_negotiation_class=JsonWhateverIsAccepted,
        )
        @wraps(work)
        def answered(view: Any, request: Request) -> HttpResponse:
            output = _answer(view, method, request._request)
            record = call_of(request)
            record.method, record.error_code, record.message = method.name, output["error_code"], output["error_msg"]
            return rendered(output, output_format(request._request))

        answered.method_call = method  # type: ignore[attr-defined]
        return answered

    return decorate


def methods_of(viewset: type[Any]) -> list[str]:
    """Return the names of a viewset's method calls, in the order of definition."""
    written = [value for part in viewset.__mro__ for value in vars(part).values()]
    return list(dict.fromkeys(value.method_call.name for value in written if hasattr(value, "method_call")))


def sent_parameters(request: HttpRequest) -> Parameters:
    """Return the parameters as sent. They are parsed once per request."""
    if not hasattr(request, "sent_parameters"):
        try:
            request.sent_parameters = parameters(request.META.get("QUERY_STRING", ""), request.body)  # type: ignore[attr-defined]
        except RequestDataTooBig as error:
            raise too_large_body() from error
    return request.sent_parameters  # type: ignore[attr-defined, no-any-return]


def output_format(request: HttpRequest) -> str:
    """Return the format chosen by the dispatcher; at the methods' own addresses, JSON."""
    return getattr(request, "output_format", "json")


def rendered(answer: Answer, output_format: str) -> HttpResponse:
    write, content_type = FORMATS[output_format]
    return HttpResponse(write(answer), content_type=content_type)


def envelope(error: BillingError, outputs: Sequence[str] = ()) -> dict[str, Any]:
    """Return the fields that every answer has, and the output fields as null. Bars are replaced, as some callers split at
    them."""
    fields = {
        "error_code": error.code.number,
        "error_msg": error.message.replace("|", "/"),
        **dict.fromkeys(outputs),
        **error.outputs,
    }
    if "third_party_errors" in outputs and error.third_party_errors:
        fields["third_party_errors"] = list(error.third_party_errors)
    return fields


def _answer(view: Any, method: Method, request: HttpRequest) -> Answer:
    try:
        call = _read_call(method, request)
        text = once(
            call.client,
            call.caller.receipt,
            lambda: _worked(method, call, lambda: method.work(view, call)),
            lambda receipt: _done(method, call, lambda: _resumed(method, call.under(receipt), receipt)),
            lambda: check_may(call.caller, method.right) if method.right is not None else None,
        )
        read: Answer = json.loads(text)
        return read
    except ReceiptRefused as error:
        record_acts(call.client, call.caller, [refusal(method.refused_act, error)])
        return envelope(error, method.outputs)
    except BillingError as error:
        return envelope(error, method.outputs)
    except Error as error:
        return envelope(refusal_of_database(error), method.outputs)
    except Exception:
        logger.exception("method call %s failed", method.name)
        return envelope(BillingError(ErrorCode.UNEXPECTED), method.outputs)


def _worked(method: Method, call: Call, work: Callable[[], Any]) -> str:
    if not method.is_one_transaction:
        return _done(method, call, work)
    with transaction.atomic():
        text = _done(method, call, work)
        use_with_answer(call.client, call.caller.receipt, text)
    return text


def _resumed(method: Method, call: Call, receipt: Receipt) -> Any:
    pending = pending_act_of(call.caller.receipt)
    if pending is not None:
        raise pending
    return method.resume(call, receipt)


def _done(method: Method, call: Call, work: Callable[[], Any]) -> str:
    """Return the answer of an act, or the answer that it is pending approval. Both are stored and replayed.

    Refusals are renamed to the call's field names. Input errors have these names already. A value that a model refuses is an
    input error too, and has an event.
    """
    try:
        return _answered(method, method.answer(call, work()))
    except PendingAct as pending:
        return as_json(envelope(pending, method.outputs))
    except ModelError as invalid:
        error = refusal_of(wrong_inputs(_renamed(invalid, method.names)))
        record_acts(call.client, call.caller, [refusal(method.refused_act, error)])
        raise error from invalid
    except BillingError as error:
        raise error.renamed(method.names) from None


def _renamed(error: ModelError, names: Mapping[str, str]) -> ModelError:
    """Return a model's refusals under the names that the call has for the columns."""
    if not hasattr(error, "error_dict"):
        return error
    return ModelError({names.get(name, name): rows for name, rows in error.error_dict.items()})


def _answered(method: Method, output: Answer) -> str:
    return as_json({**envelope(BillingError(ErrorCode.OK), method.outputs), **output})


def _read_call(method: Method, request: HttpRequest) -> Call:
    sent = nested(sent_parameters(request), arrays_of(method.arguments(), CallerFields()))
    sent = {name: value for name, value in sent.items() if value not in (None, "")}
    key = _key(sent, request)
    sender = CallerFields(data=sent)
    declared = sender.validated_data if sender.is_valid() else {}
    serializer = method.arguments(data=sent)
    error = _wrong_argument(method, sent) or _wrong_value(serializer, sender)
    if error is not None:
        record_acts(key.client, Caller(api_key=key, declared=declared), [refusal(method.refused_act, error)])
        raise error
    arguments = serializer.validated_data
    if method.writes(arguments):
        check_may_write(key)
    record = call_of(request)
    record.account_no = arguments.get("acct_no") or arguments.get("account_no")
    record.receipt_id, record.caller = arguments.get("client_receipt_id") or "", declared.get("alt_caller_id") or ""
    caller = Caller(api_key=key, declared=declared, receipt=_claim(method, arguments), request_id=record.request_id)
    return Call(key.client, caller, arguments)


def _wrong_argument(method: Method, sent: Mapping[str, Any]) -> BillingError | None:
    """Return an error (1016) for an argument that would be ignored: unsupported or unknown."""
    unsupported = getattr(method.arguments, "unsupported", ())
    named = [name for name, value in sent.items() if name.partition("[")[0] in unsupported and value != []]
    if named:
        return not_supported(", ".join(named))
    if sent.get("rest_call", method.name) != method.name:
        return BillingError(ErrorCode.INVALID_INPUT, f"rest_call: this address accepts only {method.name}", field="rest_call")
    accepted = (*TRANSPORT, *unsupported, *getattr(method.arguments, "without_effect", ()))
    members = {name: value for name, value in sent.items() if name not in accepted}
    try:
        check_members(method.taken(), members, empty_is_absent=True)
    except serializers.ValidationError as error:
        return refusal_of(wrong_inputs(error))
    return None


def not_supported(names: str) -> BillingError:
    """Return the refusal of an argument of Aria's, or of several, that this product has nothing for."""
    detail = Detail("{names}: not supported here; leave it out", names=names)
    return BillingError(ErrorCode.INVALID_INPUT, detail, field=names)


def _wrong_value(serializer: serializers.Serializer, sender: serializers.Serializer) -> BillingError | None:
    if serializer.is_valid() and not sender.errors:
        return _reversed_span(serializer.validated_data)
    return refusal_of(wrong_inputs(serializers.ValidationError({**serializer.errors, **sender.errors})))


def _reversed_span(arguments: Arguments) -> BillingError | None:
    """Return an error (1016) for a span of days, `start...` to `end...`, that ends before it begins: it would find nothing."""
    for name, first in arguments.items():
        end = name.replace("start", "end")
        last = arguments.get(end)
        if end != name and first is not None and last is not None and first > last:
            detail = Detail("{field}: {first} is after {end}, {last}", field=name, first=first, end=end, last=last)
            return BillingError(ErrorCode.INVALID_INPUT, detail, field=name)
    return None


def _claim(method: Method, arguments: Arguments) -> Claim | None:
    if not method.writes(arguments):
        return None
    effect = {name: value for name, value in arguments.items() if value is not None and name != "client_receipt_id"}
    return claim_for(arguments.get("client_receipt_id"), method.name, effect)


def arrays_of(*parts: serializers.Serializer) -> dict[str, list[str]]:
    """Return the array parameters of these serializers, each with the names of its rows' fields."""
    fields = {name: field for part in parts for name, field in part.fields.items()}
    return {
        name: list(field.child.fields)
        for name, field in fields.items()
        if isinstance(field, serializers.ListSerializer) and isinstance(field.child, serializers.Serializer)
    }


def note_missing_method(request: HttpRequest, method: str) -> None:
    """Note in the call log which method was asked for, and by which client, if the credentials are right."""
    pairs = sent_parameters(request)
    call_of(request).method = method
    with suppress(BillingError):
        _key({name: value for name in CREDENTIALS if (value := scalar(pairs, name)) is not None}, request)


def _key(sent: Mapping[str, Any], request: HttpRequest) -> ApiKey:
    if "client_no" not in sent or "auth_key" not in sent:
        raise BillingError(ErrorCode.AUTHENTICATION)
    credentials = Credentials(data=sent)
    if not credentials.is_valid():
        raise refusal_of(wrong_inputs(serializers.ValidationError(credentials.errors)))
    key = authenticated_key(**credentials.validated_data, request=request)
    if key is None:
        raise BillingError(ErrorCode.AUTHENTICATION)
    return key
