"""People of an identity provider: who they are here, and which roles their groups give them. Never superusers."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from accounts.callers import Caller
from accounts.models import Client, SingleSignOn
from accounts.services.second_factors import record
from billing_site.errors import BillingError, Detail, ErrorCode

logger = logging.getLogger(__name__)

BY_PROVIDER = Caller(process="single_sign_on")
FACTORS = {"mfa", "otp", "hwk", "fpt", "face"}
"""Values of `amr` (RFC 8176) that say that a second factor was shown."""


@transaction.atomic
def person_of(claims: Mapping[str, Any]) -> Any:
    """Return the user of an identity, with the roles that the groups give now. Adds who signs in for the first time.

    Refuses (90294) people whom nobody has added where the settings name no client for them, superusers, people who may not sign
    in. A person who has lost all roles keeps none: see `check_has_role`.
    """
    user = _linked(claims) or _known(claims) or _added(claims)
    if user.is_superuser or not (user.is_active and user.is_staff):
        raise _refused(Detail("{name} signs in with a password, or not at all", name=user.get_username()))
    SingleSignOn.objects.get_or_create(issuer=settings.OIDC_ISSUER, subject=str(claims["sub"]), defaults={"user": user})
    _give_roles(user, roles_of(claims))
    return user


def roles_of(claims: Mapping[str, Any]) -> list[Group]:
    """Return the roles that the groups of an identity give, by name. Groups that give none are logged."""
    named = claims.get(settings.OIDC_GROUPS_CLAIM) or []
    groups = [str(one) for one in ([named] if isinstance(named, str) else named)]
    wanted = {one: settings.OIDC_ROLES.get(one, "" if settings.OIDC_ROLES else one) for one in groups}
    roles = list(Group.objects.filter(name__in=set(wanted.values())).order_by("name"))
    known = {role.name for role in roles}
    unknown = sorted(group for group, role in wanted.items() if role not in known)
    if unknown:
        logger.info("groups of %s that give no role: %s", claims.get("sub"), ", ".join(unknown))
    return roles


def shows_factor(claims: Mapping[str, Any]) -> bool:
    """Whether the identity provider has asked for a second factor."""
    methods = claims.get("amr") or []
    return settings.OIDC_SECOND_FACTOR or bool(FACTORS & {str(one) for one in methods})


def _linked(claims: Mapping[str, Any]) -> Any:
    link = SingleSignOn.objects.filter(issuer=settings.OIDC_ISSUER, subject=str(claims["sub"])).select_related("user").first()
    return link.user if link is not None else None


def _known(claims: Mapping[str, Any]) -> Any:
    """Return the person whom somebody has added with this user name, if no other identity has signed in as that person."""
    name = str(claims.get(settings.OIDC_USERNAME_CLAIM) or "")
    user = get_user_model().objects.filter(username=name).first() if name else None
    if user is not None and SingleSignOn.objects.filter(user=user).exists():
        raise _refused(Detail("another identity signs in as {name}", name=name))
    return user


def _added(claims: Mapping[str, Any]) -> Any:
    name = str(claims.get(settings.OIDC_USERNAME_CLAIM) or "")
    clients = list(Client.objects.filter(pk__in=settings.OIDC_CLIENT_NOS))
    if not name or not clients:
        raise _refused(Detail("nobody has added {name} here", name=name or str(claims["sub"])))
    user: Any = get_user_model()(
        username=name,
        first_name=str(claims.get("given_name") or "")[:150],
        last_name=str(claims.get("family_name") or "")[:150],
        email=str(claims.get("email") or "")[:254],
        is_staff=True,
    )
    user.set_unusable_password()
    user.full_clean()
    user.save()
    user.clients.set(clients)
    record(user, BY_PROVIDER, "person.added", roles=[], is_active=True)
    return user


def _give_roles(user: Any, roles: Iterable[Group]) -> None:
    before, after = sorted(one.name for one in user.groups.all()), [one.name for one in roles]
    if before != after:
        user.groups.set(roles)
        record(user, BY_PROVIDER, "person.changed", before={"roles": before, "is_active": True}, roles=after, is_active=True)


def _refused(detail: Detail) -> BillingError:
    return BillingError(ErrorCode.SINGLE_SIGN_ON_REFUSED, detail)


def check_has_role(user: Any) -> None:
    """Refuse (90294) a person without a role."""
    if not user.groups.exists():
        raise _refused(Detail("none of your groups gives you a role"))
