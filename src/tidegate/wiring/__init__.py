"""The composition root: here objects are built from the settings and given to each other."""
