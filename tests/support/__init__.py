"""What tests share: acts in a line, worlds, and readers of what came of them. No test stands here."""
