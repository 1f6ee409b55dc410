"""Aria's method calls for documents and money."""
