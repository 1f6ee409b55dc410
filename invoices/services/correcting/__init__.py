"""Credit memos, write-offs, disputes, and acts that a second person must approve."""
