"""How a client makes itself known to Kafka's brokers: TLS, SASL, tokens; read from the environment and checked here."""

from collections.abc import Mapping

import msgspec


class Secret(str):
    """A text that no message shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[hidden]'"


class KafkaAccess(msgspec.Struct, frozen=True, kw_only=True):
    """TLS and SASL of one client. NAMES has what each field is called in the environment."""

    protocol: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    username: str = ""
    password: Secret = Secret()
    password_file: str = ""  # holds the password, instead
    ca: str = ""  # a file of authorities, PEM; empty = those of the system
    cert: str = ""  # this client's certificate and its key, PEM
    key: str = ""
    token_command: str = ""  # prints a token, or what a token endpoint answers
    token_url: str = ""  # a token endpoint (OAuth 2), asked with client credentials
    client_id: str = ""
    client_secret: Secret = Secret()
    client_secret_file: str = ""  # holds the secret, instead
    scope: str = ""

    @property
    def has_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol.endswith("SSL")

    @property
    def has_sasl(self) -> bool:
        """Whether the client says who it is, beside its certificate."""
        return self.protocol.startswith("SASL")

    @property
    def has_tokens(self) -> bool:
        """Whether it says so by a token."""
        return self.has_sasl and self.mechanism == OAUTHBEARER


OAUTHBEARER = "OAUTHBEARER"
NAMES = {
    "protocol": "MAPRUN_KAFKA_SECURITY_PROTOCOL",
    "mechanism": "MAPRUN_KAFKA_SASL_MECHANISM",
    "username": "MAPRUN_KAFKA_USERNAME",
    "password": "MAPRUN_KAFKA_PASSWORD",
    "password_file": "MAPRUN_KAFKA_PASSWORD_FILE",
    "ca": "MAPRUN_KAFKA_CA",
    "cert": "MAPRUN_KAFKA_CERT",
    "key": "MAPRUN_KAFKA_KEY",
    "token_command": "MAPRUN_KAFKA_TOKEN_COMMAND",
    "token_url": "MAPRUN_KAFKA_TOKEN_URL",
    "client_id": "MAPRUN_KAFKA_CLIENT_ID",
    "client_secret": "MAPRUN_KAFKA_CLIENT_SECRET",
    "client_secret_file": "MAPRUN_KAFKA_CLIENT_SECRET_FILE",
    "scope": "MAPRUN_KAFKA_SCOPE",
}
_CHOICES = {
    "protocol": ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "mechanism": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", OAUTHBEARER),
}
_SECRETS = frozenset({"password", "client_secret"})


def read(environ: Mapping[str, str]) -> KafkaAccess:
    """What an environment says of it. Raises ValueError, in words that name the variable and show no secret."""
    given: dict[str, str] = {}
    for field, name in NAMES.items():
        if name not in environ:
            continue
        text = environ[name].strip()
        if field in _CHOICES and text not in _CHOICES[field]:
            raise ValueError(f"{name}={text!r}: must be one of {', '.join(_CHOICES[field])}")
        given[field] = Secret(text) if field in _SECRETS else text
    access = msgspec.structs.replace(KafkaAccess(), **given)
    wrong = _wrong(access)
    if wrong:
        raise ValueError(wrong)
    return access


def to_environment(access: KafkaAccess) -> dict[str, str]:
    """The environment from which `read` makes the same again."""
    return {name: str(getattr(access, field)) for field, name in NAMES.items()}


def _wrong(access: KafkaAccess) -> str:
    """Which settings contradict each other, or lack one another; empty if none do."""
    asked = f"{NAMES['protocol']}={access.protocol}"
    passwords = [each for each in (access.password, access.password_file) if each]
    tokens = [each for each in (access.token_command, access.token_url) if each]
    files = [each for each in (access.ca, access.cert, access.key) if each]
    of_users = ("username", "password", "password_file", "token_command", "token_url")
    if not access.has_sasl and (told := [NAMES[field] for field in of_users if getattr(access, field)]):
        return f"{asked}: has no user, but {told[0]} is set; unset it, or use SASL_SSL or SASL_PLAINTEXT"
    if not access.has_tls and files:
        return f"{asked}: has no TLS; with MAPRUN_KAFKA_CA, _CERT or _KEY it must be SSL or SASL_SSL"
    if bool(access.cert) != bool(access.key):
        return "MAPRUN_KAFKA_CERT and MAPRUN_KAFKA_KEY: a certificate needs its key, and a key its own"
    if access.has_tokens:
        return _wrong_tokens(access, tokens, passwords)
    if access.has_sasl and not (access.username and len(passwords) == 1):
        return f"{asked}: needs MAPRUN_KAFKA_USERNAME, and one of MAPRUN_KAFKA_PASSWORD and MAPRUN_KAFKA_PASSWORD_FILE"
    if tokens:
        return f"MAPRUN_KAFKA_TOKEN_COMMAND and _TOKEN_URL are for {NAMES['mechanism']}={OAUTHBEARER} alone"
    return ""


def _wrong_tokens(access: KafkaAccess, tokens: list[str], passwords: list[str]) -> str:
    asked = f"{NAMES['mechanism']}={OAUTHBEARER}"
    secrets = [each for each in (access.client_secret, access.client_secret_file) if each]
    if access.username or passwords:
        return f"{asked}: has no MAPRUN_KAFKA_USERNAME and no password, a token says who the client is"
    if len(tokens) != 1:
        return f"{asked}: needs one of MAPRUN_KAFKA_TOKEN_COMMAND and MAPRUN_KAFKA_TOKEN_URL"
    if access.token_url and not (access.client_id and len(secrets) == 1):
        return (
            f"{asked}: MAPRUN_KAFKA_TOKEN_URL needs MAPRUN_KAFKA_CLIENT_ID, and one of MAPRUN_KAFKA_CLIENT_SECRET and"
            " MAPRUN_KAFKA_CLIENT_SECRET_FILE"
        )
    if access.token_url and not access.token_url.startswith(("https://", "http://")):
        return f"MAPRUN_KAFKA_TOKEN_URL={access.token_url!r}: must be like https://login.example.com/oauth2/token"
    return ""
