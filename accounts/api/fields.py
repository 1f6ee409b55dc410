"""Fields for rows, accounts and people in the API. Their validation codes tell `input_errors` which error to report."""

from typing import Any, NoReturn, cast

from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.models import places
from accounts.staff import names_of
from accounts.validators import validate_alphanumeric
from billing_site.common.fields import LARGEST_LONG, LongField
from billing_site.common.places import country_code

NO_CLIENT, NO_ACCOUNT, NO_INVOICE = "client_does_not_exist", "account_does_not_exist", "invoice_does_not_exist"
NO_TRANSACTION, NO_PLAN_INSTANCE = "transaction_does_not_exist", "plan_instance_does_not_exist"
NO_REASON = "reason_does_not_exist"
"""Validation codes for a number that does not exist, by what it should be the number of."""


class CountryField(serializers.CharField):
    """A country by code or name, in any case. Output is the code."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_length": places.CountryField.LONGEST_NAME})

    def to_internal_value(self, data: Any) -> str:
        text: str = super().to_internal_value(data)
        return country_code(text) or text


class ReceiptIdField(serializers.CharField):
    """A client_receipt_id: up to 50 letters and digits, unique per client."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **{
                "max_length": 50,
                "required": False,
                "trim_whitespace": False,
                "validators": [validate_alphanumeric],
                **options,
            }
        )


class OwnRowField(serializers.PrimaryKeyRelatedField):
    """The number of a row of the caller's client. Rows of other clients do not exist."""

    default_error_messages = {"does_not_exist": _("{pk_value} does not exist.")}

    def __init__(self, *, client_path: str = "client", **options: Any) -> None:
        self.client_path = client_path
        super().__init__(**options)

    def get_queryset(self) -> QuerySet[Any]:
        rows = cast(QuerySet[Any], super().get_queryset())
        return rows.filter(**{self.client_path: self.context["request"].auth.client})

    def to_internal_value(self, data: Any) -> Model:
        number = LongField().whole_number(data)
        if abs(number) > LARGEST_LONG:
            self.fail("does_not_exist", pk_value=number)
        row: Model = super().to_internal_value(number)
        return row


class AccountField(OwnRowField):
    """An acct_no. One that does not exist is reported as 1009."""

    default_error_messages = {NO_ACCOUNT: _("acct_no {pk_value} does not exist.")}

    def fail(self, key: str, **values: Any) -> NoReturn:
        super().fail(NO_ACCOUNT if key == "does_not_exist" else key, **values)


class IdentityName(serializers.CharField):
    """The name of an identity. The names of all rows of a list are read together."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: str) -> str:
        names = self.root.__dict__.setdefault("names_of_identities", {})
        if value and value not in names:
            names.update(names_of(self._identities() | {value}))
        return str(names.get(value, ""))

    def _identities(self) -> set[str]:
        """Return the identities of all rows and fields that are shown together with this one."""
        rows = self.root.instance if isinstance(self.root, serializers.ListSerializer) else [self.root.instance]
        parent = cast(serializers.Serializer, self.parent)
        sources = [str(field.source) for field in parent.fields.values() if isinstance(field, IdentityName)]
        return {identity for row in rows or () for source in sources if (identity := getattr(row, source, ""))}
