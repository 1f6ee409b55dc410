"""Documents, what waits for them, what is taken off them, runs and tax rates in the admin. Importing it registers them."""

from invoices.admin import accounts, credits, documents, lines, runs, taxes, waiting

__all__ = ["accounts", "credits", "documents", "lines", "runs", "taxes", "waiting"]
