"""How a client makes itself known to the brokers: TLS and SASL, for aiokafka's classes and for Faust alike."""

import ssl
from pathlib import Path
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
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {"security_protocol": protocol}
    if protocol.endswith("SSL"):
        options["ssl_context"] = tls_of(settings)
    if protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": password_of(settings),
        }
    return options


def tls_of(settings: Settings) -> ssl.SSLContext:
    """The context of TLS: the system's authorities without MAPRUN_KAFKA_CA, a certificate of one's own with _CERT."""
    try:
        context: ssl.SSLContext = create_ssl_context(
            cafile=settings.kafka_ca or None, certfile=settings.kafka_cert or None, keyfile=settings.kafka_key or None
        )
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (settings.kafka_ca, settings.kafka_cert, settings.kafka_key)))
        raise SetupError(f"MAPRUN_KAFKA_CA, _CERT or _KEY can't be used ({files}): {error}") from error
    return context


def password_of(settings: Settings) -> str:
    """The password, from its variable or its file."""
    if not settings.kafka_password_file:
        return settings.kafka_password
    try:
        return Path(settings.kafka_password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        name = f"MAPRUN_KAFKA_PASSWORD_FILE={settings.kafka_password_file}"
        raise SetupError(f"{name} can't be read: {error}") from error


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
            said = f"Kafka at {server} refuses the user {settings.kafka_username!r}: {error}"
            raise SetupError(f"{said}. Look at MAPRUN_KAFKA_USERNAME, _PASSWORD and _SASL_MECHANISM") from error
        except ssl.SSLCertVerificationError as error:
            said = f"the certificate of Kafka at {server} is not trusted: {error.verify_message}"
            raise SetupError(f"{said}. Look at MAPRUN_KAFKA_CA") from error
        except (KafkaError, OSError):
            continue  # not there, or not yet
        connection.close()
