"""A browser with a signed-in member of staff."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client as Browser


def reader(*clients, permissions=("view_invoice",), name="reader"):
    """Return a browser with a signed-in member of staff of these clients."""
    user = get_user_model().objects.create(username=name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    for client in clients:
        client.staff.add(user)
    browser = Browser()
    browser.force_login(user)
    return browser


def administrator(client, name="ana"):
    """Return a browser with a signed-in Administrator of a client."""
    user = get_user_model().objects.create(username=name, is_staff=True, first_name=name.capitalize())
    user.groups.add(Group.objects.get(name="Administrator"))
    client.staff.add(user)
    browser = Browser()
    browser.force_login(user)
    return browser
