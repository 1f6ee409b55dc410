"""The back office's pages, and what all of them share."""
