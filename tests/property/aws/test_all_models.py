"""The spelling of members over every structure of every service that botocore knows."""

from collections import Counter
from typing import Any

import botocore.session

from maprun.aws.java_names import capitalised, member_name, package_name


def test_no_two_members_of_a_structure_share_a_name() -> None:
    """In all models, each of a structure's members has a name of its own in both spellings, and none is another's."""
    session = botocore.session.get_session()
    loader: Any = session.get_component("data_loader")
    structures = 0
    packages: Counter[str] = Counter()
    for service in session.get_available_services():
        model = loader.load_service_model(service, "service-2")
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
