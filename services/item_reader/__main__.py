"""The item-reader process: put together here, and nowhere else."""

import sys
import time
from functools import partial

from maprun.aws.clients import AwsSettings, make_s3
from maprun.aws.retry import RetryWarnings
from maprun.bus.kafka import Owned
from maprun.bus.service import Composed, run_service
from maprun.runtime import chance, clock
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas.arns import Names
from services.item_reader.handlers import limits_of
from services.item_reader.metrics import Counted
from services.item_reader.owner import Deps, own_asks
from services.item_reader.sources import Sources
from services.item_reader.topology import GROUP, OWNED, SERVICE


def compose(settings: Settings, limits: Limits) -> Composed:
    """Owners of asks over one S3."""
    aws = AwsSettings(region=settings.region, s3_endpoint=settings.s3)
    s3 = make_s3(aws, time.sleep, chance.chance, RetryWarnings(clock.monotonic_seconds), clock.wall_seconds)
    sources = Sources(s3, Names(settings.region, settings.account))
    deps = Deps(sources.open, sources.builder, metrics=Counted(), limits=limits_of(limits.value_bytes_max))
    return Composed([Owned(OWNED, GROUP, partial(own_asks, deps=deps))])


if __name__ == "__main__":
    sys.exit(run_service(SERVICE, compose))
