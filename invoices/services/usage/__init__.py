"""Load, remove and move usage records, and find their plan instances."""
