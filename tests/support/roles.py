"""Members of staff by their roles."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group


def staff(role, *clients):
    user = get_user_model().objects.create(username=role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    for client in clients:
        client.staff.add(user)
    return user
