"""Who asked: the person or key that is answerable, and what the call said about its own sender."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from accounts.models import ApiKey
from accounts.receipts import Claim


@dataclass(frozen=True)
class Caller:
    """The sender of one call. Exactly one of staff, api_key and process is answerable for it.

    `declared` holds alt_caller_id, application_id, application_date and the transaction qualifiers: anyone can write them, so
    they are kept for the record and decide nothing. `receipt` is what the call is to be known by if it comes again. `approval`
    is set where another person has approved what this one asked for.
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
        """Who must differ under the four-eyes rule: the staff user or the API key."""
        if self.staff is not None:
            return f"staff:{self.staff.pk}"
        if self.api_key is not None:
            return f"key:{self.api_key.pk}"
        return f"process:{self.process}"

    @property
    def people(self) -> frozenset[str]:
        """The identities that four eyes take for one: a key stands for who made or rotated it, through all rotations."""
        return frozenset([self.identity, *(self.api_key.stands_for if self.api_key is not None else ())])


class Approval(NamedTuple):
    """The request that is carried out, by its number, and who has approved it."""

    act_no: int
    by: Caller
