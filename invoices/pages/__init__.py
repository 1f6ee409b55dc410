"""The back office's pages of accounts, invoices, their approval and billing runs."""
