"""Backups: one encrypted file with the rows of all tables and the stored files, the same for SQLite and PostgreSQL.

`sealing` encrypts, `blocks` says how the content is laid out, `tables` reads and writes rows on either database, `migrations`
compares versions, `writing` takes a backup and `reading` restores it.
"""


class BackupError(Exception):
    """A backup cannot be taken or restored. The message says why, and what to do."""
