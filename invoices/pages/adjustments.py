"""Adjustments of a pending document, as pages show them to the approver beside what was generated."""

from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext

from accounts.staff import names_of
from invoices.kinds import ReasonType
from invoices.line_columns import COLUMNS, FIGURES
from invoices.models import Adjustment, Invoice
from invoices.services.documents.reasons import reasons_of


class ChangedColumn(NamedTuple):
    """A changed column with its values. `kind` says how they are formatted: amount, base, number or text."""

    name: Any
    kind: str
    before: Decimal | str | None
    after: Decimal | str | None


class ShownAdjustment(NamedTuple):
    """A current adjustment, its changes in words, and who made it for which reason."""

    row: Adjustment
    changes: list[ChangedColumn]
    made_by: str
    reason: str

    @property
    def is_left_out(self) -> bool:
        return bool(self.row.change.get("exclude"))

    @property
    def why_not(self) -> str:
        return gettext(self.row.why_not) if self.row.why_not else ""

    @property
    def is_added(self) -> bool:
        return self.row.line is None


def adjustments_context(invoice: Invoice) -> dict[str, Any]:
    """Return the template context of a document's adjustments. Three queries, or none if it never changed."""
    if invoice.version == 1:
        return {"adjustments": []}
    rows = list(Adjustment.objects.filter(invoice=invoice.pk, through_version=None).order_by("place", "pk"))
    names = names_of(row.made_by for row in rows)
    reasons = {reason.code: reason.shown_name for reason in reasons_of(invoice.client, ReasonType.REBILL)}
    shown = [
        ShownAdjustment(row, [_shown(one) for one in row.changes], names[row.made_by], reasons.get(row.reason_code, ""))
        for row in rows
    ]
    return {"adjustments": shown}


def _shown(change: dict[str, Any]) -> ChangedColumn:
    column = change["column"]
    kind = FIGURES.get(column, "text")
    before, after = (
        Decimal(value) if value is not None and kind != "text" else value for value in (change["before"], change["after"])
    )
    return ChangedColumn(COLUMNS[column], kind, before, after)
