"""Redeem coupons, once per account and within their limits, and withdraw redemptions that no invoice has used."""

from datetime import date

from django.db.models import Count, Max

from accounts.callers import Caller
from accounts.models import Account, Client
from accounts.rights import check_may_change
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import LIVE_STATUSES
from invoices.models import Coupon, CouponRedemption, CouponUse
from invoices.services.documents.account_acts import account_act, billing_changed
from invoices.services.planning.extras import redemptions_with_used

REDEEMED, WITHDRAWN, REFUSED = "coupon.redeemed", "coupon.withdrawn", "coupon.refused"


def redeem_coupon(*, client: Client, account_no: int, caller: Caller, code: str, today: date) -> CouponRedemption:
    """Redeem a coupon for an account, and return the redemption. The coupon's row is locked, so its limit is kept.

    Refuses a caller who may not redeem coupons (90009), an unknown account (1009) or coupon (1002), a coupon that is not valid
    today or is used up (90015), one in another currency (90007), and one that the account has redeemed before (90014).
    """
    with account_act(client, account_no, caller, REFUSED) as account:
        check_may_change(caller, "add", "invoices.couponredemption")
        Coupon.objects.select_for_update(no_key=True).filter(client=client, code=code).first()
        redemption = planned_redemption(account, code, today)
        coupon = redemption.coupon
        redemption.save()
        after = {"code": coupon.code, "redemption_no": redemption.redemption_no}
        record_acts(client, caller, [Act(REDEEMED, account.pk, after=after, row_no=redemption.pk)])
        return redemption


def planned_redemption(account: Account, code: str, today: date) -> CouponRedemption:
    """Return a redemption as `redeem_coupon` would store it. Writes nothing. Refuses the same, rights aside."""
    coupon = Coupon.objects.filter(client=account.client_id, code=code).first()
    if coupon is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("coupon {code} does not exist", code=code), field="code")
    _check_redeemable(coupon, account, today)
    number = _free_number(coupon)
    if coupon.max_redemptions is not None and number > coupon.max_redemptions:
        raise _closed(coupon, Detail("it is already redeemed {number} times, its limit", number=coupon.max_redemptions))
    return CouponRedemption(coupon=coupon, account=account, redemption_no=number, redeemed_on=today)


def _free_number(coupon: Coupon) -> int:
    """Return the lowest free number. A withdrawn redemption leaves its number to the next one."""
    taken = coupon.redemptions.aggregate(count=Count("pk"), last=Max("redemption_no"))
    if taken["last"] in (None, taken["count"]):
        return int(taken["count"]) + 1
    numbers = coupon.redemptions.order_by("redemption_no").values_list("redemption_no", flat=True)
    return next(place for place, number in enumerate(numbers.iterator(), 1) if place != number)


def _check_redeemable(coupon: Coupon, account: Account, today: date) -> None:
    if today < coupon.valid_from:
        raise _closed(coupon, Detail("it starts on {day}", day=coupon.valid_from))
    if coupon.valid_to is not None and today > coupon.valid_to:
        raise _closed(coupon, Detail("it ended on {day}", day=coupon.valid_to))
    if coupon.currency not in ("", account.currency):
        raise BillingError(
            ErrorCode.CURRENCY_MISMATCH,
            Detail(
                "coupon {code} is in {currency}, the account in {other}",
                code=coupon.code,
                currency=coupon.currency,
                other=account.currency,
            ),
            field="code",
        )
    if CouponRedemption.objects.filter(coupon=coupon, account=account).exists():
        raise BillingError(ErrorCode.COUPON_REDEEMED, Detail("coupon {code}", code=coupon.code), field="code")


def _closed(coupon: Coupon, why: Detail) -> BillingError:
    return BillingError(ErrorCode.COUPON_CLOSED, Detail("coupon {code}, {why}", code=coupon.code, why=why), field="code")


def check_limits(coupon: Coupon) -> None:
    """Refuse what `check_limits_of` refuses. Locks the coupon, so that it cannot be redeemed meanwhile."""
    Coupon.objects.select_for_update(no_key=True).get(pk=coupon.pk)
    check_limits_of(coupon)


def check_limits_of(coupon: Coupon) -> None:
    """Refuse (1016) limits below what is already used, and (90007) a currency that an account with the coupon does not have."""
    last = coupon.redemptions.aggregate(last=Max("redemption_no"))["last"] or 0
    if coupon.max_redemptions is not None and coupon.max_redemptions < last:
        raise _below(last, "max_redemptions")
    most = redemptions_with_used(coupon.redemptions.all()).aggregate(most=Max("used"))["most"] or 0
    if coupon.cycles is not None and coupon.cycles < most:
        raise _below(most, "cycles")
    others = coupon.redemptions.exclude(account__currency=coupon.currency) if coupon.currency else coupon.redemptions.none()
    if (other := others.values_list("account__currency", flat=True).first()) is not None:
        detail = Detail(
            "accounts in {other} have redeemed coupon {code}, so its amount cannot be in {currency}",
            code=coupon.code,
            other=other,
            currency=coupon.currency,
        )
        raise BillingError(ErrorCode.CURRENCY_MISMATCH, detail, field="currency")


def _below(used: int, field: str) -> BillingError:
    return BillingError(
        ErrorCode.INVALID_INPUT,
        Detail("{field}: {used} are already used; give {used} or more", field=field, used=used),
        field=field,
    )


def withdraw_redemption(*, client: Client, redemption_no: int, caller: Caller) -> None:
    """Withdraw a redemption, so that the coupon can be redeemed again.

    Refuses an unknown redemption (1002), a caller who may not withdraw it (90009), and one that a live invoice uses (90016).
    """
    redemption = CouponRedemption.objects.filter(coupon__client=client, pk=redemption_no).select_related("coupon").first()
    if redemption is None:
        raise BillingError(
            ErrorCode.NO_DATA, Detail("coupon redemption {redemption_no} does not exist", redemption_no=redemption_no)
        )
    with account_act(client, redemption.account_id, caller, REFUSED) as account:
        check_may_change(caller, "delete", "invoices.couponredemption")
        if not CouponRedemption.objects.filter(pk=redemption_no).exists():
            raise BillingError(
                ErrorCode.NO_DATA, Detail("coupon redemption {redemption_no} does not exist", redemption_no=redemption_no)
            )
        check_can_be_withdrawn(redemption)
        # The uses on discarded, voided and rebilled invoices are deleted too. Their lines still name the coupon.
        CouponUse.objects.filter(redemption=redemption).delete()
        CouponRedemption.objects.filter(pk=redemption.pk).delete()
        billing_changed(account)
        record_acts(client, caller, [Act(WITHDRAWN, account.pk, before={"code": redemption.coupon.code})])


def check_can_be_withdrawn(redemption: CouponRedemption) -> None:
    """Refuse (90016) a redemption that a live invoice uses."""
    uses = CouponUse.objects.filter(redemption=redemption, invoice__status__in=LIVE_STATUSES, is_given_back=False)
    live = uses.values_list("invoice_id", flat=True).first()
    if live is not None:
        raise BillingError(
            ErrorCode.ON_AN_INVOICE,
            Detail("coupon {code} is on invoice {invoice_no}", code=redemption.coupon.code, invoice_no=live),
        )
