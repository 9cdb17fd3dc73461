"""The API of a cluster of a test's own, with TLS by an authority of its own: what was asked of it, and its Jobs."""

import asyncio
import base64
import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LONG = dt.timedelta(days=3650)


class Authority:
    """An authority and the certificate of a server at 127.0.0.1 that it gave out."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
        now = dt.datetime.now(tz=dt.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - LONG)
            .not_valid_after(now + LONG)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = made.public_bytes(serialization.Encoding.PEM)
        self.data = base64.b64encode(pem).decode()
        """As DescribeCluster gives it."""
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "server.pem").write_bytes(pem + secret)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem")


class Cluster:
    """Jobs by their path. `logs` are those of each container, by pod; `statuses` are answered in place of a success.

    Jobs complete when they were asked after so often; 0 = never by themselves.
    """

    def __init__(self, looks_until_done: int = 0, **statuses: int) -> None:
        self._looks_until_done = looks_until_done
        self._looks: dict[str, int] = {}
        self.jobs: dict[str, Any] = {}
        self.logs: dict[str, dict[str, str]] = {}
        self.statuses = statuses
        self.asked: list[tuple[str, str, str]] = []
        self.requests: list[web.BaseRequest] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """An answer as Kubernetes gives it."""
        text = await request.text()
        self.asked.append((request.method, request.path_qs, text))
        self.requests.append(request)
        if status := self.statuses.get(request.method):
            return refused(status)
        path = request.path
        if path.endswith("/log"):
            pod = path.split("/")[-2]
            return web.Response(text=self.logs[pod][request.query["container"]])
        if path.endswith("/pods"):
            items = [
                {"metadata": {"name": pod}, "spec": {"containers": [{"name": name} for name in logs]}}
                for pod, logs in self.logs.items()
            ]
            return web.json_response({"kind": "PodList", "items": items})
        if request.method == "POST":
            job = await request.json()
            path = f"{path}/{job['metadata']['name']}"
            if path in self.jobs:
                return refused(409)
            self.jobs[path] = job
            return web.json_response(job, status=201)
        if path not in self.jobs:
            return refused(404)
        if request.method == "DELETE":
            return web.json_response(self.jobs.pop(path))
        self._looks[path] = self._looks.get(path, 0) + 1
        if self._looks[path] == self._looks_until_done:
            self.end(path, "Complete")
        return web.json_response(self.jobs[path])

    def end(self, path: str, kind: str) -> None:
        """A Job is over: Complete or Failed."""
        self.jobs[path]["status"] = {"conditions": [{"type": kind, "status": "True"}], "succeeded": 1}


def refused(status: int) -> web.Response:
    """A failure in Kubernetes' words."""
    body = {"kind": "Status", "status": "Failure", "reason": "Because", "code": status}
    return web.json_response(body, status=status)


@asynccontextmanager
async def _listening(cluster: Cluster, authority: Authority) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", cluster.handle)
    server = web.AppRunner(app, shutdown_timeout=0.1)
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0, ssl_context=authority.context).start()
    try:
        yield f"https://127.0.0.1:{server.addresses[0][1]}"
    finally:
        await server.cleanup()


def serving(cluster: Cluster, authority: Authority, use: Callable[[str], Awaitable[Any]]) -> Any:
    """What `use(endpoint)` gives while the cluster answers there."""

    async def run() -> Any:
        async with _listening(cluster, authority) as endpoint:
            return await use(endpoint)

    return asyncio.run(run())


@contextmanager
def running(cluster: Cluster, authority: Authority) -> Iterator[str]:
    """The address at which the cluster answers, from a thread of its own."""
    came: list[str] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def run() -> None:
        async with _listening(cluster, authority) as endpoint:
            came.append(endpoint)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    ready.wait(30)
    try:
        yield came[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
