"""Triggers that keep rows as they were written, on SQLite and PostgreSQL: who wants to alter one is refused by the database.

An app registers its guards when it is ready. `migrate` takes the guards off while it works, because SQLite drops the triggers
of a table that it makes anew and migrations may change stored rows, and puts them on again. `check --database default` finds
a guard that is missing. Within one transaction `lifted` opens them all, for an act that must change what is guarded.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from django.core.checks import CheckMessage, Error
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.translation import gettext as _

LIFTED = "accounts_liftedguard"
"""The table in which a row, seen by its own transaction only, opens the guards."""
PREFIX = "guard_"
_registered: list["Guard"] = []


@dataclass(frozen=True, kw_only=True)
class Guard:
    """One trigger. `while_old` and `unless` are SQL conditions on OLD and NEW: the first may read OLD alone and cheaply, the
    second may look elsewhere. Columns in `may_change` are free, and those in `may_be_emptied` may become NULL."""

    model: type[models.Model]
    operation: Literal["UPDATE", "DELETE"]
    while_old: str = ""
    only_if: str = ""
    may_become: str = ""
    may_change: tuple[str, ...] = ()
    may_be_emptied: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def message(self) -> str:
        act = "changed" if self.operation == "UPDATE" else "deleted"
        return f"rows of {self.table} may not be {act}"

    @property
    def cheap_condition(self) -> str:
        return " AND ".join(f"({one})" for one in (self.while_old, self._altered) if one)

    @property
    def name(self) -> str:
        """The name of the trigger. It ends with a hash of what it says, so one that says something else has another name."""
        said = repr((self.operation, self.cheap_condition, self.only_if))
        return f"{PREFIX}{self.table}_{self.operation.lower()}"[:52] + f"_{sha256(said.encode()).hexdigest()[:8]}"

    @property
    def _altered(self) -> str:
        """The condition that an update changes what it may not, or nothing where each deletion is one."""
        if self.operation == "DELETE":
            return ""
        columns = [field.column for field in self.model._meta.local_concrete_fields if field.column]
        different = [_is_different(name) for name in columns if name not in (*self.may_change, *self.may_be_emptied)]
        emptied = [name for name in columns if name in self.may_be_emptied]
        filled = [f"{_is_different(name)} AND NEW.{name} IS NOT NULL" for name in emptied]
        return " OR ".join((*different, *filled, *([f"NOT ({self.may_become})"] if self.may_become else [])))


def _is_different(column: str) -> str:
    return f"OLD.{column} IS DISTINCT FROM NEW.{column}"


def append_only(*tables: type[models.Model], may_be_emptied: tuple[str, ...] = ()) -> list[Guard]:
    """Return guards that let rows be added, and neither changed nor deleted."""
    return [
        guard
        for model in tables
        for guard in (
            Guard(model=model, operation="UPDATE", may_be_emptied=may_be_emptied),
            Guard(model=model, operation="DELETE"),
        )
    ]


def register_guards(guards: Iterable[Guard]) -> None:
    _registered.extend(guards)


def registered_guards() -> tuple[Guard, ...]:
    return tuple(_registered)


@contextmanager
def lifted(using: str = "default") -> Iterator[None]:
    """Open all guards for what the block does, in a transaction of its own or in the current one. No other one sees it."""
    with transaction.atomic(using), connections[using].cursor() as cursor:
        cursor.execute(f"INSERT INTO {LIFTED} (id) VALUES (1)")
        yield
        cursor.execute(f"DELETE FROM {LIFTED} WHERE id = 1")


def put_on_guards(using: str = "default", **signal: Any) -> None:
    """Create the triggers that are missing, and drop those of before that say something else. The receiver of post_migrate."""
    connection = connections[using]
    found = _names(connection)
    missing = [guard for guard in _registered if guard.name not in found]
    outdated = found.keys() - {guard.name for guard in _registered}
    with connection.cursor() as cursor:
        for name in outdated:
            cursor.execute(_dropping(connection, name, found[name]))
        tables = set(connection.introspection.table_names(cursor)) if missing else set()
        for guard in missing:
            if {guard.table, LIFTED} <= tables:
                for statement in _creating(connection, guard):
                    cursor.execute(statement)


def take_off_guards(using: str = "default", plan: Any = None, **signal: Any) -> None:
    """Drop the triggers before migrations are done. The receiver of pre_migrate."""
    connection = connections[using]
    if plan:
        with connection.cursor() as cursor:
            for name, table in _names(connection).items():
                cursor.execute(_dropping(connection, name, table))


def check_guards(app_configs: Any, databases: Iterable[str] | None = None, **options: Any) -> list[CheckMessage]:
    """Find guards that are missing, and an open transaction's leave that was stored."""
    found: list[CheckMessage] = []
    for using in databases or []:
        connection = connections[using]
        with connection.cursor() as cursor:
            tables = set(connection.introspection.table_names(cursor))
            lifted_for_ever = LIFTED in tables and bool(_all(cursor, f"SELECT 1 FROM {LIFTED}"))
        names = _names(connection)
        missing = sorted({guard.table for guard in _registered if guard.table in tables and guard.name not in names})
        if missing and LIFTED in tables:
            message = _("The database no longer keeps rows of these tables from being altered: %(tables)s.")
            hint = _("Find out who has dropped the triggers. `manage.py migrate` puts them on again.")
            found.append(Error(message % {"tables": ", ".join(missing)}, hint=hint, id="billing.E001"))
        if lifted_for_ever:
            message = _("The table %(table)s has a row, so no row of any table is guarded.")
            hint = _("Find out who has written it, delete it, and run an audit.")
            found.append(Error(message % {"table": LIFTED}, hint=hint, id="billing.E002"))
    return found


def _names(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return the tables of our triggers by the names of the triggers."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            query = "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE starts_with(tgname, %s) AND NOT tgisinternal"
        else:
            query = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE %s || '%%'"
        return dict(_all(cursor, query, [PREFIX]))


def _all(cursor: Any, query: str, parameters: Iterable[Any] = ()) -> list[Any]:
    cursor.execute(query, parameters)
    return list(cursor.fetchall())


def _creating(connection: BaseDatabaseWrapper, guard: Guard) -> list[str]:
    refused = f"NOT EXISTS (SELECT 1 FROM {LIFTED})" + (f" AND ({guard.only_if})" if guard.only_if else "")
    when = f"WHEN ({guard.cheap_condition})" if guard.cheap_condition else ""
    if connection.vendor != "postgresql":
        body = f"SELECT RAISE(ABORT, '{guard.message}') WHERE {refused};"
        return [f"CREATE TRIGGER {guard.name} BEFORE {guard.operation} ON {guard.table} FOR EACH ROW {when} BEGIN {body} END"]
    row = "NEW" if guard.operation == "UPDATE" else "OLD"
    raised = f"RAISE EXCEPTION '{guard.message}' USING ERRCODE = 'restrict_violation'"
    return [
        f"CREATE OR REPLACE FUNCTION {guard.name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {refused} THEN {raised}; END IF; RETURN {row}; END $$",
        f"CREATE TRIGGER {guard.name} BEFORE {guard.operation} ON {guard.table} FOR EACH ROW {when} "
        f"EXECUTE FUNCTION {guard.name}()",
    ]


def _dropping(connection: BaseDatabaseWrapper, name: str, table: str) -> str:
    if connection.vendor == "postgresql":
        return f"DROP FUNCTION IF EXISTS {name} CASCADE"
    return f"DROP TRIGGER IF EXISTS {name}"
