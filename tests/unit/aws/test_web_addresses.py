"""Which addresses Tasks may call: every range by table, names that lie, and what a setting allows."""

import asyncio
import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from maprun.aws.web.addresses import METADATA, METADATA_KIND, RANGES, AddressGuard
from maprun.aws.web.client import NoAnswerError, NotAllowedError, WebClient, WebRequest
from tests.unit.aws.service import failed, serving
from tests.unit.aws.web_calls import KEY, request_at, runner_for


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("1.1.1.1", ""),
        ("8.8.8.8", ""),
        ("9.255.255.255", ""),
        ("11.0.0.0", ""),
        ("100.63.255.255", ""),
        ("100.128.0.0", ""),
        ("172.15.255.255", ""),
        ("172.32.0.0", ""),
        ("192.167.255.255", ""),
        ("198.17.255.255", ""),
        ("198.20.0.0", ""),
        ("223.255.255.255", ""),
        ("2606:4700:4700::1111", ""),
        ("2a00:1450:4001:81a::200e", ""),
        ("::ffff:8.8.8.8", ""),
        ("64:ff9b::8.8.8.8", ""),
        ("0.0.0.1", "this host"),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("169.254.1.1", "link-local"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.8", "reserved for protocols"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "6to4 relay"),
        ("192.168.1.1", "private"),
        ("198.18.0.1", "benchmarking"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "this host"),
        ("::1", "loopback"),
        ("::127.0.0.1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:169.254.169.254", "metadata service"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::169.254.169.254", "metadata service"),
        ("64:ff9b:1::1", "private translation"),
        ("100::1", "discard"),
        ("2001::1", "reserved for protocols"),
        ("2001:db8::1", "documentation"),
        ("2002:7f00:1::", "6to4"),
        ("3fff::1", "documentation"),
        ("4000::1", "reserved"),
        ("fc00::1", "private"),
        ("fd12:3456::1", "private"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        *((each, "metadata service") for each in METADATA),
    ],
)
def test_addresses_are_public_or_refused(address: str, kind: str) -> None:
    """Nothing but the public internet, however IPv4 is written in IPv6."""
    assert AddressGuard().refusal(address) == kind


def test_every_range_refuses_its_first_and_last_address() -> None:
    """No row is dead, and none ends early."""
    guard = AddressGuard()
    for row, _ in RANGES:
        network = ipaddress.ip_network(row)
        assert all(guard.refusal(str(network[place])) for place in (0, -1)), row


def test_a_setting_allows_networks_but_no_metadata_service() -> None:
    """What is allowed may be called however it is written; credentials of a cloud never."""
    guard = AddressGuard(("10.1.0.0/16", "169.254.0.0/16", "fd00::/8"))
    assert guard.refusal("10.1.2.3") == ""
    assert guard.refusal("::ffff:10.1.2.3") == ""
    assert guard.refusal("10.2.0.1") == "private"
    assert guard.refusal("169.254.20.10") == ""
    assert [guard.refusal(each) for each in ("169.254.169.254", "fd00:ec2::254")] == ["metadata service"] * 2
    assert guard.refusal_of_configured("169.254.169.254") == "metadata service"
    assert guard.refusal_of_configured("127.0.0.1") == ""


class Names:
    """Looks names up in a table instead of the network; each name has its addresses, one list a lookup."""

    def __init__(self, **table: list[list[str]]) -> None:
        self.asked: list[str] = []
        self._table = {name.replace("_", "."): list(lists) for name, lists in table.items()}

    def __call__(self, host: str, port: int, *_: Any) -> list[Any]:
        """As socket.getaddrinfo."""
        self.asked.append(host)
        lists = self._table[host]
        addresses = lists.pop(0) if len(lists) > 1 else lists[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


def sent(url: str, names: Names | None = None, guard: AddressGuard | None = None, times: int = 1) -> list[str]:
    """How requests end: the status, or the words of the error."""

    async def main() -> list[str]:
        """The requests."""
        client = WebClient(guard or AddressGuard(), lookup=names or Names())
        try:
            return [await once(client) for _ in range(times)]
        finally:
            await client.close()

    async def once(client: WebClient) -> str:
        """One request."""
        try:
            answer = await client.send(WebRequest("GET", URL(url), CIMultiDict()), 1000)
        except (NotAllowedError, NoAnswerError) as error:
            return f"{type(error).__name__}: {error}"
        return str(answer.status)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "meant", "why"),
    [
        ("127.0.0.1", "127.0.0.1", "loopback"),
        ("127。0。0。1", "127.0.0.1", "loopback"),
        ("①②⑦.⓪.⓪.①", "127.0.0.1", "loopback"),
        ("[::1]", "::1", "loopback"),
        ("[::1%25lo]", "::1%lo", "loopback"),
        ("[::ffff:7f00:1]", "::ffff:7f00:1", "loopback"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1", "loopback"),
        ("169.254.169.254", "169.254.169.254", "metadata service"),
        ("inside.test", "inside.test", "private"),
        ("mixed.test", "mixed.test", "loopback"),
        ("0x7f.1", "0x7f.1", "loopback"),
        ("127.1", "127.1", ""),
        ("127.0.0.1.", "127.0.0.1.", ""),
        ("2130706433", "2130706433", ""),
        ("0177.0.0.1", "0177.0.0.1", ""),
    ],
)
def test_no_connection_is_opened_to_what_may_not_be_called(host: str, meant: str, why: str) -> None:
    """Addresses in URLs, addresses in disguise, names that lead inside, names of which one address does."""
    names = Names(inside_test=[["10.0.0.1"]], mixed_test=[["1.1.1.1", "127.0.0.1"]])
    names._table["0x7f.1"] = [["127.0.0.1"]]
    reason = f"an address of it is not public ({why})" if why else "it is no canonical address"
    cure = "; MAPRUN_HTTP_TASK_ALLOW names what may be called all the same" if why not in ("", METADATA_KIND) else ""
    assert sent(f"https://{host}:9/", names) == [f"NotAllowedError: {meant} may not be called: {reason}{cure}"]


def test_a_name_is_looked_up_once_and_the_checked_address_is_called() -> None:
    """A name that leads elsewhere the next time is not asked a next time: the connection goes where the check was."""
    names = Names(turns_test=[["127.0.0.1"], ["10.0.0.1"]])
    (found,) = sent("https://turns.test:9/", names, AddressGuard(("127.0.0.1/32",)))
    assert found == "NoAnswerError: turns.test: Connection refused"
    assert names.asked == ["turns.test"]


def test_plain_http_is_called_where_a_setting_names_the_origin(tmp_path: Path) -> None:
    """Everywhere else only https is; another port of the same host is another origin."""

    async def fine(_: web.Request) -> web.StreamResponse:
        """An answer."""
        return web.json_response({})

    async def use(endpoint: str) -> tuple[Any, Any]:
        """The same server with and without the setting."""
        outcomes = []
        for allow in ("http://127.0.0.1:1, 127.0.0.0/8", endpoint):
            runner = runner_for(tmp_path, [KEY], allow=allow)
            outcomes.append(await runner.call(request_at(endpoint, {}, "key"), "k"))
            await runner.close()
        return outcomes[0], outcomes[1]

    refused, allowed = asyncio.run(serving(fine, use))
    assert failed(refused).error == "States.Permissions"
    assert failed(refused).cause.endswith(
        "may not be called: only https may; MAPRUN_HTTP_TASK_ALLOW names what may be called all the same"
    )
    assert b'"StatusCode":200' in allowed.output


def test_a_place_without_tls_is_told() -> None:
    """An https call of a server that speaks http."""

    async def use(endpoint: str) -> str:
        """The call."""
        client = WebClient(AddressGuard(("127.0.0.1/32",)))
        try:
            with pytest.raises(NoAnswerError) as refused:
                await client.send(WebRequest("GET", URL(endpoint.replace("http", "https")), CIMultiDict()), 1000)
            return str(refused.value)
        finally:
            await client.close()

    async def fine(_: web.Request) -> web.StreamResponse:
        """An answer."""
        return web.json_response({})

    assert asyncio.run(serving(fine, use)) == "127.0.0.1: no TLS connection could be made"
