"""The JSON API under /api/v1: what the pages can do, for programs, by a personal access token."""
