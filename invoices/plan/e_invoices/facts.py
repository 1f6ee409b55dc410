"""PURE: what an electronic invoice is written from."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.kinds import EInvoiceProfile
from invoices.calculation import ZERO
from invoices.document import Document

Terms = dict[str, Any]


class EInvoiceFacts(NamedTuple):
    """What an electronic invoice says besides the document.

    `original` is the document that it corrects. `paid` is what was paid when it was issued. `items` are by service.
    `seller_id` identifies a seller without any registered number.
    """

    document: Document
    original: Document | None
    profile: EInvoiceProfile
    paid: Decimal = ZERO
    items: Mapping[int, "Item"] = {}
    buyer_id: str = ""
    seller_id: str = ""


class Item(NamedTuple):
    """What identifies a service as an item in trade, as the client has entered it."""

    code: str
    number: str
    buyer_number: str
    classifications: str
    origin_country: str


NO_ITEM = Item("", "", "", "", "")
