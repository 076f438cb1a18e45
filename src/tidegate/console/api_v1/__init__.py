"""The JSON API under /api/v1: what the pages can do, for programs, by a personal access token."""

from tidegate.console.api_v1.api import routes

__all__ = ["routes"]
