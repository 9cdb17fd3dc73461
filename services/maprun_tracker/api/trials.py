"""TestState."""

import msgspec

from maprun.statetest import Asked
from services.maprun_tracker.api import inputs
from services.maprun_tracker.api.machines import check_role
from services.maprun_tracker.api.service import Call, Service


async def test_state(service: Service, ask: inputs.TestState, call: Call) -> msgspec.Raw:
    """Any process answers, whatever homes it owns."""
    if ask.role_arn is not None:
        check_role(ask.role_arn)
    asked = Asked(**msgspec.structs.asdict(ask))
    outcome = await service.tests.test(asked, service.command_id(call, "TestState"))
    return msgspec.Raw(msgspec.json.encode(outcome))
