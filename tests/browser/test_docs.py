"""The page of the API's description, in a browser that keeps to the site's policy."""

import pytest
from drf_spectacular.generators import SchemaGenerator
from playwright.sync_api import expect

pytestmark = pytest.mark.django_db(transaction=True)

SHOWN = "() => [...document.querySelectorAll('.opblock')].map(block => block.id)"


def test_the_page_shows_every_operation_and_its_example(opened):
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    described = sum(map(len, paths.values()))
    page = opened()
    page.goto("/api/docs/")
    page.wait_for_selector(".opblock", timeout=30_000)
    unseen = {"account_create": '"client_acct_id": "A-100"', "authenticate_caller": "YOUR-KEY"}
    shown: set[str] = set()
    # Operations are drawn as they come into view, and may be taken away again behind it. What a busy machine draws too late on
    # the way down is seen on the way up.
    step = 600
    for _ in range(400):
        in_view = set(page.evaluate(SHOWN))
        shown |= in_view
        for operation in [name for name in unseen if any(block.endswith(f"-{name}") for block in in_view)]:
            block = page.locator(f'.opblock[id$="-{operation}"]')
            block.locator(".opblock-summary-control").first.click()
            expect(block.locator(".body-param__example")).to_contain_text(unseen.pop(operation))
            block.locator(".opblock-summary-control").first.click()
        if len(shown) == described:
            break
        place = page.evaluate("scrollY")
        page.mouse.wheel(0, step)
        page.wait_for_timeout(100)
        if page.evaluate("scrollY") == place:
            step = -step
    assert len(shown) == described
    assert unseen == {}
