"""A form that was shown for one client does nothing for another one that is chosen when it is sent."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from accounts.models import ApiKey
from tests.support.act_pages import seen_on
from tests.support.factories import ClientFactory
from tests.support.invoice_pages import administrator


def once_on(page):
    return re.search(r'name="once" value="([^"]+)"', page.content.decode()).group(1)


@pytest.fixture
def of_two(acme):
    """An Administrator of two clients, who works for the first one."""
    staff = administrator(acme)
    ClientFactory(name="Zephyr").staff.add(get_user_model().objects.get(username="ana"))
    staff.post(reverse("client"), {"client_no": acme.pk})
    return staff


def switched_to(staff, name):
    staff.post(reverse("client"), {"client_no": get_user_model().objects.get().clients.get(name=name).pk})


def test_a_form_of_another_client_does_nothing(acme, of_two):
    fields = {"name": "Shop", "read_only": "on"}
    preview = of_two.post(reverse("new-key"), {**fields, "act": "preview"})
    sent = {**fields, "seen": seen_on(preview), "once": once_on(preview)}
    switched_to(of_two, "Zephyr")
    answer = of_two.post(reverse("new-key"), sent)
    assert answer.status_code == 422 and "shown for another client" in answer.content.decode()
    assert f"of client {acme.pk}, and you work for Zephyr now" in answer.content.decode()
    assert not ApiKey.objects.exists()
    switched_to(of_two, acme.name)
    of_two.post(reverse("new-key"), sent)
    assert [key.client for key in ApiKey.objects.all()] == [acme]


def test_a_form_that_was_kept_through_signing_in_does_nothing_for_another_client(acme, of_two, client):
    switched_to(of_two, "Zephyr")
    preview = of_two.post(reverse("new-key"), {"name": "Shop", "read_only": "on", "act": "preview"})
    client.force_login(get_user_model().objects.get())
    sent = {"name": "Shop", "read_only": "on", "seen": seen_on(preview), "once": once_on(preview)}
    assert "shown for another client" in client.post(reverse("new-key"), sent).content.decode()
    assert not ApiKey.objects.exists()
