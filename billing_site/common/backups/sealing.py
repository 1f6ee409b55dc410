"""A stream that is encrypted and authenticated piece by piece, as the payload of age (age-encryption.org/v1) is.

After a first line and a random salt come pieces of 64 KiB, each encrypted by ChaCha20-Poly1305. The nonce of a piece is its
number and whether it is the last one, and the key is derived from the given key and the salt. So a piece that is altered, left
out, moved, taken from another backup or cut off is found, and nothing that was not checked is passed on.
"""

import base64
import binascii
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from billing_site.common.backups import BackupError

FIRST_LINE = b"billing back office backup 1\n"
SALT_BYTES = KEY_BYTES = 32
PIECE = 64 * 1024
TAG_BYTES = 16


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def key_from(text: str, file: str) -> bytes:
    """Return the 32 bytes of the key: from the text, else from the file. Refuses what is not 32 bytes in base64."""
    if file and not text:
        try:
            text = Path(file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise BackupError(f"The key file {file} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not text:
        raise BackupError("There is no key. Set BACKUP_KEY or BACKUP_KEY_FILE. A new key: openssl rand -base64 32")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise BackupError(f"The key is not {KEY_BYTES} bytes in base64. A new key: openssl rand -base64 32")
    return key


class SealedWriter:
    """Encrypts what is written to it. `finish` writes the last piece: a backup without it is refused as truncated."""

    def __init__(self, target: Writable, key: bytes) -> None:
        salt = os.urandom(SALT_BYTES)
        self._target, self._cipher = target, _cipher(key, salt)
        self._kept = bytearray()
        self._number = 0
        target.write(FIRST_LINE + salt)

    def write(self, data: bytes) -> None:
        self._kept += data
        # The last piece is never empty, so a full one is kept until more follows.
        while len(self._kept) > PIECE:
            self._seal(bytes(self._kept[:PIECE]), is_last=False)
            del self._kept[:PIECE]

    def finish(self) -> None:
        self._seal(bytes(self._kept), is_last=True)

    def _seal(self, piece: bytes, *, is_last: bool) -> None:
        self._target.write(self._cipher.encrypt(_nonce(self._number, is_last), piece, None))
        self._number += 1


def opened(source: Readable, key: bytes) -> Iterator[bytes]:
    """Yield the pieces of a sealed stream, each after it was checked. Refuses a wrong key and a stream that is not whole."""
    if source.read(len(FIRST_LINE)) != FIRST_LINE:
        raise BackupError("This is not a backup, or one of another version of the program.")
    cipher = _cipher(key, source.read(SALT_BYTES))
    number, following = 0, source.read(PIECE + TAG_BYTES)
    while True:
        sealed, following = following, source.read(PIECE + TAG_BYTES)
        yield _open(cipher, number, sealed, is_last=not following)
        if not following:
            return
        number += 1


def _open(cipher: ChaCha20Poly1305, number: int, sealed: bytes, *, is_last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(number, is_last), sealed, None)
    except InvalidTag:
        pass
    if number == 0 and not is_last:
        raise BackupError("The backup was encrypted with another key, or its first bytes were altered.")
    place = f"from byte {len(FIRST_LINE) + SALT_BYTES + number * (PIECE + TAG_BYTES):,} on"
    if is_last:
        also = "encrypted with another key, " if number == 0 else ""
        raise BackupError(f"The backup is {also}truncated or altered {place}. Use another copy of it.")
    raise BackupError(f"The backup is altered {place}. Use another copy of it.")


def _cipher(key: bytes, salt: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(SHA256(), KEY_BYTES, salt, FIRST_LINE).derive(key))


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])
