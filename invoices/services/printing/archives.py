"""Files of many documents as one ZIP, written as it is read: in memory is one file at a time."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from django.utils.translation import gettext as _

from billing_site.errors import BillingError
from invoices.models import DocumentFile
from invoices.services.printing.files import content_of_file

MISSING = "missing.txt"


class _Written(io.RawIOBase):
    """Takes what a ZIP writes, until it is taken away."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: object) -> int:
        content = bytes(cast(bytes, part))
        self.parts.append(content)
        return len(content)

    def take(self) -> bytes:
        taken = b"".join(self.parts)
        self.parts.clear()
        return taken


def zip_of_files(files: Iterable[DocumentFile], owed: int, texts: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """Return the parts of a ZIP with these texts and files. A text file in it says which files are missing, and how many are
    still owed."""
    written = _Written()
    missing = []
    with zipfile.ZipFile(cast(io.BufferedIOBase, written), "w", zipfile.ZIP_STORED) as archive:
        for name, text in (texts or {}).items():
            archive.writestr(name, text)
            yield written.take()
        for file in files:
            try:
                found = content_of_file(file)
            except BillingError as refusal:
                missing.append(f"{file.invoice}: {refusal.message}")
                continue
            archive.writestr(f"{file.invoice_id}-{found.name}", found.content)
            yield written.take()
        if owed:
            missing.append(_("%(count)d files are not made yet.") % {"count": owed})
        if missing:
            archive.writestr(MISSING, "\n".join(missing) + "\n")
    yield written.take()
