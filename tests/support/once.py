"""The tests that run on one database only, in a run of the suite on both: there the database makes no difference.

What stays on both: services, the audit, races and kills, constraints, lists with their filters, orders and pages, how amounts
are stored and added up, and a walk over every page (tests/test_database_troubles.py).
"""

NO_DATABASE = (
    "test_architecture.py",
    "test_catalogues.py",
    "test_deploy.py",
    "test_indexes.py",
    "test_parsers.py",
    "test_reference.py",
    "test_runner.py",
    "accounts/test_currencies.py",
    "accounts/test_periods.py",
    "invoices/money/test_allocating.py",
    "invoices/money/test_stripe_answers.py",
    "invoices/test_calculation.py",
    "invoices/test_credit_lines.py",
    "invoices/test_cycles_over_years.py",
    "invoices/test_document.py",
    "invoices/test_fingerprints.py",
    "invoices/test_line_types.py",
    "invoices/test_rating.py",
    "rebills/test_lines.py",
    "rebills/test_taxes.py",
)
"""Pure calculations, texts, and what is read from the code. Nearly none of them opens a database."""

ONLY_SQLITE = ("browser", "test_documentation.py", "invoices/test_work_processes.py")
"""Processes and browsers that share a file of SQLite with the test."""

ARGUMENTS = (
    "test_dispatcher.py",
    "test_doubles.py",
    "test_method_fields.py",
    "test_parameters_of_pages.py",
    "test_schema.py",
    "test_unknown_members.py",
    "accounts/test_company_numbers.py",
    "invoices/test_aria_arguments.py",
    "invoices/money/test_misspelt_members.py",
)
"""What is read from a request, or refused, before the database is asked. tests/test_examples.py and the tests of each door send
what is stored."""

RIGHTS = ("test_rights.py", "test_rights_of_pages.py", "test_sessions_that_end.py", "rebills/test_roles.py")
"""Who may do what: a door decides it from the permissions of one user or key, or from a session."""

SHOWN = (
    "test_languages.py",
    "invoices/documents/test_files.py",
    "invoices/documents/test_tax_identity.py",
    "invoices/documents/test_without_pango.py",
    "invoices/money/test_stripe.py",
    "invoices/test_invoice_page.py",
    "invoices/test_plan_change_preview.py",
    "invoices/test_run_pages.py",
    "invoices/test_run_wizard.py",
    "invoices/test_schedule_page.py",
    "invoices/test_silent_mail_server.py",
    "rebills/test_builder.py",
    "rebills/test_builder_limits.py",
    "rebills/test_difference_page.py",
)
"""Pages, files, mails and messages to a gateway: they show or send what services give them, and services are tested on both."""

ADMIN = (
    "test_admin_rows.py",
    "accounts/test_admin.py",
    "accounts/test_admin_prices.py",
    "accounts/test_files.py",
    "invoices/test_admin.py",
    "invoices/test_admin_audits.py",
    "invoices/test_admin_billed.py",
    "invoices/test_admin_decisions.py",
    "invoices/test_admin_every_model.py",
    "invoices/test_admin_extras.py",
    "invoices/money/test_admin_money.py",
    "rebills/test_admin_rebills.py",
)
"""The forms of the admin. Its lists are sorted and filtered on both databases."""

EVERYTHING = ("test_bare_pages.py", "test_examples.py", "test_hostile_input.py", "test_hostile_resources.py")
"""Walks over all pages and operations, with bare rows and hostile values. PostgreSQL refuses more of them than SQLite."""

ANY_AMOUNT = (
    "invoices/money/test_memo_properties.py",
    "invoices/test_changes_over_time.py",
    "rebills/test_rebill_properties.py",
)
"""What holds for random amounts and acts. `make soak` tries many more of them on both databases. That both store amounts alike
is tested with literal ones: accounts/test_exact_decimals.py, accounts/test_storage.py, invoices/test_currency_decimals.py."""

ONCE = {
    "sqlite": (*NO_DATABASE, *ONLY_SQLITE, *ARGUMENTS, *RIGHTS, *SHOWN),
    "postgresql": (*ADMIN, *EVERYTHING, *ANY_AMOUNT),
}
"""Files and folders of tests by the one database that has them. PostgreSQL has what it alone may refuse."""
