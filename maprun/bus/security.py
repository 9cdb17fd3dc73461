"""How a client makes itself known to the brokers: TLS and SASL, for aiokafka's classes and for Faust alike."""

import ssl
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context

from maprun.bus.tokens import secret_of, tokens_of
from maprun.runtime.kafka_access import NAMES, KafkaAccess
from maprun.runtime.process import SetupError
from maprun.runtime.settings import Settings

_ASK_MS = 10_000
_NOT_WELCOME = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)


def client_options(settings: Settings) -> dict[str, Any]:
    """What every class of aiokafka takes beside its servers. Raises SetupError on files that can't be read."""
    access = settings.access
    options: dict[str, Any] = {"security_protocol": access.protocol}
    if access.has_tls:
        options["ssl_context"] = tls_of(access)
    if access.has_sasl:
        options["sasl_mechanism"] = access.mechanism
    if access.has_tokens:
        options["sasl_oauth_token_provider"] = tokens_of(access)
    elif access.has_sasl:
        options |= {"sasl_plain_username": access.username, "sasl_plain_password": password_of(access)}
    return options


def tls_of(access: KafkaAccess) -> ssl.SSLContext:
    """The context of TLS: the system's authorities without MAPRUN_KAFKA_CA, a certificate of one's own with _CERT."""
    try:
        context: ssl.SSLContext = create_ssl_context(
            cafile=access.ca or None, certfile=access.cert or None, keyfile=access.key or None
        )
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (access.ca, access.cert, access.key)))
        raise SetupError(f"MAPRUN_KAFKA_CA, _CERT or _KEY can't be used ({files}): {error}") from error
    return context


def password_of(access: KafkaAccess) -> str:
    """The password, from its variable or its file."""
    return secret_of(access.password, access.password_file, NAMES["password_file"])


async def require_welcome(settings: Settings) -> None:
    """Asks each broker why it can't be reached: aiokafka's own error says only that it can't.

    Raises SetupError when one refuses who this client says it is, or when its certificate isn't trusted.
    """
    for server in settings.kafka.split(","):
        host, _, port = server.rpartition(":")
        options = client_options(settings)
        try:
            connection = await create_conn(host, int(port), request_timeout_ms=_ASK_MS, **options)
        except _NOT_WELCOME as error:
            access = settings.access
            who = "this client's token" if access.has_tokens else f"the user {access.username!r}"
            look_at = "_TOKEN_COMMAND or _TOKEN_URL" if access.has_tokens else "_USERNAME, _PASSWORD"
            said = f"Kafka at {server} refuses {who}: {error}"
            raise SetupError(f"{said}. Look at MAPRUN_KAFKA{look_at} and _SASL_MECHANISM") from error
        except ssl.SSLCertVerificationError as error:
            said = f"the certificate of Kafka at {server} is not trusted: {error.verify_message}"
            raise SetupError(f"{said}. Look at MAPRUN_KAFKA_CA") from error
        except (KafkaError, OSError):
            continue  # not there, or not yet
        connection.close()
