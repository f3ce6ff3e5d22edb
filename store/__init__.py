"""What is kept on disk, and how it is read: settings, secrets, corpora, pools, judgments, media."""
