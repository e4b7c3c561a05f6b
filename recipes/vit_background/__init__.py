"""What lesson 02 claims of transformers, backgrounds, scores and patches, measured."""
