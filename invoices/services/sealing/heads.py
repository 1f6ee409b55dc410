"""Keep the newest seal of each client outside the database, where whoever can write to the database cannot alter it."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.models import Client
from invoices.models import Seal, SealHead


class CannotStore(Exception):
    """A head could not be stored: the storage failed, or has another head of the same seal."""


class Head(NamedTuple):
    """What is stored outside of a seal. `code` is the code of the seal, so it also stands for all seals before it."""

    client_no: int
    seal_no: int
    code: str
    sealed_at: str

    @property
    def day(self) -> str:
        moment = parse_datetime(self.sealed_at)
        return self.sealed_at if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def store_head(client: Client) -> SealHead | None:
    """Store the client's newest seal outside the database. None if it has none, or that one is stored already.

    Raises CannotStore. It writes the file first: a process that dies in between stores the same again.
    """
    seal = Seal.objects.filter(client=client).order_by("-seal_no").first()
    if seal is None or SealHead.objects.filter(client=client, seal_no=seal.seal_no).exists():
        return None
    name = f"{client.pk}/{seal.seal_no:012}.json"
    head = Head(client.pk, seal.seal_no, seal.code, seal.sealed_at.isoformat())
    try:
        if not _storage().exists(name):
            _storage().save(name, ContentFile(json.dumps(head._asdict()).encode()))
        stored = _read(name)
    except Exception as error:  # Storages raise what their libraries raise.
        raise CannotStore(f"{type(error).__name__}: {error}") from error
    if stored != head:
        raise CannotStore(f"{name} is there already and names another seal")
    kept, _ = SealHead.objects.get_or_create(
        client=client, seal_no=seal.seal_no, defaults={"name": name, "stored_at": timezone.now()}
    )
    return kept


def stored_names(client: Client) -> list[str]:
    """Return the names of the client's heads in the storage, oldest first."""
    try:
        _, files = _storage().listdir(str(client.pk))
    except FileNotFoundError:
        return []
    return sorted(f"{client.pk}/{name}" for name in files)


def stored_heads(names: list[str]) -> Iterator[tuple[str, Head | None]]:
    """Yield the heads of these names. None: it cannot be read as a head."""
    for name in names:
        try:
            yield name, _read(name)
        except (OSError, ValueError, TypeError, KeyError):
            yield name, None


def _read(name: str) -> Head:
    with _storage().open(name) as file:
        return Head(**json.loads(file.read()))


def place_of_heads() -> str:
    """Return where heads are stored: the folder, or the class of the storage. Its options may be secret."""
    return settings.SEALS_STORAGE or settings.SEALS_FOLDER


def _storage() -> Storage:
    return storages["seals"]
