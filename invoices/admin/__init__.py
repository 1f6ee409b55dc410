"""Documents, billing runs and tax rates in the Django admin. Importing this package registers them."""

from invoices.admin import accounts, documents, runs, taxes

__all__ = ["accounts", "documents", "runs", "taxes"]
