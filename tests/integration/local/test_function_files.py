"""What the files of a function say of it: handler, versions, aliases, environment, layers, limits, reloads, logs."""

import asyncio
import base64
import os
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.integration.local.hosting import Invoke, host

pytestmark = pytest.mark.integration


def files(folder: Path, **texts: str) -> Path:
    """Writes files, whose names have `__` for a slash and `_at_` for `@`, into a folder of functions."""
    for name, text in texts.items():
        stem, _, ending = name.replace("__", "/").replace("_at_", "@").rpartition("_")
        path = folder / f"{stem}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def scene(folder: Path, play: Callable[[Invoke], Coroutine[Any, Any, None]], **host_of: Any) -> None:
    """Plays with a host over this folder."""

    async def main() -> None:
        async with host(folder, **host_of) as invoke:
            await play(invoke)

    asyncio.run(main())


def test_a_folder_is_a_function(tmp_path: Path) -> None:
    """Its modules import each other, `Handler` names the handler as on Lambda, and without it the usual ones do."""
    files(
        tmp_path,
        shop__app_py="from helper import price\ndef lambda_handler(event, context):\n    return price(event)\n",
        shop__helper_py="def price(n):\n    return n * 2\n",
        named__src__main_py="def run(event, context):\n    return context.function_name\n",
        named__function_json='{"Handler": "src.main.run"}',
    )

    async def play(invoke: Invoke) -> None:
        assert (await invoke("shop", 21))[2] == 42
        assert (await invoke("named", {}))[2] == "named"

    scene(tmp_path, play)


def test_versions_and_aliases_are_folders_and_links(tmp_path: Path) -> None:
    """`f@1` is version 1, a link is an alias; X-Amz-Executed-Version says what ran; an unknown qualifier is 404."""
    code = "def handler(event, context):\n    return [{0!r}, context.function_version, context.invoked_function_arn]\n"
    files(tmp_path, f_py=code.format("new"), f_at_1_py=code.format("one"), f_at_2__app_py=code.format("two"))
    (tmp_path / "f@live").symlink_to("f@2")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:f"

    async def play(invoke: Invoke) -> None:
        for qualifier, said, version in (
            ("", "new", "$LATEST"),
            (":$LATEST", "new", "$LATEST"),
            (":1", "one", "1"),
            (":live", "two", "2"),
        ):
            status, headers, body = await invoke(f"f{qualifier}", {})
            assert (status, body) == (200, [said, version, f"{arn}{qualifier}"])
            assert headers["X-Amz-Executed-Version"] == version
        status, _, body = await invoke("f:nobody", {})
        assert (status, body["Message"]) == (404, f"Function not found: {arn}:nobody")

    scene(tmp_path, play)


def test_environment_and_layers_are_the_functions_own(tmp_path: Path) -> None:
    """Variables and layers of one function are not seen by another, nor are the host's own settings."""
    seen = (
        "import os\ntry:\n    from shared import VALUE\nexcept ImportError:\n    VALUE = None\n"
        "def handler(event, context):\n"
        "    hidden = [name for name in os.environ if name.startswith('MAPRUN_KAFKA')]\n"
        "    return [os.environ.get('TABLE'), VALUE, os.environ['AWS_LAMBDA_FUNCTION_NAME'], hidden]\n"
    )
    files(
        tmp_path,
        a_py=seen,
        a_json='{"Environment": {"Variables": {"TABLE": "rows"}}, "Layers": ["common"]}',
        b_py=seen,
        common__python__shared_py="VALUE = 7\n",
    )

    async def play(invoke: Invoke) -> None:
        assert (await invoke("a", {}))[2] == ["rows", 7, "a", []]
        assert (await invoke("b", {}))[2] == [None, None, "b", []]

    scene(tmp_path, play, environ={**os.environ, "MAPRUN_KAFKA_PASSWORD": "hidden"})


def test_what_makes_no_sense_is_said(tmp_path: Path) -> None:
    """An unknown member, a layer that is not there, a runtime that nothing starts, no handler: 502 in words."""
    files(
        tmp_path,
        a_py="",
        a_json='{"Memory": 1}',
        b_py="",
        b_json='{"Layers": ["nowhere"]}',
        c__index_js="",
        c__function_json='{"Runtime": "nodejs22.x"}',
        d__other_py="",
    )

    async def play(invoke: Invoke) -> None:
        for name, words in (("a", "Memory"), ("b", "nowhere"), ("c", "nodejs22.x"), ("d", "lambda_function.py")):
            status, headers, body = await invoke(name, {})
            assert (status, headers["x-amzn-ErrorType"]) == (502, "InvalidRuntimeException")
            assert words in body["Message"]

    scene(tmp_path, play)


def test_a_stack_trace_has_lambdas_paths(tmp_path: Path) -> None:
    """Frames name /var/task and /opt, with the line's text, and nothing of the host."""
    files(
        tmp_path,
        f__app_py="from deep import fail\ndef handler(event, context):\n    fail()\n",
        f__function_json='{"Layers": ["layer"]}',
        layer__python__deep_py="def fail():\n    raise ValueError('no')\n",
    )

    async def play(invoke: Invoke) -> None:
        body = (await invoke("f", {}))[2]
        assert body["stackTrace"] == [
            '  File "/var/task/app.py", line 3, in handler\n    fail()\n',
            "  File \"/opt/python/deep.py\", line 2, in fail\n    raise ValueError('no')\n",
        ]

    scene(tmp_path, play)


