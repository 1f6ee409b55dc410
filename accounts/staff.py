"""Which clients a member of staff works for."""

from typing import Any

from django.db.models import QuerySet

from accounts.models import Client


def clients_of(user: Any) -> QuerySet[Client]:
    """The clients whose rows a member of staff may see: a superuser sees all, others those that name them, a stranger none."""
    if not (user.is_active and user.is_staff):
        return Client.objects.none()
    return Client.objects.all() if user.is_superuser else Client.objects.filter(staff=user)
