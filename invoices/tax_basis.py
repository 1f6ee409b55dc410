"""PURE: what the taxes of a document were calculated from, besides its lines.

It has the addresses of contacts and locations, which prices contained tax, how tax was rounded, and which engine was asked.
Master data may have changed since.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from invoices.tax_engines.protocol import TaxAddress


class TaxBasis(NamedTuple):
    """`contacts` and `locations` are addresses by primary key, as lines refer to them. `gross_lines` are the line numbers
    whose prices contain tax. `engine` is empty if several engines were asked, or if it is not known."""

    engine: str
    per_line: bool
    contacts: Mapping[int, TaxAddress]
    locations: Mapping[int, TaxAddress]
    gross_lines: tuple[int, ...]

    @property
    def stored(self) -> dict[str, Any]:
        """Return the values as the database stores them."""
        return {
            "engine": self.engine,
            "per_line": self.per_line,
            "contacts": {str(number): address._asdict() for number, address in self.contacts.items()},
            "locations": {str(number): address._asdict() for number, address in self.locations.items()},
            "gross_lines": list(self.gross_lines),
        }


def read_basis(stored: Mapping[str, Any] | None) -> TaxBasis | None:
    """Return the stored basis. None: the document is from before it was stored."""
    if stored is None:
        return None
    return TaxBasis(
        stored["engine"],
        stored["per_line"],
        _addresses(stored["contacts"]),
        _addresses(stored["locations"]),
        tuple(stored["gross_lines"]),
    )


def _addresses(stored: Mapping[str, Mapping[str, str]]) -> dict[int, TaxAddress]:
    return {int(number): TaxAddress(**address) for number, address in stored.items()}
