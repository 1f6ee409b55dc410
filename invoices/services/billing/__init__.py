"""Generating invoices, and what is added to the next invoice."""
