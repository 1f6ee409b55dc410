"""Where sessions are kept (SESSION_ENGINE), how long they last, and how they are ended.

A session is a row that knows its user, so that all sessions of a person can be shown and ended. Its end is stored in the row: a
session that was not used for SESSION_IDLE_MINUTES, or that is SESSION_HOURS old, is not found any more.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import Error, transaction
from django.utils import timezone

from billing_site.common.storage import is_not_writable

SIGNED_IN_AT, ADDRESS, BROWSER = "signed_in_at", "address", "browser"
"""What a session keeps from when its user signed in."""
FACTOR = "second_factor"
"""The second factor that was shown in the session: one of FACTORS. Without it, none was."""


class SessionStore(DatabaseStore):
    """Sessions as rows of `StaffSession`."""

    row: Any = None
    """The stored row, once it was read."""

    @classmethod
    def get_model_class(cls) -> Any:
        from accounts.models import StaffSession  # Models are not ready when the settings name this module.

        return StaffSession

    def _get_session_from_db(self) -> Any:
        self.row = super()._get_session_from_db()  # type: ignore[misc]
        return self.row

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        from accounts.models.signing_in import end_of_session

        row: Any = super().create_model_instance(data)
        signed_in = data.get(SIGNED_IN_AT)
        row.user_id = _number(data.get(SESSION_KEY))
        row.signed_in_at = datetime.fromisoformat(signed_in) if signed_in else None
        row.last_used_at = timezone.now()
        is_same = self.row is not None and self.row.user_id is not None and self.row.user_id == row.user_id
        row.address, row.browser = self.row.address if is_same else data.get(ADDRESS, ""), data.get(BROWSER, "")
        row.expire_date = end_of_session(row.signed_in_at, row.last_used_at)
        return row

    def note_use(self, address: str) -> bool:
        """Record that the session is used, to the minute, so most requests write nothing. Return False if it was ended
        meanwhile. Skipped if the database is read-only."""
        from accounts.models.signing_in import end_of_session

        now, row = timezone.now(), self.row
        if row is None or (now - row.last_used_at).total_seconds() < 60:
            return True
        values = {"last_used_at": now, "expire_date": end_of_session(row.signed_in_at, now), "address": address[:45]}
        row.address = values["address"]
        try:
            with transaction.atomic():
                return bool(self.model.objects.filter(pk=row.pk).update(**values))
        except Error as error:
            if not is_not_writable(error):
                raise
            return True


def delete_ended_sessions() -> int:
    """Delete the sessions that have ended, of all people, and return how many."""
    return int(SessionStore.get_model_class().objects.filter(expire_date__lt=timezone.now()).delete()[0])


def _number(text: Any) -> int | None:
    return int(text) if text else None


def end_sessions(users: Collection[int], *, but: str | None = None) -> int:
    """End the sessions of users, by their numbers, but for one with this key, and return how many."""
    rows = SessionStore.get_model_class().objects.filter(user__in=users)
    return int(rows.exclude(pk=but).delete()[0] if but else rows.delete()[0])
