"""Every page of the back office in a real browser, at phone size, and at desk size with all that can be opened, light and dark:
axe finds nothing, nothing is wider than the screen, no choice is cut off, and no number touches a text.

The addresses come from the URL resolver, so a new page is covered at once. Each is loaded once; size and colours are switched
in place."""

from itertools import groupby

import pytest
import time_machine

from accounts.pages.base import StaffPage
from tests.browser.conftest import CONTRAST, violations, wider_than_screen
from tests.support.bare_pages import ADDRESSES, addresses, full_world

DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
ROWS_OF_A_PAGE = 1
ROWS_IN_EACH_STATE = 8
SEEN_IN_EACH_STATE = ("invoices/<int:number>/", "accounts/<int:number>/", "rebills/campaigns/<int:number>/")
"""The pages of these are looked at for several rows, which are in different states."""

FAULTS = """() => {
  const faults = [];
  const shown = (one) => one.offsetParent !== null;
  const width = (text, style) => {
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = style.font;
    return pen.measureText(text).width;
  };
  for (const select of document.querySelectorAll("main select:not([multiple]):not([size])")) {
    const option = select.selectedOptions[0], style = getComputedStyle(select);
    if (!shown(select) || !option) continue;
    const room = select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const needed = width(option.text, style);
    if (needed > room + 1) faults.push(`${select.name} cuts "${option.text}": ${Math.round(needed)} > ${Math.round(room)}`);
  }
  const box = (cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return range.getBoundingClientRect();
  };
  for (const cell of document.querySelectorAll("main table .num")) {
    const next = cell.nextElementSibling;
    if (!next || !shown(cell) || getComputedStyle(cell).display !== "table-cell") continue;
    const one = box(cell), other = box(next);
    if (!one.width || !other.width || other.left < one.left) continue;
    if (other.left - one.right < 8) faults.push(`"${cell.textContent.trim()}" touches "${next.textContent.trim()}"`);
  }
  return [...new Set(faults)];
}"""


def pages():
    """Each page of ours, with its pattern, for some of its rows."""
    ours = [(pattern, address) for pattern, address in addresses() if is_page(pattern)]
    for pattern, found in groupby(ours, key=lambda one: one[0]):
        rows = [address for _pattern, address in found]
        yield from rows[: ROWS_IN_EACH_STATE if pattern in SEEN_IN_EACH_STATE else ROWS_OF_A_PAGE]


def is_page(pattern):
    view = getattr(ADDRESSES[pattern].callback, "view_class", None)
    is_read = view is not None and issubclass(view, StaffPage) and hasattr(view, "get")
    return is_read and not pattern.endswith((".csv", ".pdf", "/pdf/", "/xml/"))


def switch(page, theme):
    """Switch the colours, as the system's change does."""
    page.emulate_media(color_scheme=theme)
    page.locator(f"html[data-bs-theme={theme}]").wait_for(state="attached")


def faults_of(page):
    """Everything that is wrong with the page that is loaded."""
    found = []
    for size in (PHONE, DESK):
        page.set_viewport_size(size)
        switch(page, "light")
        if size is DESK:
            page.evaluate("() => { for (const one of document.querySelectorAll('details')) one.open = true; }")
        found += [f"{size['width']}: {one}" for one in (*violations(page), *page.evaluate(FAULTS))]
        if wider_than_screen(page) > 0:
            found.append(f"{size['width']}: {wider_than_screen(page)} pixels too wide")
        switch(page, "dark")
        found += [f"{size['width']}, dark: {one}" for one in violations(page, CONTRAST)]
    return found


@pytest.fixture
def world(transactional_db, acme, process):
    with time_machine.travel("2026-01-10T12:00:00Z", tick=False):
        full_world(acme, process)


def test_every_page_looks_in_every_way(opened, boss, world):
    page = opened(boss, reduced_motion="reduce")  # else colours that change slowly are measured on their way
    faults, seen = {}, set()
    for address in pages():
        answer = page.goto(address)
        # Some addresses lead on to a page that another one shows.
        if answer.status != 200 or "text/html" not in answer.headers.get("content-type", "") or page.url in seen:
            continue
        seen.add(page.url)
        found = faults_of(page)
        if found:
            faults[address] = found
    page.troubles[:] = [one for one in page.troubles if "status of 4" not in one]  # acts that are only posted to
    assert len(seen) > 60
    assert not faults, "\n".join(f"{address}: {one}"[:400] for address, found in faults.items() for one in found)
