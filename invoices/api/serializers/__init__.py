"""Invoices and what they bill, on the wire."""
