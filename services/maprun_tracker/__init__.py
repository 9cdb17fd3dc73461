"""maprun-tracker: materialises Map Run state and histories as a Faust table; answers the AWS JSON API over HTTP.

Consumes home (the same fold as the scheduler) and machines; produces commands on home. Owns the table `state`,
whose rows stand in maprun-tracker-state-changelog, one partition for each of home; rows of what has ended go to
tracker-archive. Executions of EXPRESS machines it asks for on express-requests, and hears of their ends on
express-answers. Its name is taken on cluster; how it is doing is said on process-reports, which it reads for all.
Decides nothing: it answers from the fold, reads and writes alike.
"""
