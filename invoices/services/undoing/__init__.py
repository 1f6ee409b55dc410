"""Discard pending documents, void issued ones, and make their periods due again."""
