"""What child processes of the local stack inherit: never the keys of whoever starts it, unless that is asked for.

A service calls whatever a definition names, and a handler is anybody's code: neither is to find a developer's exported
secrets by chance.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import urlsplit

from maprun.runtime.settings import SettingsError

LOOPBACK = ("127.0.0.1", "localhost")
AwsKeys = Literal["local", "inherit"]
DUMMY_KEYS = {"AWS_ACCESS_KEY_ID": "maprun", "AWS_SECRET_ACCESS_KEY": "maprun-local"}
"""Keys that the local S3 takes, and that open nothing elsewhere."""

_AWS_HARMLESS = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_*",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_CA_BUNDLE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
"""Of the SDKs' variables those that say where, and not who."""
_HANDLERS_NEED = (
    *_AWS_HARMLESS,
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "MAPRUN_*",
)


def aws_keys_from(environ: Mapping[str, str]) -> AwsKeys:
    """MAPRUN_AWS_KEYS: `local` (dummies, the default) or `inherit`. Raises SettingsError on anything else."""
    match environ.get("MAPRUN_AWS_KEYS", "local").strip():
        case "local" | "":
            return "local"
        case "inherit":
            return "inherit"
        case other:
            raise SettingsError(f"MAPRUN_AWS_KEYS={other!r}: must be local or inherit")


def names_from(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """A list of variables' names, with `*` for any letters, separated by commas."""
    return tuple(part.strip() for part in environ.get(name, "").split(",") if part.strip())


def of_services(environ: Mapping[str, str], keys: AwsKeys) -> dict[str, str]:
    """The environment of services: everything, but for the keys of AWS, which are dummies unless they are inherited."""
    if keys == "inherit":
        return {**DUMMY_KEYS, **environ} if not _has_identity(environ) else dict(environ)
    others = {n: value for n, value in environ.items() if not n.startswith("AWS_") or _matches(n, _AWS_HARMLESS)}
    return others | DUMMY_KEYS


def keys_beside_services(environ: Mapping[str, str], endpoint: str) -> tuple[str, str]:
    """Key and secret of a command that looks where services look: dummies for an endpoint on this machine, or none.

    None are left to boto3's own sources: where the environment says who calls AWS, and everywhere else.
    """
    if _has_identity(environ) or urlsplit(endpoint).hostname not in LOOPBACK:
        return "", ""
    return DUMMY_KEYS["AWS_ACCESS_KEY_ID"], DUMMY_KEYS["AWS_SECRET_ACCESS_KEY"]


def of_functions(environ: Mapping[str, str], allowed: tuple[str, ...]) -> dict[str, str]:
    """The environment of users' handlers: what any program needs, dummies as keys, and the variables allowed."""
    kept = {n: value for n, value in environ.items() if _matches(n, _HANDLERS_NEED)} | DUMMY_KEYS
    given = {n: value for n, value in environ.items() if _matches(n, allowed)}
    if given.keys() & DUMMY_KEYS.keys() or _has_identity(given):
        kept = {n: value for n, value in kept.items() if n not in DUMMY_KEYS}
    return kept | given


def _has_identity(environ: Mapping[str, str]) -> bool:
    """True if an environment says who calls AWS: dummies beside it would win, or be mixed with it."""
    return any(
        name in environ
        for name in (
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        )
    )


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
