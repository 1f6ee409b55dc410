"""PURE: the tax categories of services and of tax rates."""

from collections.abc import Iterable

STANDARD = "standard"
UNTAXED = ("zero", "exempt")
"""Categories without tax."""
BUILT_IN = (STANDARD, *UNTAXED)
COMMON = "reduced,telecom,internet,digital"
"""Categories that a new client begins with, besides the built-in ones."""


def categories_in(text: str) -> tuple[str, ...]:
    """Return all categories of a client from its comma-separated setting, the built-in ones first."""
    return tuple(dict.fromkeys([*BUILT_IN, *(part.strip() for part in text.split(",") if part.strip())]))


def spelled(category: str, known: Iterable[str]) -> str | None:
    """Return the listed spelling of a category, in any case, or None if it is not known."""
    found = {one.casefold(): one for one in known}
    return found.get(category.strip().casefold())


def is_untaxed(category: str) -> bool:
    return category.casefold() in UNTAXED
