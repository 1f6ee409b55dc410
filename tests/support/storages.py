"""Storages of documents that do not work, and how a test uses one."""

import errno
import os
from typing import Any

from django.core.files.storage import FileSystemStorage


class FullStorage(FileSystemStorage):
    """A disk without room."""

    def _save(self, name: str, content: Any) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class AwayStorage(FileSystemStorage):
    """A server that does not answer. What it raises may hold secrets."""

    def _save(self, name: str, content: Any) -> str:
        raise RuntimeError("no connection to https://key:secret@storage.example.com")


def keep_documents_in(settings: Any, storage: str = "") -> None:
    """Keep documents in another storage of this module, or again in a folder."""
    backend = f"tests.support.storages.{storage}" if storage else "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "documents": {**settings.STORAGES["documents"], "BACKEND": backend}}
