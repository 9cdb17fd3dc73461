"""With which keys the command line signs: those that boto3 would take, from the environment, profiles and so on."""

import os

from maprun.aws.sigv4 import Keys, Signer, amz_date_of
from maprun.runtime import clock
from maprun.runtime.settings import Settings


class ApiSigner:
    """Signs requests to the API once it asks for signatures, which it does not on one's own machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._signer: Signer | None = None

    @property
    def signs(self) -> bool:
        """True once keys were found."""
        return self._signer is not None

    def find_keys(self) -> bool:
        """Looks for keys; True if there are some."""
        keys = _of_environment() or _of_boto3(self._settings)
        if keys is not None:
            self._signer = Signer(keys, self._settings.region, "states")
        return self.signs

    def signed(self, method: str, host: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """The headers to send for these; the same ones while no signature is asked for."""
        if self._signer is None:
            return headers
        path, _, query = target.partition("?")
        lower = {name.lower(): value for name, value in headers.items()}
        ordered = "&".join(sorted(query.split("&")))
        return self._signer.signed(method, host, path, ordered, lower, body, amz_date_of(int(clock.wall_seconds())))


def _of_environment() -> Keys | None:
    """What boto3 looks at first; boto3 itself takes a third of a second to come."""
    key_id, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    return Keys(key_id, secret, os.environ.get("AWS_SESSION_TOKEN", "")) if key_id and secret else None


def _of_boto3(settings: Settings) -> Keys | None:
    from maprun.aws.clients import AwsSettings, make_session  # noqa: PLC0415 - see above

    found = make_session(AwsSettings(region=settings.region)).get_credentials()
    if found is None:
        return None
    frozen = found.get_frozen_credentials()
    return Keys(frozen.access_key, frozen.secret_key, frozen.token or "")
