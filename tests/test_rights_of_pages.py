"""Every page that takes a form is walked as a Viewer: nothing is stored by any of them."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser
from django.urls import reverse

from accounts.pages.base import StaffPage
from accounts.urls import urlpatterns as accounts_pages
from invoices.services.runs.runs import start_run
from invoices.urls import urlpatterns as invoices_pages
from rebills.urls import urlpatterns as rebills_pages
from tests.support.billing import FEB_10
from tests.support.calling import rows_stored
from tests.support.examples import virtual_clock, world
from tests.support.factories import BY_TEST

__all__ = ["virtual_clock", "world"]

ONCE = {"once": "a" * 32}
READERS_OWN = {"client"}
"""Forms that only choose what the reader looks at."""

KEPT_OF_READERS = {"django_session", "accounts_receipt"}
"""That they are signed in, and that a form was sent."""

NEED_ANOTHERS_ROW = {"decision"}
"""Only the person who made a decision can resume it. For others it does not exist."""


def forms(rows, run_no):
    """What is sent to each page that takes a form, by the page's name."""
    account, billed, instance, issued, pending, act = (rows[number] for number in (1002, 1001, 4004, 2001, 2002, 4020))
    acts = {"approve": pending, "discard": pending, "regenerate": pending, "void": issued, "collect": issued}
    line = {"line-1-rate_per_unit": "1", "reason_code": "1", "comments": "x", "fingerprint": "x", "act": "commit"}
    return {
        "generate": [([account], {"mode": "now", "commit": "1", **ONCE})],
        "decide": [([], {"act": "approve", "invoice_no": pending, "confirmed": "1", **ONCE})],
        "decide-act": [([act, one], dict(ONCE)) for one in ("approve", "discard")],
        "invoice-act": [
            ([number, one], {"reason": "x", "reason_code": 5, "comments": "x", **ONCE}) for one, number in acts.items()
        ],
        "remove_plan_instance": [([billed, instance], dict(ONCE))],
        "start-run": [([], {**body, **ONCE}) for body in ({}, {"act": "dry_run"}, {"act": "save", "name": "x"})],
        "run": [([run_no], {})],
        "run-act": [([run_no, act], dict(ONCE)) for act in ("begin", "pause", "resume", "cancel", "retry", "start")],
        "schedules": [([], {"act": "bill", "hour": "6", "do": do, **ONCE}) for do in ("on", "off")],
        "collect-many": [([], {"confirmed": "yes", "newest": issued, **ONCE})],
        "try-files-again": [([], dict(ONCE))],
        "rebill": [([issued], {**line, **ONCE})],
    }


def pages_with_forms():
    patterns = [*accounts_pages, *invoices_pages, *rebills_pages]
    views = {pattern.name: getattr(pattern.callback, "view_class", None) for pattern in patterns}
    return {name for name, view in views.items() if view and issubclass(view, StaffPage) and hasattr(view, "post")}


@pytest.mark.django_db
def test_a_viewer_stores_nothing_by_any_page(world, db):
    client, _key, rows = world
    viewer = get_user_model().objects.create(username="Viewer", is_staff=True)
    viewer.groups.add(Group.objects.get(name="Viewer"))
    client.staff.add(viewer)
    run = start_run(client=client, today=FEB_10, caller=BY_TEST)
    sent = forms(rows, run.pk)
    assert set(sent) | READERS_OWN | NEED_ANOTHERS_ROW == pages_with_forms()
    browser = Browser(raise_request_exception=False)
    browser.force_login(viewer)
    before = rows_stored()
    for name, posts in sent.items():
        for numbers, body in posts:
            answer = browser.post(reverse(name, args=numbers), body)
            assert answer.status_code in (200, 302, 403, 422), (name, numbers, answer.status_code)
            after = {table: count for table, count in rows_stored().items() if table not in KEPT_OF_READERS}
            assert after == {table: before[table] for table in after}, (name, numbers)
