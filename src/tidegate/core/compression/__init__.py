"""Tool results made shorter without losing a line. Pure: text in, text out."""
