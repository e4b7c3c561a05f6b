"""What lesson 04 and its deck quote, a module a question."""
