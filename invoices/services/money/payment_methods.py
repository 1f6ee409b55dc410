"""Add, choose and disable payment methods. The gateway confirms a token before it is stored."""

import logging
from collections.abc import Mapping
from copy import copy
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.callers import Caller
from accounts.kinds import ELECTRONIC_METHODS, ContactRole
from accounts.models import Account, Client, Contact, PaymentMethod
from accounts.rights import check_may_change
from accounts.services.accounts import lock_account, methods_with_token
from accounts.services.changing import change_row, planned_values
from accounts.trail import Act, record_acts, refusal
from accounts.validators import validate_no_card_number
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.gateways import gateway_named
from invoices.gateways.protocol import Holder, TokenRefused

logger = logging.getLogger(__name__)

ADDED, REFUSED = "payment_method.added", "payment_method.refused"


class Named(TypedDict, total=False):
    """What documents name of a payment method: the mandate of a direct debit, or the card."""

    mandate_reference: str
    debited_account: str
    card_digits: str
    card_network: str
    card_holder: str


def add_payment_method(
    *,
    client: Client,
    account_no: int,
    caller: Caller,
    type: str,
    token: str = "",
    label: str = "",
    is_default: bool = False,
    is_disabled: bool = False,
    **named: Unpack[Named],
) -> PaymentMethod:
    """Add a payment method to an account and return it. An electronic one is used for collections from now on, unless another
    one is chosen for them, or this one is disabled. With `is_default`, it is chosen itself. `named` is what documents
    name of it.

    The client's gateway is asked to keep the token, outside any transaction, and the token that it returns is stored. If it
    refuses or does not answer (90020), only an event is written. Refuses an unknown account (1009), and a caller who may not
    add payment methods (90009). A card number is a validation error, before the gateway is called.
    """
    account = Account.objects.filter(client=client, pk=account_no).first()
    if account is None:
        raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, Detail("acct_no {account_no}", account_no=account_no), field="acct_no")
    check_may_change(caller, "add", "accounts.paymentmethod")
    method = PaymentMethod(account=account, type=type, token=token, label=label, is_disabled=is_disabled, **named)
    check_payment_method(method, is_default=is_default)
    if method.token and method.type in ELECTRONIC_METHODS:
        try:
            method.token = _kept(client, method)
        except BillingError as error:
            record_acts(client, caller, [refusal(REFUSED, error, account_no=account_no)])
            raise
    with transaction.atomic():
        lock_account(account.pk)
        if is_default:
            _choose_no_other(method, caller)
            method.is_default = True
        _check(method)
        method.save()
        after = {"payment_method": method.pk, "type": str(method.type), "label": method.label}
        record_acts(client, caller, [Act(ADDED, account_no, after=after, row_no=method.pk)])
    return method


def change_payment_method(method: PaymentMethod, values: Mapping[str, Any], *, caller: Caller) -> None:
    """Change a locked payment method. If it is chosen for collections, no other one of the account is.

    Refuses as `change_row` does; as validation errors a label that is a card number, the choice of one that cannot collect, and
    disabling the one that collections use.
    """
    _check_label(values.get("label", method.label))
    if values.get("is_default") and not method.is_default:
        check_payment_method(method, is_default=True)
        _choose_no_other(method, caller)
    change_row(method, values, caller=caller)


def planned_method_change(method: PaymentMethod, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values that differ from the method's, as `change_payment_method` would store them. Writes nothing.

    Refuses what it refuses. That another one is chosen now is no reason to: this one takes its place.
    """
    chosen = values.get("is_default", method.is_default)
    if chosen and not method.is_default:
        check_payment_method(method, is_default=True)
    if chosen and values.get("is_disabled", method.is_disabled):
        raise ValidationError({"is_disabled": _("Collections use this payment method, so it cannot be disabled.")})
    unchosen = copy(method)
    unchosen.is_default = False
    planned = planned_values(unchosen, {name: value for name, value in values.items() if name != "is_default"})
    return planned if chosen == method.is_default else {**planned, "is_default": chosen}


def _choose_no_other(method: PaymentMethod, caller: Caller) -> None:
    """Let collections use none of the account's payment methods. The account must be locked."""
    for other in PaymentMethod.objects.filter(account=method.account_id, is_default=True):
        change_row(other, {"is_default": False}, caller=caller)


def check_payment_method(method: PaymentMethod, *, is_default: bool) -> None:
    """Refuse as validation errors a row that is not valid, a label or token that is a card number, and the choice of one for
    collections that cannot collect."""
    _check(method)
    if is_default and (method.type not in ELECTRONIC_METHODS or not method.token):
        raise ValidationError({"is_default": _("Nothing can be collected by it: it has no token of a payment gateway.")})


def _check(method: PaymentMethod) -> None:
    """Validate the row. Neither the token nor the label may be a card number."""
    _check_label(method.label)
    method.full_clean()


def _check_label(label: str) -> None:
    try:
        validate_no_card_number(label)
    except ValidationError as error:
        raise ValidationError({"label": error}) from None


def _kept(client: Client, method: PaymentMethod) -> str:
    try:
        return gateway_named(client.gateway).keep_token(method.token, _holder(method.account))
    except TokenRefused as error:
        raise BillingError(ErrorCode.TOKEN_REFUSED, str(error), field="token") from None
    except Exception as error:
        # The error's text is not logged: a gateway's library may quote what it was sent.
        logger.error("gateway %s did not say whether it keeps a token: %s", client.gateway, type(error).__name__)
        raise BillingError(
            ErrorCode.TOKEN_REFUSED, Detail("the payment gateway does not answer; try again later"), field="token"
        ) from None


def _holder(account: Account) -> Holder:
    """Return the account with the name and e-mail address of its billing contact, or of its first contact."""
    contacts = Contact.objects.filter(account=account).order_by("contact_no")
    contact = min(contacts, key=lambda one: one.role != ContactRole.BILLING, default=None)
    tokens = methods_with_token().filter(account=account)
    return Holder(
        account.pk,
        contact.name if contact is not None else account.client_acct_id,
        contact.email if contact is not None else "",
        tokens.order_by("-pk").values_list("token", flat=True).first() or "",
    )
