"""One Map Run: windows, lanes, quotas, credit, tolerance, counts. Below: the fold of home, and result files. Pure."""
