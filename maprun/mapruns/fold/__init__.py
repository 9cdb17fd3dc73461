"""The fold of home: records in, decisions out. The same for every reader. Pure."""
