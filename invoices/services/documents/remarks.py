"""What staff add to a document when they decide on it."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Remarks(NamedTuple):
    """The reason of a decision, and a note and custom status for the document. None or an empty text keeps the current
    value."""

    reason: str = ""
    client_notes: str | None = None
    custom_status_label: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Remarks":
        """Make remarks from the values with these names, ignoring others."""
        return cls(**{name: values[name] for name in cls._fields if name in values})

    def columns(self) -> dict[str, str]:
        values = {"client_notes": self.client_notes, "custom_status_label": self.custom_status_label}
        return {name: value for name, value in values.items() if value}


NO_REMARKS = Remarks()
