"""Bill charges at once: an invoice of its own, beside the account's cycles."""

from collections.abc import Collection, Sequence
from datetime import date
from operator import attrgetter

from accounts.callers import Caller
from accounts.models import Account, Client
from accounts.rights import check_may_change
from accounts.services.accounts import find_account_no
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.models import OneTimeCharge
from invoices.plan.facts import BillingRequest, OneOff, OrderFacts, ServiceFacts
from invoices.services.billing.generating import generate_invoice
from invoices.services.billing.one_time_charges import NewCharge, check_terms, id_used
from invoices.services.documents.rights import check_may_generate
from invoices.services.planning.extras import references_of
from invoices.services.planning.instance_facts import SERVICE_COLUMNS


def one_off_request(
    *,
    client: Client,
    account_no: int,
    today: date,
    charges: Sequence[NewCharge] = (),
    order_nos: Collection[int] = (),
    force_pending: bool = False,
) -> BillingRequest:
    """Return the request to bill new charges and stored ones at once. Preview it with `preview_invoice`.

    Refuses an unknown account (1009), no charge at all (1010), a stored charge that does not exist (1002) or that an invoice
    holds (90016), the same one twice (1016), and what `add_one_time_charge` refuses of a new charge.
    """
    account = Account.objects.get(pk=find_account_no(client, account_no))
    if not charges and not order_nos:
        raise BillingError(ErrorCode.MISSING_PARAMETER, field="charges")
    _check_stored(account, order_nos)
    _check_ids(account, charges)
    new = []
    for place, charge in enumerate(charges, 1):
        order = OneTimeCharge(account=account, charge_date=today, **charge._asdict())
        check_terms(order)
        new.append(_facts_of(order, -place))
    one_off = OneOff(tuple(new), tuple(sorted(order_nos)))
    return BillingRequest(today, force_pending=force_pending, one_off=one_off)


def bill_one_off(
    *,
    client: Client,
    account_no: int,
    caller: Caller,
    today: date,
    charges: Sequence[NewCharge] = (),
    order_nos: Collection[int] = (),
    force_pending: bool = False,
    collect: bool | None = None,
    seen: str = "",
) -> int:
    """Bill charges of an account at once, and return the invoice's number. It moves no date, and may be pending or issued.

    The new charges are stored in the same transaction, so a refusal writes nothing but its event. `collect` and `seen` are
    those of `generate_invoice`. Refuses a caller who may not generate (90009) or, with new charges, may not order (90009), what
    `one_off_request` and `check_billable` refuse, charges that do not fit on one invoice (90270), and what the tax engine
    refuses.
    """
    check_may_generate(caller)
    if charges:
        check_may_change(caller, "add", "invoices.onetimecharge")
    request = one_off_request(
        client=client,
        account_no=account_no,
        today=today,
        charges=charges,
        order_nos=order_nos,
        force_pending=force_pending,
    )
    number = generate_invoice(client=client, account_no=account_no, request=request, caller=caller, collect=collect, seen=seen)
    if number is None:
        raise BillingError(ErrorCode.IN_PROGRESS)
    return number


def _check_stored(account: Account, order_nos: Collection[int]) -> None:
    held = dict(OneTimeCharge.objects.filter(account=account, pk__in=order_nos).values_list("pk", "invoice"))
    if len(set(order_nos)) != len(order_nos):
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("the same charge twice"), field="order_nos")
    for number in order_nos:
        if number not in held:
            detail = Detail("order {order_no} of account {account_no}", order_no=number, account_no=account.pk)
            raise BillingError(ErrorCode.NO_DATA, detail, field="order_nos")
        if held[number] is not None:
            detail = Detail("order {order_no} is on invoice {invoice}", order_no=number, invoice=held[number])
            raise BillingError(ErrorCode.ON_AN_INVOICE, detail, field="order_nos")


def _check_ids(account: Account, charges: Sequence[NewCharge]) -> None:
    """Refuse (90013) a client's own id that another charge of the account has, a stored one or one of the same act."""
    ids = [one.client_order_id for one in charges if one.client_order_id]
    stored = OneTimeCharge.objects.filter(account=account, client_order_id__in=ids)
    taken = set(stored.values_list("client_order_id", flat=True))
    for one in ids:
        if one in taken:
            raise id_used(one)
        taken.add(one)


_service_facts = attrgetter("pk", *(column.removeprefix("service__") for column in SERVICE_COLUMNS[1:]))


def _facts_of(order: OneTimeCharge, number: int) -> OrderFacts:
    return OrderFacts(
        number,
        order.client_order_id,
        order.description,
        ServiceFacts._make(_service_facts(order.service)),
        order.units,
        order.rate_per_unit,
        order.charge_date,
        order.po_num,
        references_of(order),
    )
