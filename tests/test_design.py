"""The design page: the contrast of each colour is the one of the style sheet, and is enough."""

import re
from pathlib import Path

import pytest
from django.conf import settings

CSS = (Path(settings.BASE_DIR) / "billing_site/static/backoffice/backoffice.css").read_text()
PAGE = (Path(settings.BASE_DIR) / "docs/design.md").read_text()
THEMES = {"light": ':root, [data-bs-theme="light"]', "dark": '[data-bs-theme="dark"]'}
GROUNDS = {"light": {"page": "#fafafa", "card": "#ffffff", "text": "#404040"}}
GROUNDS["dark"] = {"page": "#171717", "card": "#262626", "text": "#e5e5e5"}
"""Tabler's own colours of the page, of cards and of text. The walk of axe over every page measures them too."""

PAIR = r"`(?P<ink>[\w-]+)` on `(?P<ground>[\w-]+)`"
ROW = re.compile(rf"^\| (?P<what>[^|`]+) \| {PAIR} \| (?P<light>[\d.]+) \| (?P<dark>[\d.]+) \|$", re.M)
ENOUGH = 4.5
ENOUGH_OF_BARS = 3.0
"""WCAG 1.4.11: what is not text."""


def colours(theme):
    rules = CSS[CSS.index(THEMES[theme]) :]
    own = re.findall(r"--(?:tblr-)?([\w-]+):\s*(#[0-9a-f]{6})", rules[: rules.index("}")])
    return {**GROUNDS[theme], **dict(own)}


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_of_black_on_white_is_21():
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


@pytest.mark.parametrize("theme", list(THEMES))
def test_the_page_says_the_contrast_of_the_style_sheet(theme):
    rows = list(ROW.finditer(PAGE))
    assert len(rows) >= 12
    known = colours(theme)
    found = {row["what"]: (float(row[theme]), round(contrast(known[row["ink"]], known[row["ground"]]), 1)) for row in rows}
    assert {what: pair for what, pair in found.items() if pair[0] != pair[1]} == {}
    for row in rows:
        least = ENOUGH_OF_BARS if row["ink"].startswith("bar-") else ENOUGH
        assert float(row[theme]) >= least, row["what"]
