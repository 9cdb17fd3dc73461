"""Who asks the API: signatures verified, used once, and what their keys may do."""
