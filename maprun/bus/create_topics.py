"""`python -m maprun.bus.create_topics`: makes every topic that the registry names and the cluster lacks."""

import asyncio
import os
import sys

from maprun.bus import cluster
from maprun.bus.port import BusError
from maprun.bus.topics import TopicsDifferError
from maprun.runtime import limits, settings


def main() -> int:
    """Makes the topics under the settings of the environment; 0 when all stand as they should."""
    try:
        loaded = settings.load(os.environ)
        made = asyncio.run(cluster.make_topics(loaded, limits.check(limits.Limits())))
    except (settings.SettingsError, TopicsDifferError, BusError) as error:
        sys.stderr.write(f"create_topics: {error}\n")
        return 1
    sys.stdout.write(f"topics made: {', '.join(made) or 'none, all exist'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
