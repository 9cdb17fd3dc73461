"""HTTPS APIs: `http:invoke`. Called by `maprun.aws.web`."""

from maprun.integrations.resources import Integration
from maprun.integrations.service import PLAIN, Service

SERVICE = Service("http", {PLAIN: ("invoke",)})
INVOKE = Integration("http", "invoke")
