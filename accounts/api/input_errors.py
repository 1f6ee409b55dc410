"""Turn validation errors into errors of the error table. This is the only place that maps validation codes to error codes.

REST framework, Django's model validation and our own fields each give a wrong value a validation code ("required", "blank",
...).
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as ModelError
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import get_error_detail

from accounts.api.fields import NO_ACCOUNT, NO_CLIENT, NO_INVOICE, NO_PLAN_INSTANCE, NO_REASON, NO_TRANSACTION
from billing_site.common.members import READ_ONLY, UNKNOWN
from billing_site.errors import BillingError, ErrorCode, storable_message

TABLE = {
    "required": ErrorCode.MISSING_PARAMETER,
    "null": ErrorCode.MISSING_PARAMETER,
    "blank": ErrorCode.MISSING_PARAMETER,
    "empty": ErrorCode.MISSING_PARAMETER,
    "max_length": ErrorCode.INVALID_FORMAT,
    "max_digits": ErrorCode.INVALID_FORMAT,
    "max_whole_digits": ErrorCode.INVALID_FORMAT,
    "max_decimal_places": ErrorCode.INVALID_FORMAT,
    "max_string_length": ErrorCode.INVALID_FORMAT,
    "not_alphanumeric": ErrorCode.INVALID_FORMAT,
    "null_characters_not_allowed": ErrorCode.INVALID_FORMAT,
    "surrogate_characters_not_allowed": ErrorCode.INVALID_FORMAT,
    "not_a_date": ErrorCode.INVALID_DATE,
    "invalid_date": ErrorCode.INVALID_DATE,
    "not_true_or_false": ErrorCode.INVALID_BOOLEAN,
    NO_CLIENT: ErrorCode.AUTHENTICATION,
    NO_ACCOUNT: ErrorCode.ACCOUNT_NOT_FOUND,
    NO_INVOICE: ErrorCode.INVOICE_NOT_FOUND,
    NO_TRANSACTION: ErrorCode.TRANSACTION_NOT_FOUND,
    NO_PLAN_INSTANCE: ErrorCode.NO_PLAN_INSTANCE,
    NO_REASON: ErrorCode.INVALID_REASON,
    "invoice_mode": ErrorCode.INVALID_INVOICE_MODE,
    "action_directive": ErrorCode.INVALID_DIRECTIVE,
    "combine_invoices": ErrorCode.COMBINE_INVOICES,
    "client_notes": ErrorCode.NOTES_TOO_LONG,
}
"""The error code of each validation code. All others are 1016, invalid input."""

NAMED_IN_DETAIL = {UNKNOWN, READ_ONLY}
"""Validation codes whose detail is a whole sentence that names the field."""

SELF_EXPLAINING = {ErrorCode.AUTHENTICATION, ErrorCode.INVALID_INVOICE_MODE, ErrorCode.NOTES_TOO_LONG}
"""Error codes whose message needs no detail."""


class WrongInput(NamedTuple):
    """One wrong value and its path, such as charges[0].service."""

    field: str
    detail: ErrorDetail

    @property
    def code(self) -> ErrorCode:
        return TABLE.get(self.detail.code or "", ErrorCode.INVALID_INPUT)

    @property
    def refusal(self) -> BillingError:
        if self.detail.code == "not_a_long":
            return BillingError(self.code, f"{self.field} is not a valid long.", field=self.field, instead=True)
        if self.detail.code in NAMED_IN_DETAIL:
            return BillingError(self.code, str(self.detail), field=self.field, instead=True)
        if self.code in SELF_EXPLAINING:
            return BillingError(self.code, field=self.field)
        return BillingError(self.code, f"{self.field}: {self.detail}" if self.field else str(self.detail), field=self.field)


def wrong_inputs(error: ValidationError | ModelError) -> list[WrongInput]:
    """Return all errors in the order of the fields."""
    detail = get_error_detail(named_columns(error)) if isinstance(error, ModelError) else error.detail
    return list(_flattened(detail))


def named_columns(error: ModelError, path: str = "") -> ModelError:
    """Return a model's errors below `path`. A value that another row has is an error of its own column, not of the row.

    Such a constraint begins with what the row belongs to, and ends with the column that tells the rows apart.
    """
    by_field = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    named: dict[str, list[ModelError]] = {}
    for field, errors in by_field.items():
        for one in errors:
            name = field
            if field == NON_FIELD_ERRORS and one.code == "unique_together" and one.params:
                name = one.params["unique_check"][-1]
            named.setdefault(_below(path, name) or NON_FIELD_ERRORS, []).append(one)
    return ModelError(named)


def refusal_of(wrong: list[WrongInput]) -> BillingError:
    """Return the refusal that is reported: all missing fields together, else the first wrong value."""
    missing = [one.field for one in wrong if one.code is ErrorCode.MISSING_PARAMETER]
    if missing:
        return BillingError(ErrorCode.MISSING_PARAMETER, field=", ".join(missing))
    return wrong[0].refusal


def messages_by_field(wrong: list[WrongInput]) -> dict[str, list[str]]:
    messages: dict[str, list[str]] = {}
    for one in wrong:
        messages.setdefault(storable_message(one.field) or "non_field_errors", []).append(storable_message(str(one.detail)))
    return messages


def _flattened(detail: Any, path: str = "") -> Iterator[WrongInput]:
    if isinstance(detail, ErrorDetail):
        yield WrongInput(path, detail)
    elif isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _flattened(inner, _below(path, name))
    else:
        for position, inner in enumerate(detail):
            # A list of messages is about the field itself, a list of mappings about the rows of an array.
            yield from _flattened(inner, f"{path}[{position}]" if isinstance(inner, Mapping) else path)


def _below(path: str, name: Any) -> str:
    if name in ("non_field_errors", "__all__"):
        return path
    return f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}".lstrip(".")
