"""`python -m maprun.bus.create_topics`: makes every topic that the registry names and the cluster lacks."""

import argparse
import asyncio
import os
import sys

from maprun.bus.making import Made, make_topics
from maprun.bus.port import BusError
from maprun.runtime import limits, settings
from maprun.runtime.process import EXIT_SETTINGS, SetupError

EXIT_NO_KAFKA = 1


def main() -> int:
    """Makes the topics under the settings of the environment. 0: all stand as they should; 78: a person must decide."""
    parser = argparse.ArgumentParser(prog="python -m maprun.bus.create_topics", description=__doc__)
    parser.add_argument(
        "--adopt", action="store_true", help="take topics of our names as maprun's if they hold no record"
    )
    parser.add_argument(
        "--begin-anew",
        action="store_true",
        help="delete all topics that are maprun's, with all executions, and make them new",
    )
    asked = parser.parse_args()
    try:
        loaded = settings.load(os.environ)
        made = asyncio.run(
            make_topics(loaded, limits.limits_of(loaded), adopt=asked.adopt, begin_anew=asked.begin_anew)
        )
    except (settings.SettingsError, SetupError) as error:
        sys.stderr.write(f"create_topics: {error}\n")
        return EXIT_SETTINGS
    except BusError as error:
        sys.stderr.write(f"create_topics: {error}\n")
        return EXIT_NO_KAFKA
    _tell(made)
    return 0


def _tell(made: Made) -> None:
    for warning in made.warnings:
        sys.stderr.write(f"create_topics: warning: {warning}\n")
    if made.deleted:
        sys.stdout.write(f"topics deleted: {', '.join(made.deleted)}\n")
    sys.stdout.write(f"topics made: {', '.join(made.topics) or 'none, all exist'}\n")


if __name__ == "__main__":
    sys.exit(main())
