"""Work in the background: who works, and what they have claimed."""
