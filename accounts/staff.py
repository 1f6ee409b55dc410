"""Which clients a member of staff works for, and who is meant where one is named."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from accounts.models import ApiKey, Client


def clients_of(user: Any) -> QuerySet[Client]:
    """The clients whose rows a member of staff may see: a superuser sees all, others those that name them, a stranger none."""
    if not (user.is_active and user.is_staff):
        return Client.objects.none()
    return Client.objects.all() if user.is_superuser else Client.objects.filter(staff=user)


def names_of(identities: Iterable[str]) -> dict[str, str]:
    """Who is meant by the identities that documents and runs keep: names of users, keys and commands (`Caller.identity`)."""
    wanted = {one: one.partition(":")[::2] for one in set(identities)}
    users, keys = (
        [int(number) for kind, number in wanted.values() if kind == which and number.isdecimal()] for which in ("staff", "key")
    )
    user_names = get_user_model().objects.in_bulk(users)
    key_names = dict(ApiKey.objects.filter(pk__in=keys).values_list("pk", "name"))
    names = {f"staff:{number}": user.get_username() for number, user in user_names.items()}
    names |= {f"key:{number}": name for number, name in key_names.items()}
    return {one: names.get(one, rest or one) for one, (_kind, rest) in wanted.items()}
