"""A real browser on the real pages: Debian's Chromium, or the one that Playwright has installed (see tests/__main__.py)."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Session
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.browsers import find_chromium
from tests.support.factories import BY_TEST, ClientFactory, TaxRateFactory, a_plan, an_account

# Playwright keeps an event loop running in this thread, which Django would take for one of its own.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

AXE_SCRIPT = Axe().axe_script
EVERY_RULE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
DESK, TABLET, PHONE = {"width": 1280, "height": 900}, {"width": 768, "height": 1024}, {"width": 360, "height": 740}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = find_chromium()  # it may start Playwright itself, which cannot run twice at once
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser, live_server: Any) -> Iterator[Any]:
    """`opened(user, **options)`: a page of a browser in which this user is signed in. Whatever it loads is ours, and nothing
    that it says is an error."""
    contexts: list[BrowserContext] = []

    def open_for(user: Any = None, **options: Any) -> Page:
        # Without motion, no colour is looked at while it changes.
        usual = {"viewport": DESK, "base_url": live_server.url, "locale": "en-US", "reduced_motion": "reduce"}
        options = {**usual, **options}
        context = chromium.new_context(**options)
        contexts.append(context)
        if user is not None:
            session = Session()
            session.force_login(user)
            value = session.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": live_server.url}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.troubles = []
        page.on("request", lambda request: _note_other_hosts(page, request.url, live_server.url))
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("console", lambda line: page.troubles.append(line.text) if _is_trouble(line) else None)
        return page

    yield open_for
    troubles = [trouble for context in contexts for page in context.pages for trouble in page.troubles]
    for context in contexts:
        context.close()
    assert troubles == []


def _is_trouble(line: Any) -> bool:
    """Whether a line of the console is an error. htmx notes each request that ends because its page is left."""
    return line.type == "error" and not line.text.startswith(("htmx:afterRequest", "htmx:sendAbort", "htmx:sendError"))


def _note_other_hosts(page: Any, url: str, ours: str) -> None:
    if not url.startswith((ours, "data:", "blob:")):
        page.troubles.append(f"asked another host: {url}")


@pytest.fixture
def boss(transactional_db: None) -> Any:
    """A superuser: works for every client."""
    return get_user_model().objects.create(username="boss", is_staff=True, is_superuser=True)


@pytest.fixture
def ana(transactional_db: None) -> Any:
    """An administrator of a client whose account AB-1 has two open invoices of 33.00, tax included."""
    client: Any = ClientFactory()
    TaxRateFactory(client=client)
    user = get_user_model().objects.create(username="ana", is_staff=True)
    user.groups.add(Group.objects.get(name="Administrator"))
    client.staff.add(user)
    user.account = an_account(client, a_plan(client, {"phone": "30.00"}), client_acct_id="AB-1")
    user.january, user.february = bill(user.account, BY_TEST, JAN_10), bill(user.account, BY_TEST, FEB_10)
    return user


def violations(page: Page, options: dict[str, Any] = EVERY_RULE) -> list[str]:
    """What axe finds wrong with a page by WCAG 2.2 A and AA, or by these options: rule and place. It is run from outside of the
    page's policy, and loaded once for each page. Only what is wrong is sent from the browser: the rest is large."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("async (options) => (await axe.run(document, options)).violations", options)
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def wider_than_screen(page: Page) -> int:
    """By how many pixels a page must be scrolled sideways."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def check_looks(page: Page, address: str) -> None:
    """A page at desk and phone size, light and dark: axe finds nothing. Nothing is wider than these screens or a tablet's."""
    for scheme, rules in (("light", EVERY_RULE), ("dark", CONTRAST)):
        page.emulate_media(color_scheme=scheme)
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            page.goto(address)
            assert violations(page, rules) == [], (address, scheme, size)
            assert wider_than_screen(page) <= 0, (address, scheme, size)
    page.set_viewport_size(TABLET)
    page.goto(address)
    assert wider_than_screen(page) <= 0, (address, TABLET)
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")
