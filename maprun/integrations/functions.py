"""Lambda: `lambda:invoke`, and functions by their ARN. Called by `maprun.aws.lambda_invoke`."""

from maprun.integrations.service import CALLBACK, Service

SERVICE = Service("lambda", {CALLBACK: ("invoke",)})
