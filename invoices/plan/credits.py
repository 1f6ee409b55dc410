"""PURE: reduce charges by coupons, percents before amounts, and then by service credits.

None reduces a line below zero. The unused part of a coupon is lost; that of a service credit is kept.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from billing_site.common.currencies import Currency
from invoices.basis import CoverBasis
from invoices.calculation import HUNDRED, exact_share, rounded, total
from invoices.kinds import LineType
from invoices.plan.charges import percent_of
from invoices.plan.drafts import CouponClaim, CreditClaim, Lines
from invoices.plan.facts import CouponFacts, CreditFacts
from invoices.plan.rating import shown


def add_coupons(lines: Lines, coupons: Iterable[CouponFacts]) -> list[CouponClaim]:
    """Add percent coupons, each on what the ones before have left, then amounts, in the order of redemption. Returns their
    uses."""
    claims = []
    for coupon in sorted(coupons, key=lambda one: (one.percent is None, one.redemption_no)):
        line_nos = lines.charging_for(coupon.service_nos)
        base = total(lines.left[line_no] for line_no in line_nos)
        amount, explanation = _off(coupon, base, lines.currency)
        if amount:
            line_no = lines.reduce(
                LineType.COUPON.value,
                coupon.name,
                amount,
                line_nos,
                gl_code=coupon.gl_code,
                coupon_code=coupon.code,
                percent=coupon.percent,
                base_amount=None if coupon.percent is None else base,
                explanation=explanation,
            )
            claims.append(CouponClaim(coupon.redemption_no, line_no))
            whole = None if coupon.amount is None else rounded(coupon.amount, lines.currency)
            lines.covers.append(
                CoverBasis(line_no, tuple(sorted(coupon.service_nos)), whole if coupon.percent is None else None)
            )
    return claims


def _off(coupon: CouponFacts, base: Decimal, currency: Currency) -> tuple[Decimal, str]:
    if coupon.percent is not None:
        return percent_off(coupon.percent, base, currency)
    return amount_off(rounded(coupon.amount or Decimal(0), currency), base, currency)


def percent_off(percent: Decimal, base: Decimal, currency: Currency) -> tuple[Decimal, str]:
    """Return a percentage of the base, and its explanation."""
    return rounded(exact_share(base, percent, HUNDRED), currency), percent_of(percent, base, currency)


def amount_off(whole: Decimal, base: Decimal, currency: Currency) -> tuple[Decimal, str]:
    """Return the amount, limited to the base, and an explanation if part of it is lost."""
    amount = min(whole, base)
    return amount, "" if amount == whole else f"of {shown(whole, currency)}, the rest is lost"


def add_service_credits(lines: Lines, credits: Iterable[CreditFacts], bill_date: date) -> list[CreditClaim]:
    """Add service credits that have not expired by the bill date. The one that expires first is used first. Returns their
    uses."""
    claims = []
    for credit in sorted(credits, key=lambda one: (one.expires_on or date.max, one.credit_no)):
        if credit.expires_on is not None and credit.expires_on < bill_date:
            continue
        service_nos = () if credit.service_no is None else (credit.service_no,)
        line_nos = lines.charging_for(service_nos)
        amount = min(credit.left, total(lines.left[line_no] for line_no in line_nos))
        if amount:
            rest = shown(credit.left - amount, lines.currency)
            line_no = lines.reduce(
                LineType.SERVICE_CREDIT.value,
                credit.reason,
                amount,
                line_nos,
                gl_code=credit.gl_code,
                explanation=f"of {shown(credit.amount, lines.currency)}, {rest} left",
            )
            claims.append(CreditClaim(credit.credit_no, line_no, amount))
            lines.covers.append(CoverBasis(line_no, service_nos, amount))
    return claims
