"""What the data are worth: figures that gates read (`summary`), all of them (`figures`), and a page (`page`)."""

from sync.report.summary import Gold, Summary, summary

__all__ = ["Gold", "Summary", "summary"]
