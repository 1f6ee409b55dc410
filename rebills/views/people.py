"""Who did something, by the name that people know."""

from collections.abc import Iterable

from django.contrib.auth import get_user_model

from accounts.models import ApiKey


def names_of(identities: Iterable[str]) -> dict[str, str]:
    """Staff by their user names, keys by their own: two queries, however many. Others by what they are called."""
    known = set(identities)
    numbers: dict[str, list[int]] = {"staff": [], "key": []}
    for identity in known:
        kind, _, number = identity.partition(":")
        if kind in numbers and number.isdecimal():
            numbers[kind].append(int(number))
    users = get_user_model().objects.filter(pk__in=numbers["staff"]).values_list("pk", "username")
    keys = ApiKey.objects.filter(pk__in=numbers["key"]).values_list("pk", "name")
    named = {f"staff:{pk}": name for pk, name in users} | {f"key:{pk}": name for pk, name in keys}
    return {identity: named.get(identity, identity.partition(":")[2] or identity) for identity in known}
