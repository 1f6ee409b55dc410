"""Index parts of names and companies on PostgreSQL, so that a search for a last name reads no other contact."""

from typing import Any

from django.db import migrations

CREATE = [
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX contact_names_in_parts ON accounts_contact USING gin (UPPER(name) gin_trgm_ops)",
    "CREATE INDEX contact_companies_in_parts ON accounts_contact USING gin (UPPER(company) gin_trgm_ops)",
]
DROP = ["DROP INDEX contact_names_in_parts", "DROP INDEX contact_companies_in_parts"]


def on_postgresql(statements: list[str]) -> Any:
    def run(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            for statement in statements:
                schema_editor.execute(statement)

    return run


class Migration(migrations.Migration):
    replaces = [("accounts", "0014_names_in_parts")]
    dependencies = [("accounts", "0001_tables")]
    operations = [migrations.RunPython(on_postgresql(CREATE), on_postgresql(DROP))]
