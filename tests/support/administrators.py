"""Staff who may do everything for one client."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group


def an_administrator(client, name):
    """Return a member of staff of the client in the role Administrator."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name="Administrator"))
    client.staff.add(user)
    return user
