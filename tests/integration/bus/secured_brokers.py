"""Three brokers that take SASL/SCRAM over TLS alone, and allow nobody what no ACL allows."""

from collections.abc import Iterable
from pathlib import Path

from maprun.runtime.kafka_access import KafkaAccess, Secret
from tests.integration.bus.brokers import Brokers
from tests.integration.bus.secured import make_certificates

ADMIN = "admin"
_MODULES = "org.apache.kafka.common.security"


def password_of(user: str) -> str:
    """Of a user of these brokers."""
    return f"{user}-secret"


class SecuredBrokers(Brokers):
    """The brokers, and who may connect to them."""

    def __init__(self, folder: Path, users: Iterable[str]) -> None:
        self._folder = folder
        self._certificates = make_certificates(folder)
        super().__init__(folder)
        scram = [
            part
            for user in (ADMIN, *users)
            for part in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password_of(user)}]")
        ]
        for broker in self.brokers:
            broker.formatted_with = scram

    def access(self, user: str) -> KafkaAccess:
        """How a user makes itself known."""
        ca = str(self._certificates.ca)
        return KafkaAccess(protocol="SASL_SSL", username=user, password=Secret(password_of(user)), ca=ca)

    def client_settings(self) -> Path:
        """A file by which Kafka's own commands connect as the administrator."""
        login = f'required username="{ADMIN}" password="{password_of(ADMIN)}"'
        path = self._folder / "admin.properties"
        path.write_text(f"""security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config={_MODULES}.scram.ScramLoginModule {login};
ssl.truststore.type=PEM
ssl.truststore.location={self._certificates.ca}
""")
        return path

    def settings(self, number: int) -> str:
        """Of one broker: controllers know each other by PLAIN, for SCRAM's users are in what they decide on."""
        login = f'required username="{ADMIN}" password="{password_of(ADMIN)}"'
        secured = f"""
listener.security.protocol.map=CONTROLLER:SASL_SSL,PLAINTEXT:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.plaintext.scram-sha-512.sasl.jaas.config={_MODULES}.scram.ScramLoginModule {login};
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={_MODULES}.plain.PlainLoginModule {login} \\
 user_{ADMIN}="{password_of(ADMIN)}";
super.users=User:{ADMIN}
"""
        return super().settings(number) + secured + self._certificates.of_broker
