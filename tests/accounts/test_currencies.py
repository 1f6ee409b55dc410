"""Currencies have the decimals of ISO 4217, also where CLDR follows the coins in use."""

from decimal import Decimal as D

import pytest
from babel import Locale
from django.core.exceptions import ValidationError

from accounts.rates import shown_rate
from accounts.validators import validate_currency
from billing_site.common.currencies import ACTIVE_CURRENCIES, currency_of, shown_money
from invoices.calculation import rounded

# List one of ISO 4217 as of 2026, by minor unit.
BY_MINOR_UNIT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC
CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW
KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN
UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
""",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_UNITS = [(code, decimals) for decimals, codes in BY_MINOR_UNIT.items() for code in codes.split()]


def test_the_table_holds_every_active_currency():
    assert len(MINOR_UNITS) == 166
    assert {code.lower() for code, _ in MINOR_UNITS} == ACTIVE_CURRENCIES


@pytest.mark.parametrize(("code", "decimals"), MINOR_UNITS)
def test_every_active_currency_is_taken_and_has_its_minor_unit(code, decimals):
    validate_currency(code.lower())
    assert currency_of(code.lower()).exponent == decimals
    assert currency_of(code.lower()).smallest_unit == D(1).scaleb(-decimals)
    right = {0: "1235", 2: "1234.57", 3: "1234.567", 4: "1234.5668"}[decimals]
    assert str(rounded(D("1234.56678"), currency_of(code.lower()))) == right
    assert shown_rate(D(5), code.lower()) == {0: "5", 2: "5.00", 3: "5.000", 4: "5.0000"}[decimals]
    shown = shown_money(D(right), code.lower(), Locale("en", "US"))
    assert shown.endswith(f"1,{right[1:]}"), shown


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "shown"),
    [
        ("1234.56", "rsd", "en_US", "RSD1,234.56"),
        ("-1234.5", "rsd", "sr_Latn_RS", "-1.234,50\xa0RSD"),
        ("10.125", "iqd", "en_US", "IQD10.125"),
        ("0", "lbp", "en_US", "LBP0.00"),
        ("1234", "jpy", "de_DE", "1.234\xa0¥"),
        ("1234567.5", "inr", "en_IN", "₹12,34,567.50"),
    ],
)
def test_money_is_written_with_all_its_decimals(amount, currency, locale, shown):
    assert shown_money(D(amount), currency, Locale.parse(locale)) == shown


@pytest.mark.parametrize(
    ("price", "currency", "shown"), [("0.0125", "usd", "$0.0125"), ("30", "usd", "$30.00"), ("7.5", "rsd", "RSD7.50")]
)
def test_a_price_has_the_decimals_of_its_currency_at_least(price, currency, shown):
    assert shown_money(D(price), currency, Locale("en", "US"), all_decimals=True) == shown


@pytest.mark.parametrize("code", ["itl", "byr", "luf"])
def test_withdrawn_currencies_keep_the_whole_units_they_had(code):
    validate_currency(code)
    assert currency_of(code).exponent == 0


@pytest.mark.parametrize("code", ["USD", "zzz", "us", "usdx", "", "zzw"])
def test_what_is_no_currency_is_refused(code):
    with pytest.raises(ValidationError):
        validate_currency(code)
