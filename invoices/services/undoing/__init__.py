"""Taking documents back: discarding pending ones, voiding issued ones, opening their periods again."""
