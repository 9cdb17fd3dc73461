"""Every value that crosses a process boundary, and the topic it crosses on."""
