"""Pages of accounts, invoices, approval and billing runs."""
