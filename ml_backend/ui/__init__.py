"""The admin's page at `/ui`: a query's pool before anything is stored, and the settings that it follows from."""

from ml_backend.ui.pages import blueprint

__all__ = ["blueprint"]
