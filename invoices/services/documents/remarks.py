"""What staff add to a document when they decide on it."""

from typing import NamedTuple


class Remarks(NamedTuple):
    """What staff add to a pending invoice when they decide on it. None leaves what stands there."""

    reason: str = ""
    client_notes: str | None = None
    custom_status_label: str | None = None

    def columns(self) -> dict[str, str]:
        given = {"client_notes": self.client_notes, "custom_status_label": self.custom_status_label}
        return {name: value for name, value in given.items() if value is not None}
