"""PURE: what the taxes of a document were counted from, beside its lines: where its contacts and locations were, which prices
contained tax, how tax was rounded and which engine was asked. Master data may say something else by now."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from invoices.tax_engines.protocol import TaxAddress


class TaxBasis(NamedTuple):
    """`contacts` and `locations` are the addresses of those that lines name, by primary key. `gross_lines` are the numbers of
    the lines whose prices contain tax. `engine` is empty where more than one was asked, or where it is not known."""

    engine: str
    per_line: bool
    contacts: Mapping[int, TaxAddress]
    locations: Mapping[int, TaxAddress]
    gross_lines: tuple[int, ...]

    @property
    def stored(self) -> dict[str, Any]:
        """As the database keeps it."""
        return {
            "engine": self.engine,
            "per_line": self.per_line,
            "contacts": {str(number): address._asdict() for number, address in self.contacts.items()},
            "locations": {str(number): address._asdict() for number, address in self.locations.items()},
            "gross_lines": list(self.gross_lines),
        }


def read_basis(stored: Mapping[str, Any] | None) -> TaxBasis | None:
    """What the database has kept. None: the document was made before it was kept."""
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