def test_a_changed_module_is_loaded_anew(tmp_path: Path) -> None:
    """Not only the handler's file counts; calls under way end in the old process."""
    files(
        tmp_path,
        f__app_py="import time, part\ndef handler(event, context):\n    time.sleep(event)\n    return part.VALUE\n",
        f__part_py="VALUE = 1\n",
    )

    async def play(invoke: Invoke) -> None:
        assert (await invoke("f", 0))[2] == 1
        slow = asyncio.create_task(invoke("f", 1))
        await asyncio.sleep(0.3)
        files(tmp_path, f__part_py="VALUE = 2222\n")
        await asyncio.sleep(0.3)
        assert (await invoke("f", 0))[2] == 2222
        assert (await slow)[2] == 1
        shutil.rmtree(tmp_path / "f")
        await asyncio.sleep(0.3)
        assert (await invoke("f", 0))[0] == 404

    scene(tmp_path, play)


def test_a_log_is_that_of_its_call(tmp_path: Path) -> None:
    """LogType Tail gives a call's own lines, of calls that ran beside each other; the function's log has them all."""
    files(
        tmp_path,
        f_py=(
            "import logging, time\nlogging.getLogger().setLevel('INFO')\n"
            "def handler(event, context):\n"
            "    print('begin', event)\n    time.sleep(0.2)\n    logging.info('end %s', event)\n"
        ),
    )

    async def play(invoke: Invoke) -> None:
        answers = await asyncio.gather(*(invoke("f", n, X_Amz_Log_Type="Tail") for n in range(8)))
        for number, (_, headers, _) in enumerate(answers):
            request_id = headers["x-amzn-RequestId"]
            lines = base64.b64decode(headers["X-Amz-Log-Result"]).decode().splitlines()
            assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
            assert lines[1] == f"begin {number}"
            assert lines[2].startswith("[INFO]\t")
            assert lines[2].endswith(f"Z\t{request_id}\tend {number}")
            assert lines[3] == f"END RequestId: {request_id}"
            assert lines[4].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
        log = (tmp_path / "log" / "f.log").read_text(encoding="utf-8").splitlines()
        assert len(log) == 8 * 5
        ids = [headers["x-amzn-RequestId"] for _, headers, _ in answers]
        assert [sum(request_id in line for line in log) for request_id in ids] == [5] * 8

    scene(tmp_path, play)


def test_a_process_that_takes_too_much_memory_is_killed(tmp_path: Path) -> None:
    """Beyond MemorySize the call ends as on Lambda; the calls beside it are repeated and succeed."""
    files(
        tmp_path,
        f_py=(
            "import time\n"
            "def handler(event, context):\n"
            "    held = bytearray(event << 20)\n    time.sleep(1.0)\n    return len(held) >> 20\n"
        ),
        f_json='{"MemorySize": 200}',
    )

    async def play(invoke: Invoke) -> None:
        small = [asyncio.create_task(invoke("f", 1)) for _ in range(4)]
        large = await invoke("f", 400)
        assert large[2]["errorType"] == "Runtime.ExitError"
        assert large[2]["errorMessage"].endswith("Runtime exited with error: signal: killed")
        assert [(await each)[2] for each in small] == [1] * 4

    scene(tmp_path, play, timeout_seconds=20.0)


def test_code_that_ends_its_process_when_it_is_loaded_fails_its_calls(tmp_path: Path) -> None:
    """Nobody waits for a process that never comes to run a handler; once the code is mended calls succeed."""
    files(tmp_path, f_py="import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")

    async def play(invoke: Invoke) -> None:
        answers = await asyncio.gather(*(invoke("f", n) for n in range(5)))
        assert {answer[2]["errorType"] for answer in answers} == {"Runtime.ExitError"}
        files(tmp_path, f_py="def handler(event, context):\n    return event\n")
        await asyncio.sleep(0.3)
        assert (await invoke("f", 5))[2] == 5

    scene(tmp_path, play)


def test_time_to_load_the_code_is_not_the_calls(tmp_path: Path) -> None:
    """A module that takes longer to load than its function may take to run answers all the same."""
    files(tmp_path, f_py="import time\ntime.sleep(1.5)\ndef handler(event, context):\n    return event\n")

    async def play(invoke: Invoke) -> None:
        assert (await invoke("f", 5))[2] == 5

    scene(tmp_path, play, timeout_seconds=1.0)


def test_a_process_without_calls_ends(tmp_path: Path) -> None:
    """Idle processes go, and the next call starts one."""
    files(tmp_path, f_py="import os\ndef handler(event, context):\n    return os.getpid()\n")

    async def play(invoke: Invoke) -> None:
        first = (await invoke("f", {}))[2]
        assert (await invoke("f", {}))[2] == first
        await asyncio.sleep(1.0)
        assert (await invoke("f", {}))[2] != first

    scene(tmp_path, play, idle_seconds=0.4)
