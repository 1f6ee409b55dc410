"""What knows nothing of billing: storage, pages of lists, values as people write them, limits."""
