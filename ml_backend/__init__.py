"""Corpus in, pools and predictions out: encoders, vectors, index, proposers, negatives, the Flask app."""
