"""What staff add to a document when they decide on it."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Remarks(NamedTuple):
    """What staff add to a pending invoice when they decide on it. An empty note or custom status, or None, leaves what stands
    there: at every door."""

    reason: str = ""
    client_notes: str | None = None
    custom_status_label: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Remarks":
        """Those among what a caller has given, by their names."""
        return cls(**{name: given[name] for name in cls._fields if name in given})

    def columns(self) -> dict[str, str]:
        given = {"client_notes": self.client_notes, "custom_status_label": self.custom_status_label}
        return {name: value for name, value in given.items() if value}


NO_REMARKS = Remarks()
