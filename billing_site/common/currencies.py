"""PURE: currencies as amounts are calculated in them (ISO 4217's minor units), and amounts as a reader writes them.

Babel's numbers come from CLDR and follow the coins in use: it would write 1,234.56 Serbian dinars as 1,235.
"""

from copy import copy
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache, cached_property

from babel import Locale
from babel.numbers import list_currencies

from billing_site.common.units import padded

DEFAULT_DECIMALS = 2

# Amounts are stored with 15 digits, 4 of them decimals.
AMOUNT_PLACES = 4
LARGEST_AMOUNT = Decimal("99999999999.9999")

ROUNDING = ROUND_HALF_UP
"""How amounts are rounded: half up, which is away from zero."""

_ROOMY = Context(prec=100, rounding=ROUNDING)

_ACTIVE = {
    0: "bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf",
    2: """
    aed afn all amd aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob bov brl bsd btn bwp byn bzd cad cdf che chf chw cny cop cou
    crc cup cve czk dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gtq gyd hkd hnl htg huf idr ils inr irr jmd kes kgs
    khr kpw kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mru mur mvr mwk mxn mxv myr mzn nad ngn nio nok npr nzd pab
    pen pgk php pkr pln qar ron rsd rub sar sbd scr sdg sek sgd shp sle sos srd ssp stn svc syp szl thb tjs tmt top try ttd twd
    tzs uah usd usn uyu uzs ved ves wst xad xcd xcg yer zar zmw zwg
    """,
    3: "bhd iqd jod kwd lyd omr tnd",
    4: "clf uyw",
}
# Codes that ISO 4217 has withdrawn, and that had no minor unit. Old documents may have them.
_WITHDRAWN = {0: "adp bef byb byr esp grd itl luf mgf pte tpe trl"}

ACTIVE_CURRENCIES = frozenset(code for codes in _ACTIVE.values() for code in codes.split())
"""The codes of ISO 4217's list one that have a minor unit: currencies and funds, without metals and test codes."""

_DECIMALS = {code: decimals for table in (_WITHDRAWN, _ACTIVE) for decimals, codes in table.items() for code in codes.split()}


@dataclass(frozen=True)
class Currency:
    """A currency as amounts are calculated in it.

    `exponent` is its number of decimals: 0 for JPY, 2 for USD, 3 for KWD. `rounding` is one of the roundings of `decimal`.
    """

    code: str
    exponent: int
    rounding: str

    def __str__(self) -> str:
        return self.code

    @cached_property
    def smallest_unit(self) -> Decimal:
        """1 for JPY, 0.01 for USD, 0.001 for KWD."""
        return Decimal(1).scaleb(-self.exponent)


@cache
def currency_of(code: str) -> Currency:
    """Return the currency of a code, the only way to make one. A code without a minor unit of its own has 2 decimals.

    The code is kept in the case in which it is given. Unknown codes are not refused: validate_currency does that.
    """
    return Currency(code, _DECIMALS.get(code.lower(), DEFAULT_DECIMALS), ROUNDING)


def rounded_to(number: Decimal, places: int) -> Decimal:
    """Return the number rounded half up to `places` decimals. A number larger than any column is returned unchanged."""
    if not isinstance(exponent := number.as_tuple().exponent, int) or exponent >= -places or number.adjusted() > 50:
        return number
    return number.quantize(Decimal(1).scaleb(-places), context=_ROOMY)


def is_currency(code: str) -> bool:
    """Whether ISO 4217 has or had this code. It is in lower case."""
    return code in ACTIVE_CURRENCIES or (code == code.lower() and code.upper() in list_currencies())


def named_amount(amount: Decimal, currency: str) -> Decimal:
    """Return an amount for a sentence that names no symbol: 60 if it is whole, else with at least the decimals of its currency:
    30.90 of USD."""
    number = padded(amount, 0)
    return number if number == number.to_integral_value() else padded(number, currency_of(currency).exponent)


def shown_money(amount: Decimal, currency: str, locale: Locale, *, all_decimals: bool = False) -> str:
    """Return the amount with the currency's symbol in the locale's format, rounded to the currency's decimals.

    With `all_decimals` it keeps all its decimals, and at least the currency's: a price of $0.0125.
    """
    pattern = copy(locale.currency_formats["standard"])
    decimals = currency_of(currency).exponent
    pattern.frac_prec = (decimals, decimals)
    return str(
        pattern.apply(
            amount.normalize() if all_decimals else amount,
            locale,
            currency=currency.upper(),
            currency_digits=False,
            decimal_quantization=not all_decimals,
        )
    )
