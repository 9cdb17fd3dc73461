"""Requests to start, change or ask: what is refused with AWS's words, and the machines they may name. Pure."""
