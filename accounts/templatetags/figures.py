"""Template tags for money, numbers and dates in the reader's format, and for icons."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_compact_currency, format_decimal, format_percent
from django import template
from django.http import QueryDict
from django.templatetags.static import static
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from stdnum.iban import format as grouped

from billing_site.common.currencies import currency_of, rounded_to, shown_money
from billing_site.errors import shown_detail, shown_message

register = template.Library()
NOTHING = "–"
COMPANY_NUMBERS = {"tax_id": _("Tax id %(number)s"), "registration_number": _("Registration %(number)s")}


@register.filter
def recorded_message(row: Any) -> str:
    """The recorded message of an error, with its number in `error_code` if it has one, in the reader's language."""
    return shown_message(getattr(row, "error_code", 0), row.message, getattr(row, "detail", ""))


@register.filter
def shown(text: str) -> str:
    """A recorded text in the reader's language, as far as it is a detail."""
    return str(shown_detail(text))


@register.filter
def sentence(text: str) -> str:
    """A message with the full stop that it lacks, for use before another sentence."""
    return text if text.endswith((".", "!", "?", ":")) or not text else f"{text}."


@register.filter
def party_name(party: Mapping[str, str]) -> str:
    """Return the first line of a printed party: the company, else the name, else a dash."""
    return party.get("company") or party.get("name") or NOTHING


@register.filter
def party_lines(party: Mapping[str, str]) -> list[str]:
    """Return the printed lines of a party without empty ones: company, name, street, place, tax id and registration."""
    place = (party.get(part) for part in ("city", "region", "postal_code", "country"))
    names = ("legal_name",) if party.get("legal_name") else ("company", "name")
    lines = (party.get(part) for part in (*names, "address1", "address2"))
    numbers = (text % {"number": party[part]} for part, text in COMPANY_NUMBERS.items() if party.get(part))
    return [line for line in (*lines, " ".join(filter(None, place)), *numbers) if line]


@register.filter
def bank_details(party: Mapping[str, str]) -> str:
    """The account that customers transfer money to, with its IBAN in groups of four. Empty where there is none."""
    iban = party.get("iban", "")
    if not iban:
        return ""
    parts = [party.get("bank_name", ""), f"IBAN {grouped(iban)}", f"BIC {party['bic']}" if party.get("bic") else ""]
    return ", ".join(filter(None, parts))


@register.simple_tag(takes_context=True)
def money(context: Any, amount: Decimal | None, currency: str) -> str:
    """Return an amount with its currency's decimals in the reader's format. In e-mails without a symbol: 1234.50, 1234,50."""
    if amount is None:
        return NOTHING
    if "locale" not in context:
        exponent = currency_of(currency).exponent
        return number_format(rounded_to(amount, exponent), exponent)
    return shown_money(amount, currency, context["locale"])


@register.filter
def smallest_units(amount: Decimal, currency: str) -> int:
    """Return an amount in whole smallest units of its currency, so that the browser can add amounts up exactly."""
    return int(amount / currency_of(currency).smallest_unit)


@register.filter
def decimals(currency: str) -> int:
    """Return the decimals that the browser writes. Its own numbers differ from ISO 4217."""
    exponent: int = currency_of(currency).exponent
    return exponent


@register.simple_tag(takes_context=True)
def short_money(context: Any, amount: Decimal, currency: str) -> str:
    """Return a round amount for the scale of a chart: $20K."""
    return format_compact_currency(amount, currency.upper(), locale=context["locale"], fraction_digits=1).replace(".0", "")


@register.simple_tag(takes_context=True)
def month(context: Any, value: date, *, pattern: str = "LLL yyyy") -> str:
    return format_date(value, pattern, locale=context["locale"])


@register.simple_tag(takes_context=True)
def signed_money(context: Any, amount: Decimal | None, currency: str) -> str:
    """Return a difference with its sign, also if positive."""
    shown = money(context, amount, currency)
    return f"+{shown}" if amount is not None and amount > 0 else shown


@register.simple_tag(takes_context=True)
def rate(context: Any, value: Decimal | None, currency: str) -> str:
    """Return the price of one unit with all its decimals, at least those of its currency."""
    if value is None:
        return NOTHING
    return shown_money(value, currency, context["locale"], all_decimals=True)


@register.simple_tag(takes_context=True)
def number(context: Any, value: Decimal | int | None) -> str:
    """Return a rate, units or a count without the trailing zeros that the database adds."""
    if value is None:
        return NOTHING
    decimals = value.normalize() if isinstance(value, Decimal) else Decimal(value)
    return format_decimal(decimals, format="#,##0.##########", locale=context["locale"])


@register.simple_tag(takes_context=True)
def signed_number(context: Any, value: int) -> str:
    """Return a difference of counts with its sign, also if positive."""
    return f"+{number(context, value)}" if value > 0 else number(context, value)


@register.simple_tag(takes_context=True)
def duration(context: Any, seconds: int) -> str:
    """Return a time span in its largest unit, in the reader's language: 3 minutes."""
    return format_timedelta(timedelta(seconds=seconds), threshold=1.5, locale=context["locale"])


@register.simple_tag(takes_context=True)
def percent(context: Any, value: Decimal | None) -> str:
    """Return a percentage with its sign: +12.5%."""
    if value is None:
        return NOTHING
    return format_percent(value / 100, format="+#,##0.#%;-#,##0.#%", locale=context["locale"])


@register.simple_tag(takes_context=True)
def day(context: Any, value: date | None) -> str:
    """Return a day in the reader's format. In e-mails as numbers, in the order of the language: 2026-01-31, 31.01.2026."""
    if value is None:
        return NOTHING
    if "locale" not in context:
        return date_format(value, gettext("Y-m-d"))
    return format_date(value, "medium", locale=context["locale"])


@register.simple_tag(takes_context=True)
def column_value(context: Any, value: Any) -> str:
    """Return the value of a column as it is shown before and after a change."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, datetime):
        return moment(context, value)
    if isinstance(value, date):
        return day(context, value)
    return number(context, value) if isinstance(value, Decimal) else str(value)


@register.simple_tag(takes_context=True)
def moment(context: Any, value: datetime | None) -> str:
    """Return a time in the client's time zone."""
    if value is None:
        return NOTHING
    client = context.get("client")
    zone = ZoneInfo(client.time_zone) if client else None
    return format_datetime(value, "medium", tzinfo=zone, locale=context["locale"])


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return an icon. Screen readers skip it, because the text beside it says the same."""
    address = static("vendor/tabler-icons/icons.svg")
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', address, name)


@register.simple_tag(takes_context=True)
def query(context: Any, **changed: Any) -> str:
    """Return this page's query with other values. None removes a parameter."""
    query: QueryDict = context["request"].GET.copy()
    for name, value in changed.items():
        if value is None or value == "":
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def query_of(context: Any, name: str, value: Any) -> str:
    """Return this page's query with another value of one parameter."""
    return query(context, **{name: value})
