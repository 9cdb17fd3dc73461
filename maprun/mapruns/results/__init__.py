"""Result files of a Map Run: which children count, in which shape, in which parts. Pure."""
