"""Deciding on pending documents: approve, discard, recalculate."""
