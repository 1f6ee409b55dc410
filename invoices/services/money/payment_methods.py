"""Add payment methods. The gateway confirms a token before it is stored."""

import logging

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.callers import Caller
from accounts.kinds import ELECTRONIC_METHODS, ContactRole
from accounts.models import Account, Client, Contact, PaymentMethod
from accounts.rights import check_may_change
from accounts.services.accounts import electronic_methods
from accounts.trail import Act, record_acts, refusal
from accounts.validators import validate_no_card_number
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.gateways import gateway_named
from invoices.gateways.protocol import Holder, TokenRefused

logger = logging.getLogger(__name__)

ADDED, REFUSED = "payment_method.added", "payment_method.refused"


def add_payment_method(
    *, client: Client, account_no: int, caller: Caller, type: str, token: str = "", label: str = ""
) -> PaymentMethod:
    """Add a payment method to an account and return it. An electronic one is used for collections from now on.

    The client's gateway is asked to keep the token, outside any transaction, and the token that it returns is stored. If it
    refuses or does not answer (90020), only an event is written. Refuses an unknown account (1009), and a caller who may not
    add payment methods (90009). A card number is a validation error, before the gateway is called.
    """
    account = Account.objects.filter(client=client, pk=account_no).first()
    if account is None:
        raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, Detail("acct_no {account_no}", account_no=account_no), field="acct_no")
    check_may_change(caller, "add", "accounts.paymentmethod")
    method = PaymentMethod(account=account, type=type, token=token, label=label)
    _check(method)
    if method.token and method.type in ELECTRONIC_METHODS:
        try:
            method.token = _kept(client, method)
        except BillingError as error:
            record_acts(client, caller, [refusal(REFUSED, error, account_no=account_no)])
            raise
    with transaction.atomic():
        _check(method)
        method.save()
        after = {"payment_method": method.pk, "type": str(method.type), "label": method.label}
        record_acts(client, caller, [Act(ADDED, account_no, after=after, row_no=method.pk)])
    return method


def _check(method: PaymentMethod) -> None:
    """Validate the row. Neither the token nor the label may be a card number."""
    try:
        validate_no_card_number(method.label)
    except ValidationError as error:
        raise ValidationError({"label": error}) from None
    method.full_clean()


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
    tokens = electronic_methods().filter(account=account)
    return Holder(
        account.pk,
        contact.name if contact is not None else account.client_acct_id,
        contact.email if contact is not None else "",
        tokens.order_by("-pk").values_list("token", flat=True).first() or "",
    )
