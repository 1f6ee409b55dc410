"""Reports for finance as pages and as CSV."""
