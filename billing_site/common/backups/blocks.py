"""The content of a backup: blocks of a kind, a length and that many bytes, compressed as one stream.

    head    JSON: when and from which database it was taken, and the migrations of its tables
    table   JSON: its name and columns; then rows: lines as COPY of PostgreSQL writes them; then done
    file    JSON: its name in the storage; then bytes; then done
    end     JSON: the numbers of tables, rows and files

`done` of a table is JSON: the number of rows, and the last number that the table has given to a row.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from billing_site.common.backups import BackupError
from billing_site.common.backups.sealing import SealedWriter

HEAD, TABLE, ROWS, FILE, BYTES, DONE, END = b"HTRFBDE"
FULL = 256 * 1024
"""Rows are gathered into blocks of about these bytes. A longer row is a block by itself."""
_SIZES = struct.Struct(">BQ")
_FAST = 1


class Block(NamedTuple):
    kind: int
    data: bytes

    @property
    def says(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.data)
        return said


class BlockWriter:
    def __init__(self, target: SealedWriter) -> None:
        self._target, self._packer = target, zlib.compressobj(_FAST)

    def write(self, kind: int, data: bytes) -> None:
        self._target.write(self._packer.compress(_SIZES.pack(kind, len(data))) + self._packer.compress(data))

    def say(self, kind: int, **said: Any) -> None:
        self.write(kind, json.dumps(said).encode())

    def rows(self, rows: Iterable[bytes]) -> Iterator[int]:
        """Write rows, of which each ends its line, and yield the number of rows of each block."""
        gathered = bytearray()
        count = 0
        for row in rows:
            gathered += row
            count += 1
            if len(gathered) >= FULL:
                self.write(ROWS, bytes(gathered))
                yield count
                gathered.clear()
                count = 0
        if gathered:
            self.write(ROWS, bytes(gathered))
            yield count

    def finish(self) -> None:
        self._target.write(self._packer.flush())
        self._target.finish()


class BlockReader:
    """Reads blocks one after another. Nothing of them counts before `read_to_the_end` has checked the last piece."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._unpacker = pieces, zlib.decompressobj()
        self._kept = bytearray()

    def next(self) -> Block:
        kind, length = _SIZES.unpack(self._take(_SIZES.size))
        return Block(kind, self._take(length))

    def expect(self, kind: int) -> Block:
        block = self.next()
        if block.kind != kind:
            raise BackupError(f"The backup has a block {chr(block.kind)} where {chr(kind)} belongs.")
        return block

    def read_to_the_end(self) -> None:
        """Check what is left of the stream, so that a backup without its last piece is refused."""
        self._kept += self._unpacker.decompress(self._unpacker.unconsumed_tail)
        for piece in self._pieces:
            self._kept += self._unpacker.decompress(piece)
        if self._kept or not self._unpacker.eof:
            raise BackupError("The backup does not end where it says that it does.")

    def _take(self, length: int) -> bytes:
        while len(self._kept) < length:
            self._kept += self._unpacked()
        taken = bytes(self._kept[:length])
        del self._kept[:length]
        return taken

    def _unpacked(self) -> bytes:
        """Return the next content, of limited size also where much was packed into little."""
        if self._unpacker.unconsumed_tail:
            return self._unpacker.decompress(self._unpacker.unconsumed_tail, 4 * FULL)
        piece = next(self._pieces, None)
        if piece is None:
            raise BackupError("The backup ends too early.")
        return self._unpacker.decompress(piece, 4 * FULL)
