"""Pairs whose grade is known: what annotators say of them, who answers carefully, and where gold comes from."""
