"""Credit memos, write-offs, and what a second person has to confirm."""
