"""The spelling of members over every structure of every service that botocore knows."""

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
import msgspec

from maprun.aws.java_names import capitalised, member_name, package_name


def models() -> Iterator[tuple[str, dict[str, Any]]]:
    """The newest model of each service, as botocore's own loader would choose it, read at a fraction of its cost."""
    for folder in sorted((Path(botocore.__file__).parent / "data").iterdir()):
        found = sorted(folder.glob("*/service-2.json.gz"))
        if found:
            yield folder.name, msgspec.json.decode(gzip.decompress(found[-1].read_bytes()))


def test_no_two_members_of_a_structure_share_a_name() -> None:
    """In all models, each of a structure's members has a name of its own in both spellings, and none is another's."""
    structures = 0
    packages: Counter[str] = Counter()
    for service, model in models():
        packages[package_name(model["metadata"]["serviceId"])] += 1
        for name, shape in model["shapes"].items():
            if shape["type"] != "structure":
                continue
            structures += 1
            owners: dict[str, str] = {}
            for member in shape["members"]:
                for written in {member, member_name(name, member), capitalised(member)}:
                    assert owners.setdefault(written, member) == member, (service, name, written)
    assert structures > 30_000
    assert [package for package, count in packages.items() if count > 1] in ([], ["pinpointsmsvoice"])
