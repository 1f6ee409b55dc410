"""Add service credits to accounts, and let them expire. Invoices use them before tax."""

from datetime import date
from decimal import Decimal

from accounts.callers import Caller
from accounts.models import Account, Client, Service
from accounts.rights import check_may_change
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import asked_amount, rounded
from invoices.kinds import LIVE_STATUSES
from invoices.models import CreditUse, ServiceCredit
from invoices.services.documents.account_acts import account_act, billing_changed

ADDED, EXPIRED, REFUSED = "credit.added", "credit.expired", "credit.refused"


def add_service_credit(
    *,
    client: Client,
    account_no: int,
    caller: Caller,
    today: date,
    amount: Decimal,
    reason: str,
    service: Service | None = None,
    gl_code: str = "",
    expires_on: date | None = None,
) -> ServiceCredit:
    """Add an amount that reduces the charges of the account's next invoices until it is used up or expires. Returns the credit.

    Refuses an unknown account (1009), a caller who may not add service credits (90009), a service of another client (1002), and
    an amount or date that is not valid (1016).
    """
    with account_act(client, account_no, caller, REFUSED) as account:
        check_may_change(caller, "add", "invoices.servicecredit")
        credit = planned_credit(
            account, today=today, amount=amount, reason=reason, service=service, gl_code=gl_code, expires_on=expires_on
        )
        credit.save()
        after = {"credit_no": credit.pk, "amount": str(credit.amount), "reason": reason, "expires_on": expires_on}
        record_acts(client, caller, [Act(ADDED, account.pk, after=after, row_no=credit.pk)])
        return credit


def planned_credit(
    account: Account,
    *,
    today: date,
    amount: Decimal,
    reason: str,
    service: Service | None,
    expires_on: date | None,
    gl_code: str = "",
) -> ServiceCredit:
    """Return a credit as `add_service_credit` would store it. Writes nothing. Refuses the same, rights aside."""
    if service is not None and service.client_id != account.client_id:
        raise BillingError(ErrorCode.NO_DATA, Detail("service {service} does not exist", service=service.pk), field="service")
    amount = asked_amount(amount, account.billing_currency)
    if amount <= 0 or amount != rounded(amount, account.billing_currency):
        detail = Detail(
            "amount: {amount} must be above 0 and a multiple of the smallest unit of {currency}",
            amount=amount,
            currency=account.currency,
        )
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="amount")
    if expires_on is not None and expires_on < today:
        raise BillingError(
            ErrorCode.INVALID_INPUT,
            Detail("expires_on: {expires_on} is in the past; give today or a later day", expires_on=expires_on),
            field="expires_on",
        )
    credit = ServiceCredit(
        account=account, amount=amount, reason=reason, service=service, gl_code=gl_code, expires_on=expires_on
    )
    credit.full_clean()
    return credit


def expire_service_credit(*, client: Client, credit_no: int, caller: Caller, expires_on: date | None) -> ServiceCredit:
    """Set the last bill date on which a credit may be used, and return the credit. What invoices have used of it does not
    change.

    Refuses an unknown credit (1002), a caller who may not change it (90009), and a day before the bill date of an invoice that
    uses it (1016).
    """
    found = ServiceCredit.objects.filter(account__client=client, pk=credit_no).first()
    if found is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("service credit {credit_no} does not exist", credit_no=credit_no))
    with account_act(client, found.account_id, caller, REFUSED) as account:
        check_may_change(caller, "change", "invoices.servicecredit")
        before = {"credit_no": found.pk, "expires_on": ServiceCredit.objects.get(pk=found.pk).expires_on}
        credit = planned_expiry(found.pk, expires_on)
        credit.save(update_fields=["expires_on"])
        billing_changed(account)
        after = {"credit_no": credit.pk, "expires_on": expires_on}
        record_acts(client, caller, [Act(EXPIRED, account.pk, before=before, after=after, row_no=credit.pk)])
        return credit


def planned_expiry(credit_no: int, expires_on: date | None) -> ServiceCredit:
    """Return a credit as `expire_service_credit` would store it. Writes nothing. Refuses the same, rights aside."""
    credit = ServiceCredit.objects.get(pk=credit_no)
    _check_not_used_after(credit, expires_on)
    credit.expires_on = expires_on
    credit.full_clean()
    return credit


def _check_not_used_after(credit: ServiceCredit, expires_on: date | None) -> None:
    uses = CreditUse.objects.filter(credit=credit, invoice__status__in=LIVE_STATUSES, is_given_back=False)
    uses = uses.order_by("-invoice__bill_date")
    for invoice_no, bill_date in uses.values_list("invoice_id", "invoice__bill_date")[:1]:
        if expires_on is not None and expires_on < bill_date:
            detail = Detail(
                "expires_on: invoice {invoice_no} of {bill_date} already uses the credit; give {bill_date} or a later day",
                invoice_no=invoice_no,
                bill_date=bill_date,
            )
            raise BillingError(ErrorCode.INVALID_INPUT, detail, field="expires_on")
