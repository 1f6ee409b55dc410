"""How staff sign in: their sessions, and their second factors."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

USER = settings.AUTH_USER_MODEL


class StaffSession(AbstractBaseSession):
    """A session, with whose it is and when it was last used. Without a user: somebody who has not signed in yet."""

    user = models.ForeignKey(USER, on_delete=models.CASCADE, null=True, related_name="sessions")
    signed_in_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(default=timezone.now, help_text=_("To the minute."))
    address = models.CharField(max_length=45, blank=True, default="", help_text=_("The address of the last use."))
    browser = models.CharField(max_length=200, blank=True, default="", help_text=_("What the browser says it is."))

    class Meta(AbstractBaseSession.Meta):
        default_permissions = ()
        verbose_name = _("session")  # type: ignore[assignment]
        verbose_name_plural = _("sessions")  # type: ignore[assignment]

    @classmethod
    def get_session_store_class(cls) -> Any:
        from accounts.sessions import SessionStore  # It is made for this model.

        return SessionStore


def end_of_session(signed_in_at: Any, last_used_at: Any) -> Any:
    """Return when a session ends if it is not used again: after the idle limit, and at the latest after the absolute one."""
    idle = last_used_at + timedelta(minutes=settings.SESSION_IDLE_MINUTES)
    return idle if signed_in_at is None else min(idle, signed_in_at + timedelta(hours=settings.SESSION_HOURS))


class AuthenticatorApp(models.Model):
    """The app that shows a person's codes (TOTP, RFC 6238). One for each person."""

    user = models.OneToOneField(USER, on_delete=models.CASCADE, related_name="authenticator_app")
    secret = models.TextField(help_text=_("The shared secret, encrypted with SECRET_KEY."))
    last_step = models.BigIntegerField(
        help_text=_("The time step of the last code that was used. It and earlier ones are refused.")
    )
    added_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.user_id)


class Passkey(models.Model):
    """A passkey of a person (WebAuthn): a public key, whose private half never leaves the person's device."""

    user = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=100)
    credential_id = models.CharField(max_length=1400, unique=True, help_text=_("In base64url."))
    public_key = models.TextField(help_text=_("The attested credential data, in base64url."))
    sign_count = models.BigIntegerField(default=0, help_text=_("Uses that the device has counted. 0: it does not count."))
    added_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class RecoveryCode(models.Model):
    """A code that replaces a second factor once. Only its hash is kept."""

    user = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="recovery_codes", db_index=False)
    code_hash = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="one_recovery_code_per_hash")]
        indexes = [models.Index(fields=["user"], condition=Q(used_at=None), name="recovery_codes_left")]

    def __str__(self) -> str:
        return str(self.user_id)


class SingleSignOn(models.Model):
    """By which identity of an identity provider a person signs in."""

    user = models.OneToOneField(USER, on_delete=models.CASCADE, related_name="single_sign_on")
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="one_person_per_subject")]

    def __str__(self) -> str:
        return self.subject
