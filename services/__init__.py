"""The four services. They know nothing of each other and talk through topics only."""
