"""Code that knows nothing of billing: storage, list pages, values as people write them, limits."""
