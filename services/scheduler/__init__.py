"""scheduler: runs parent executions, starts Map Runs, asks for items, decides how runs end, exports their results.

Consumes home (as its owner), home-snapshots, scheduler-archive, execution-requests (as its gate) and machines;
produces home, lane-signals, item-asks, machines, execution-events, execution-logs, rejected-requests, home-snapshots,
scheduler-archive and express-requests. Its name is taken on cluster, how it is doing is said on process-reports. Owns
every decision about a root execution of a STANDARD machine and its Map Runs: the fold of home is the only place where
they are made.
"""
