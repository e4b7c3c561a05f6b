"""The search as a service: a gallery behind HTTP, its page, its container, its cloud.

A module imports only from its left: settings · pictures, encoder, store, index · gallery · ingest ·
guard, metrics, models · api · connection · __main__, aws. None of those that answer a request imports torch.
"""
