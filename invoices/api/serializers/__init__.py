"""Serializers of invoices and of what they bill."""
