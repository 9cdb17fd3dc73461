"""The fold of home: windows, lanes, quotas, credit, tolerance, counts, results. Pure: records in, decisions out."""
