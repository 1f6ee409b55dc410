"""`python -m tests.screenshots`: pictures of the pages for docs/, taken of the demo's data (`make demo`) in a real browser."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import django
from playwright.sync_api import Page, sync_playwright

os.environ.setdefault("DATABASE_URL", "sqlite:///demo.sqlite3")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
os.environ["DJANGO_SETTINGS_MODULE"] = "billing_site.settings"
os.environ |= {"DEBUG": "1", "VIRTUAL_CLOCK": "1"}
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.test import Client as Session  # noqa: E402

from tests.support.browsers import find_chromium  # noqa: E402

DOCS = Path(settings.BASE_DIR) / "docs"
SIZE = {"width": 1280, "height": 860}


def change_a_rate(page: Page) -> None:
    page.locator("select[name=reason_code]").select_option(index=1)
    rate = page.locator("[id$=-rate_per_unit]").first
    rate.fill("19.75")
    rate.press("Tab")
    page.wait_for_timeout(1500)


def tick_some(page: Page) -> None:
    for box in page.locator("input[data-tick]").all()[:3]:
        box.check()


PAGES: dict[str, tuple[str, Callable[[Page], None] | None]] = {
    "dashboard": ("/", None),
    "accounts": ("/accounts/", None),
    "account": ("/accounts/7043/", None),
    "generate": ("/accounts/3/generate/", lambda page: page.get_by_role("button", name="Preview").click()),
    "queue": ("/invoices/pending/", tick_some),
    "beside": ("/invoices/pending/7050/", None),
    "invoices": ("/invoices/", None),
    "invoice": ("/invoices/7044/", None),
    "builder": ("/invoices/8/rebill/", change_a_rate),
    "rebill": ("/rebills/7048/", None),
    "difference": ("/invoices/7044/difference/7048/", None),
    "rebills": ("/rebills/", None),
    "runs": ("/billing-runs/", None),
}


def wait_for(address: str) -> None:
    """Return when a server answers at an address."""
    host, _, port = address.partition(":")
    for _attempt in range(240):
        with suppress(ConnectionRefusedError), socket.create_connection((host, int(port))):
            return
        time.sleep(0.25)
    raise TimeoutError(f"no server at {address}")


@contextmanager
def site() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "manage.py", "runserver", "--noreload", "--no-worker", address]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for(address)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    session = Session()
    session.force_login(get_user_model().objects.get(username="demo"))
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session.cookies[settings.SESSION_COOKIE_NAME].value}
    with site() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        context = browser.new_context(viewport=SIZE, base_url=address, locale="en-US")
        context.add_cookies([{**cookie, "url": address}])
        page = context.new_page()
        for name, (path, prepare) in PAGES.items():
            page.goto(path)
            if prepare is not None:
                prepare(page)
            page.screenshot(path=DOCS / f"{name}.png")
            print(DOCS / f"{name}.png")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 390, "height": 800})
        page.goto("/invoices/pending/")
        page.screenshot(path=DOCS / "queue-phone.png")
        browser.close()


if __name__ == "__main__":
    main()
