"""Storages of documents that do not work."""

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
