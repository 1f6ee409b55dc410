"""Rows, accounts and people on the wire, each with validation codes of its own, so that `input_errors` can tell them apart."""

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
"""The validation codes of a number that nothing has, by what it would be the number of."""

NOT_SUPPORTED = "not_supported"
"""The validation code of a value of Aria's that we do not support."""


class CountryField(serializers.CharField):
    """A country by a code or a name, in any case. It is answered as its code."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_length": places.CountryField.LONGEST_NAME})

    def to_internal_value(self, data: Any) -> str:
        text: str = super().to_internal_value(data)
        return country_code(text) or text


class ReceiptIdField(serializers.CharField):
    """A client_receipt_id: up to 50 letters and digits, unique for the client."""

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
    """The number of a row that belongs to the caller's client. Another client's rows do not exist."""

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
    """An acct_no. One that does not exist has an error code of its own (1009)."""

    default_error_messages = {NO_ACCOUNT: _("acct_no {pk_value} does not exist.")}

    def fail(self, key: str, **values: Any) -> NoReturn:
        super().fail(NO_ACCOUNT if key == "does_not_exist" else key, **values)


class IdentityName(serializers.CharField):
    """Who an identity is, in words. Of a list, the names of all its rows are read together."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: str) -> str:
        names = self.root.__dict__.setdefault("names_of_identities", {})
        if value and value not in names:
            names.update(names_of(self._identities() | {value}))
        return str(names.get(value, ""))

    def _identities(self) -> set[str]:
        """Of all rows and fields that are shown together with this one."""
        rows = self.root.instance if isinstance(self.root, serializers.ListSerializer) else None
        parent = cast(serializers.Serializer, self.parent)
        sources = [str(field.source) for field in parent.fields.values() if isinstance(field, IdentityName)]
        return {identity for row in rows or () for source in sources if (identity := getattr(row, source, ""))}
