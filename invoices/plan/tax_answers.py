"""PURE: find out whether tax data is missing for a document: the buyer's address, a rate for each line, or an exemption."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext

from accounts.kinds import TaxExemption
from billing_site.errors import Detail, listed
from invoices.kinds import LASTING_FLAGS, Flag
from invoices.tax_engines.protocol import TaxableLine, TaxAddress, TaxQuote

LONGEST_TEXT = 500


class Exemption(NamedTuple):
    """A customer's exemption from tax, its reason, and the days on which it is valid. None is an open end."""

    kind: str
    reason: str
    valid_from: date | None = None
    valid_to: date | None = None

    def holds_on(self, day: date) -> bool:
        began = self.valid_from is None or self.valid_from <= day
        return self.kind != TaxExemption.NONE and began and (self.valid_to is None or day <= self.valid_to)


class TaxAnswer(NamedTuple):
    """The tax data that is missing for a document, or the exemption.

    `unanswered` are the lines for which the tax engine has no rate, `missing` says in words what is missing. `charges_tax` is
    false if the client charges no tax at all.
    """

    no_address: bool = False
    no_rate: bool = False
    unanswered: tuple[int, ...] = ()
    missing: str = ""
    exemption: str = TaxExemption.NONE.value
    reason: str = ""
    charges_tax: bool = True

    @property
    def is_incomplete(self) -> bool:
        """Return whether data is missing and the client charges tax. The client's setting decides what happens then."""
        return self.charges_tax and (self.no_address or self.no_rate)

    @property
    def flags(self) -> list[Flag]:
        """Return the flags that stay on the document."""
        held = {Flag.NO_ADDRESS: self.no_address, Flag.NO_RATE: self.no_rate}
        return [flag for flag in LASTING_FLAGS if held[flag]]

    @property
    def exemption_columns(self) -> dict[str, Any]:
        """Return the columns of a document that record the exemption."""
        is_exempt = self.exemption != TaxExemption.NONE
        return {
            "tax_exemption": self.exemption if is_exempt else "",
            "tax_exemption_reason": self.reason if is_exempt else "",
        }

    @property
    def says_something(self) -> bool:
        return self.no_address or self.no_rate or self.exemption != TaxExemption.NONE


def exemption_text(kind: str, reason: str) -> str:
    """Return the text that is printed for an exempt customer, in the active language, else ""."""
    if kind == TaxExemption.NONE:
        return ""
    head, rest = {
        TaxExemption.REVERSE_CHARGE: (gettext("Reverse charge"), gettext("the customer owes the tax")),
        TaxExemption.INTRA_COMMUNITY: (gettext("Intra-community supply"), gettext("exempt from tax")),
        TaxExemption.EXPORT: (gettext("Export outside the EU"), gettext("exempt from tax")),
        TaxExemption.NOT_SUBJECT: (gettext("Not subject to tax"), ""),
    }.get(TaxExemption(kind), (gettext("Exempt from tax"), ""))
    return ": ".join(filter(None, (head, reason or rest)))


def exempt_answer(exemption: Exemption, *, has_buyer: bool) -> TaxAnswer:
    """Return the answer for an exempt customer. The tax engine is not asked."""
    missing = "" if has_buyer else no_buyer_text()
    return TaxAnswer(not has_buyer, missing=missing, exemption=exemption.kind, reason=exemption.reason)


def answer_to(lines: Sequence[TaxableLine], quote: TaxQuote, *, has_buyer: bool) -> TaxAnswer:
    """Return what is missing for the taxes of a document. A line of 0 needs no rate."""
    unanswered = [line for line in lines if line.line_no in quote.unanswered and line.amount != Decimal(0)]
    homeless = [line for line in unanswered if not _has_country(line.addresses.ship_to)]
    uncovered = [line for line in unanswered if _has_country(line.addresses.ship_to)]
    texts = [] if has_buyer else [no_buyer_text()]
    if homeless and has_buyer:
        texts.append(Detail("the contact whose address is taxed has no country"))
    texts += [Detail("no tax rate for {place}", place=place) for place in dict.fromkeys(map(_where, uncovered))]
    return TaxAnswer(
        no_address=not has_buyer or bool(homeless),
        no_rate=bool(uncovered),
        unanswered=tuple(line.line_no for line in unanswered),
        missing=_listed(texts),
        charges_tax=quote.charges_tax,
    )


def joined(answers: Collection[TaxAnswer]) -> TaxAnswer:
    """Join the answers of parts of a document. The exemption is that of the first part that has one."""
    exempt = next((one for one in answers if one.exemption != TaxExemption.NONE), TaxAnswer())
    return TaxAnswer(
        no_address=any(one.no_address for one in answers),
        no_rate=any(one.no_rate for one in answers),
        unanswered=tuple(sorted({number for one in answers for number in one.unanswered})),
        missing=_listed(dict.fromkeys(one.missing for one in answers if one.missing)),
        exemption=exempt.exemption,
        reason=exempt.reason,
        charges_tax=any(one.is_incomplete for one in answers),
    )


def no_buyer_text() -> Detail:
    return Detail("the account has no contact")


def _listed(texts: Iterable[str]) -> str:
    """Return what is missing as one text, as long as it can be stored."""
    missing = listed(texts, "; ")
    return missing if len(missing) <= LONGEST_TEXT else missing[:LONGEST_TEXT]


def _has_country(address: TaxAddress | None) -> bool:
    return address is not None and bool(address.country)


def _where(line: TaxableLine) -> str:
    """Return the place and category of a line: US-NV (standard)."""
    address = line.addresses.ship_to or TaxAddress()
    return f"{'-'.join(filter(None, (address.country, address.region)))} ({line.category})"
