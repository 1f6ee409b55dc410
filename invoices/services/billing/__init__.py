"""Generating invoices, runs of many, and what is added to the next invoice."""
