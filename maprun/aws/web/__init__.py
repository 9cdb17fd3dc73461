"""Calls over HTTP that no SDK makes, and which addresses they may reach."""
