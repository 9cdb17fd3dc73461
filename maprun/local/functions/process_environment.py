"""The environment of a function's processes: Lambda's variables, the function's own, none of the host's settings."""

import os
from collections.abc import Mapping

from maprun.local.functions.catalog import Function

LOG_STREAM = "local"


def environment_of(function: Function, host: Mapping[str, str], region: str) -> dict[str, str]:
    """The variables of one function. Those that `function.json` names win over all others."""
    root, layers = str(function.root), [str(layer) for layer in function.layers]
    configuration = function.configuration
    inherited = {name: value for name, value in host.items() if not name.startswith("MAPRUN_")}
    paths = [f"{layer}/bin" for layer in layers] + [inherited.get("PATH", "")]
    modules = [part for layer in layers for part in (f"{layer}/python", layer)]
    return {
        **inherited,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": LOG_STREAM,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": root,
        "_HANDLER": configuration.handler,
        "TZ": ":UTC",
        "PATH": os.pathsep.join(part for part in paths if part),
        "PYTHONPATH": os.pathsep.join([*modules, *filter(None, [inherited.get("PYTHONPATH", "")])]),
        "MAPRUN_LAYERS": os.pathsep.join(layers),
        **configuration.environment.variables,
    }
