"""child-runner: owns lanes; runs the child executions on them under the lane's quota; reports outcomes and histories.

Consumes items, lane-signals and its own lane-journal; produces ChildrenEnded and LaneProgress on home, and
lane-journal. Runs root executions of EXPRESS machines from express-requests, where it writes again what runs long, and
answers who waits for them on express-answers. What executions log goes to execution-logs, and
from there to CloudWatch Logs where that is set up.
Its name is taken on cluster, how it is doing is said on process-reports.

Owns, for each lane: which children run, and when a child ends and how. Decides nothing about runs.
"""
