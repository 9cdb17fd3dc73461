"""The process and its circumstances: settings, clock, limits, logs, health."""
