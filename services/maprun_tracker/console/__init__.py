"""The web console: files that a browser runs, on the API that everybody has."""

from services.maprun_tracker.console.files import routes

__all__ = ["routes"]
