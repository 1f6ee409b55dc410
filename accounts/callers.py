"""Who makes a call: the accountable person, API key or process, and what the call declares about its sender."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from accounts.models import ApiKey
from accounts.receipts import Claim


@dataclass(frozen=True)
class Caller:
    """The sender of one call. Exactly one of staff, api_key and process is accountable for it.

    `declared` holds alt_caller_id, application_id, application_date and the transaction qualifiers. They are stored for the
    record and never decide anything, because anyone can write them. `receipt` identifies a retry of the call. `approval` is set
    if another person approved the requested act.
    """

    staff: Any = None
    api_key: ApiKey | None = None
    process: str = ""
    declared: dict[str, Any] = field(default_factory=dict)
    request_id: str = ""
    receipt: Claim | None = None
    approval: "Approval | None" = None

    @property
    def identity(self) -> str:
        """The identity that must differ under the four-eyes rule: a staff user or an API key."""
        if self.staff is not None:
            return f"staff:{self.staff.pk}"
        if self.api_key is not None:
            return f"key:{self.api_key.pk}"
        return f"process:{self.process}"

    @property
    def people(self) -> frozenset[str]:
        """The identities that count as one for four eyes: a key stands for the people who created or rotated it, over all
        rotations."""
        return frozenset([self.identity, *(self.api_key.stands_for if self.api_key is not None else ())])


class Approval(NamedTuple):
    """The number of the requested act that is carried out, and who approved it."""

    act_no: int
    by: Caller
