"""The demo: a small captioned corpus, a real open_clip model fitted to it, and simulated annotators."""
