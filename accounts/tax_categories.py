"""PURE: the tax categories of services and of tax rates."""

from collections.abc import Iterable

STANDARD = "standard"
UNTAXED = ("zero", "exempt")
"""Categories that say themselves that there is no tax."""
BUILT_IN = (STANDARD, *UNTAXED)
COMMON = "reduced,telecom,internet,digital"
"""Those that a client begins with, beside the built-in ones."""


def categories_in(text: str) -> tuple[str, ...]:
    """All categories of a client, from the list in its settings: the built-in ones first."""
    return tuple(dict.fromkeys([*BUILT_IN, *(part.strip() for part in text.split(",") if part.strip())]))


def spelled(category: str, known: Iterable[str]) -> str | None:
    """A category as it is listed, whatever its case; None where it is not known."""
    found = {one.casefold(): one for one in known}
    return found.get(category.strip().casefold())


def is_untaxed(category: str) -> bool:
    return category.casefold() in UNTAXED
