"""What lesson 03 shows and is too long to measure in it, a module a question."""
