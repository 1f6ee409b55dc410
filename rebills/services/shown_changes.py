"""Changes of lines in words: names of columns, with old and new values."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from invoices.line_columns import COLUMNS, FIGURES
from rebills.plan.differences import CATEGORY, RETAX, Change, Difference, Names, TaxedAgain

KINDS = {
    "service_id": "service",
    "bill_from_location_id": "location",
    "ship_from_location_id": "location",
    "bill_to_contact_id": "contact",
    "ship_to_contact_id": "contact",
}


class ShownChange(NamedTuple):
    """A changed column. `kind` says how its values are formatted: amount, number or text."""

    name: Any
    kind: str
    before: Decimal | str | None
    after: Decimal | str | None


class ShownDifference(NamedTuple):
    """A difference with its changes in words. `taxed_again` says why tax rates were looked up again."""

    row: Difference
    changes: tuple[ShownChange, ...]
    taxed_again: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        is_there = not self.row.is_excluded and self.row.line_no is not None
        return bool(self.changes or self.taxed_again) or self.row.is_recounted or not is_there


def shown(rows: Iterable[Difference], names: Names) -> list[ShownDifference]:
    return [
        ShownDifference(
            row, tuple(_shown(change, names) for change in row.changed), tuple(map(taxed_again_text, row.taxed_again))
        )
        for row in rows
    ]


AGAIN = {
    CATEGORY: _("tax category"),
    "bill_from": _("bill-from address"),
    "ship_from": _("ship-from address"),
    "bill_to": _("bill-to address"),
    "ship_to": _("ship-to address"),
}


def taxed_again_text(why: TaxedAgain) -> str:
    """Return in words why the tax rates of a line were looked up again."""
    if why.what == RETAX:
        return gettext("taxes are recalculated, as requested")
    return gettext("taxes recalculated, because the %(what)s changed: %(before)s → %(after)s") % {
        **why._asdict(),
        "what": AGAIN[why.what],
    }


def location_names(client: Client) -> dict[tuple[str, int], str]:
    """Return the client's names of its service locations."""
    rows = client.service_locations.values_list("pk", "client_service_location_id", "name")
    return {("location", number): name or own_id for number, own_id, name in rows}


def _shown(change: Change, names: Names) -> ShownChange:
    column = change.column
    before, after = (_value(column, value, names) for value in (change.before, change.after))
    return ShownChange(COLUMNS[column], FIGURES.get(column, "text"), before, after)


def _value(column: str, value: Any, names: Names) -> Decimal | str | None:
    if column in FIGURES:
        return None if value is None else Decimal(value)
    return names.get((KINDS.get(column, ""), value), str(value)) if value else None
