"""Queries for pages and lists of accounts and documents."""
