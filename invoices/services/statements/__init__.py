"""Sending documents to customers."""
