"""Whether a Map Run's result files hold every child of its source, once, with the input that its item makes."""

from maprun.verification.checking import Facts, Verdict, verify
from maprun.verification.plans import UnknownPlanError, begun_of, plan_of

__all__ = ["Facts", "UnknownPlanError", "Verdict", "begun_of", "plan_of", "verify"]
