"""What runs on one database only, in a run of the suite on both: there the database makes no difference.

What stays on both: services, the audit, races and kills, constraints, lists with their filters, orders and pages, how amounts
are stored and added up, and a walk over every page (tests/test_database_troubles.py). What PostgreSQL alone refuses is sent to
every operation there (EVERYTHING), and the queries of every operation are counted there (COUNTED).
"""

import os
from zlib import crc32

from django.db import connection

NO_DATABASE = (
    "test_architecture.py",
    "test_catalogues.py",
    "test_deploy.py",
    "test_indexes.py",
    "test_licences.py",
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

ONLY_SQLITE = (
    "browser",
    "test_documentation.py",
    "test_insight.py",
    "test_wheel.py",
    "invoices/test_mail_provider.py",
    "invoices/test_webhook_processes.py",
    "invoices/test_work_processes.py",
)
"""Processes and browsers that share a file of SQLite with the test, or get a copy of its tables."""

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

DOORS = (
    "test_spellings.py",
    "test_vendor_names.py",
    "accounts/test_api.py",
    "accounts/test_api_refusals.py",
    "accounts/test_aria_catalogue.py",
    "accounts/test_calls.py",
    "accounts/test_changes_api.py",
    "accounts/test_clock_api.py",
    "accounts/test_rates_api.py",
    "invoices/money/test_money_api.py",
    "invoices/money/test_stripe_webhook.py",
    "invoices/privacy/test_doors.py",
    "invoices/test_approval_rules_doors.py",
    "invoices/test_aria_accounts_and_plans.py",
    "invoices/test_aria_corrections.py",
    "invoices/test_aria_customers.py",
    "invoices/test_aria_documents.py",
    "invoices/test_aria_money.py",
    "invoices/test_aria_usage_and_credits.py",
    "invoices/test_gen_invoice_api.py",
    "invoices/test_invoice_api.py",
    "invoices/test_invoice_decisions_api.py",
    "invoices/test_remarks_api.py",
    "invoices/test_run_api.py",
    "invoices/test_schedule_api.py",
    "invoices/test_settings_api.py",
    "invoices/test_usage_api.py",
    "rebills/test_campaigns_api.py",
    "rebills/test_gen_rb_m.py",
    "rebills/test_pending_api.py",
    "rebills/test_rebills_api.py",
)
"""Calls of the REST API and of the methods: a door reads what is sent, asks a service, and shows what it gives. On PostgreSQL
EVERYTHING calls each operation too."""

RIGHTS = (
    "test_rights.py",
    "test_rights_of_pages.py",
    "test_sessions_that_end.py",
    "accounts/test_guessed_passwords.py",
    "accounts/test_own_account.py",
    "accounts/test_passkeys.py",
    "accounts/test_single_sign_on.py",
    "rebills/test_roles.py",
)
"""Who may do what, and who signs in how: a door decides it from the permissions of one user or key, or from a session."""

SHOWN = (
    "test_languages.py",
    "accounts/test_pages.py",
    "accounts/test_pages_of_another_client.py",
    "invoices/documents/test_e_invoices.py",
    "invoices/documents/test_every_kind_of_document.py",
    "invoices/documents/test_files.py",
    "invoices/documents/test_logo_page.py",
    "invoices/documents/test_odd_data.py",
    "invoices/documents/test_parties_and_references.py",
    "invoices/documents/test_payment_means.py",
    "invoices/documents/test_profiles.py",
    "invoices/documents/test_public_examples.py",
    "invoices/documents/test_real_input.py",
    "invoices/documents/test_tax_identity.py",
    "invoices/documents/test_without_pango.py",
    "invoices/money/test_stripe.py",
    "invoices/reports/test_pages.py",
    "invoices/test_account_pages.py",
    "invoices/test_act_pages.py",
    "invoices/test_addition_pages.py",
    "invoices/test_catalogue_pages.py",
    "invoices/test_dated_rows_pages.py",
    "invoices/test_invoice_page.py",
    "invoices/test_mail_texts.py",
    "invoices/test_new_customer_page.py",
    "invoices/test_one_off_page.py",
    "invoices/test_people_pages.py",
    "invoices/test_plan_change_preview.py",
    "invoices/test_plan_terms_pages.py",
    "invoices/test_run_pages.py",
    "invoices/test_run_wizard.py",
    "invoices/test_schedule_page.py",
    "invoices/test_settings_pages.py",
    "invoices/test_silent_mail_server.py",
    "invoices/test_usage_file_page.py",
    "invoices/test_waiting_pages.py",
    "rebills/test_adjust_pages.py",
    "rebills/test_builder.py",
    "rebills/test_builder_limits.py",
    "rebills/test_campaign_pages.py",
    "rebills/test_difference_page.py",
    "rebills/test_explanation.py",
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

EVERYTHING = (
    "test_bare_pages.py",
    "test_examples.py",
    "test_hostile_input.py",
    "test_hostile_resources.py",
    "test_long_numbers.py",
)
"""Walks over all pages and operations, with bare rows and hostile values. PostgreSQL refuses more of them than SQLite."""

COUNTED = ("test_constant_queries.py",)
"""The numbers of queries of every operation. Services ask both databases the same. Only PostgreSQL gets several statements in
one round trip, and the test counts them one by one, so what SQLite would be asked is counted too. Only PostgreSQL has COPY."""

ANY_AMOUNT = (
    "invoices/money/test_memo_properties.py",
    "invoices/test_changes_over_time.py",
    "rebills/test_rebill_properties.py",
)
"""What holds for random amounts and acts. `make soak` tries many more of them on both databases. That both store amounts alike
is tested with literal ones: accounts/test_exact_decimals.py, accounts/test_storage.py, invoices/test_currency_decimals.py."""

ONCE = {
    "sqlite": (*NO_DATABASE, *ONLY_SQLITE, *ARGUMENTS, *DOORS, *RIGHTS, *SHOWN),
    "postgresql": (*ADMIN, *EVERYTHING, *COUNTED, *ANY_AMOUNT),
}
"""Files and folders of tests by the one database that has them. PostgreSQL has what it alone may refuse."""


def is_audited_here(test: str) -> bool:
    """Whether the books that a test leaves are audited on this run's database. Where the suite runs on both, that is one of
    them, by the test's name: an audit takes longer than most tests, both databases get the same rows, and the audits themselves
    are tested on both."""
    if "TEST_PART" not in os.environ or any(test.startswith(f"tests/{name}") for names in ONCE.values() for name in names):
        return True
    databases = ("sqlite", "postgresql")
    return databases[crc32(test.encode()) % 2] == connection.vendor
