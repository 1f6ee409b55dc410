"""Decide on pending documents: approve, discard, regenerate."""
