"""What lists of the back office share: columns to choose from, their order, saved views, and a file of what is shown."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from django.db.models import QuerySet
from django.http import QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse
from rest_framework import serializers

from accounts.pages.base import KNOWN_EVERYWHERE, StaffPage
from accounts.services.saved_views import views_of
from billing_site.common.csv_lists import ROWS_AT_ONCE, csv_response
from billing_site.common.keyset_pages import Order, in_chunks, order_of
from billing_site.common.members import unknown_name
from billing_site.common.numbers import address_number
from billing_site.errors import BillingError, ErrorCode

LIST_PARAMETERS = ("columns", "ordering")
"""Parameters of each list, besides its filters: names of columns with commas between, and the order."""


class Column(NamedTuple):
    """A column of a list: its name in the address, and its heading.

    `order` is the model's column that it sorts by, which needs an index; empty if the list cannot be sorted by it. `members`
    are its columns in the file. `is_usual` says that it is shown if nothing is chosen.
    """

    name: str
    label: Any
    order: str = ""
    members: tuple[str, ...] = ()
    css: str = ""
    is_usual: bool = True


class Heading(NamedTuple):
    """A column of the page, how the list is sorted by it ("ascending", "descending" or not), and the order of a click."""

    column: Column
    sorted: str
    next: str


class View(NamedTuple):
    """A saved view of the reader's: its address, and whether the page shows it. `owner` is empty if it is their own."""

    name: str
    query: str
    owner: str
    is_shared: bool
    is_shown: bool


class ListPage(StaffPage):
    """A list of many rows. `address` is the name of its address; saved views belong to it."""

    address: ClassVar[str]
    columns: ClassVar[Sequence[Column]]
    is_newest_first: ClassVar[bool] = False
    numbers: ClassVar[Collection[str]] = ()
    """The parameters that are numbers with decimals, which a reader types in their language."""

    @cached_property
    def chosen_columns(self) -> Sequence[Column]:
        """Return the columns of the address in its order, or the usual ones. Refuses (1016) unknown ones."""
        names = self.request.GET.get("columns", "")
        known = {one.name: one for one in self.columns}
        if not names:
            return [one for one in self.columns if one.is_usual]
        for name in names.split(","):
            if name not in known:
                raise BillingError(ErrorCode.INVALID_INPUT, unknown_name(name, known), field="columns", instead=True)
        return [known[name] for name in dict.fromkeys(names.split(","))]

    @property
    def order(self) -> Order:
        orders = {one.name: one.order for one in self.columns if one.order}
        return order_of(self.request.GET.get("ordering"), orders, newest_first=self.is_newest_first)

    def file(
        self,
        name: str,
        serializer: serializers.Serializer,
        rows: QuerySet[Any],
        rows_of: Callable[[list[Any]], Iterable[Any]],
    ) -> HttpResponseBase:
        """Return the list as CSV, in its order: the columns of the address, or all there are."""
        members = [member for one in self.chosen_columns for member in one.members] if "columns" in self.request.GET else []
        return csv_response(name, serializer, in_chunks(rows, self.order, ROWS_AT_ONCE), rows_of, members)

    def list_context(self) -> Mapping[str, Any]:
        """Return what `_list_head.html` and `_list_tools.html` show."""
        shown = self.chosen_columns
        views = self._views()
        return {
            "headings": [self._heading(one) for one in shown],
            "columns": shown,
            "shown_names": [one.name for one in shown],
            "all_columns": self.columns,
            "columns_of_file": ",".join(one.name for one in shown if one.members),
            "views": views,
            "view": next((one for one in views if one.is_shown), None),
            "list_address": reverse(self.address),
            "list_name": self.address,
            "list_query": kept_query(self.request.GET, self.numbers),
        }

    def _heading(self, column: Column) -> Heading:
        asked, down = self.request.GET.get("ordering"), f"-{column.name}"
        sorted_by = {column.name: "ascending", down: "descending"}.get(asked or "", "")
        return Heading(column, sorted_by, column.name if asked == down else down)

    def _views(self) -> list[View]:
        shown = kept_query(self.request.GET, self.numbers)
        me = self.request.user
        return [
            View(one.name, one.query, "" if one.staff_id == me.pk else str(one.staff), one.is_shared, one.query == shown)
            for one in views_of(self.client, me, self.address)
        ]


def kept_query(query: QueryDict, numbers: Collection[str]) -> str:
    """Return the part of a list's query that a saved view keeps: without the page of the list, and without empty filters.
    The parameters in `numbers` are written so that readers of every language can open the view."""
    kept = query.copy()
    for name in query:
        if name in KNOWN_EVERYWHERE or not query.get(name):
            del kept[name]
        elif name in numbers:
            kept[name] = address_number(str(kept[name]))
    return kept.urlencode()
