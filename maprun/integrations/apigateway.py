"""APIs behind Amazon API Gateway: `apigateway:invoke`. Called by `maprun.aws.web`."""

from maprun.integrations.service import CALLBACK, Service

SERVICE = Service("apigateway", {CALLBACK: ("invoke",)})
