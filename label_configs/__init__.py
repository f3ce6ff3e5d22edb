"""What annotators see, and what an answer means: records, rules, and one template with one module per form."""
