"""maprun-tracker: materialises Map Run state and histories as a Faust table; answers the AWS JSON API over HTTP.

Consumes home (the same fold as the scheduler), machines and answers; produces commands on home. Owns the table `state`,
one changelog partition for each partition of home. Decides nothing: it answers from the fold.
"""
