"""What TestState is asked, in AWS's members."""

import msgspec


class _Members(msgspec.Struct, rename="camel", frozen=True, kw_only=True, omit_defaults=True):
    """A structure of a request; a member that is None is absent."""


class ErrorOutput(_Members, frozen=True, kw_only=True):
    """MockErrorOutput."""

    error: str | None = None
    cause: str | None = None


class Mock(_Members, frozen=True, kw_only=True):
    """MockInput: what comes of the state's work, instead of the work."""

    result: str | None = None
    error_output: ErrorOutput | None = None
    field_validation_mode: str | None = None


class Configuration(_Members, frozen=True, kw_only=True):
    """TestStateConfiguration."""

    retrier_retry_count: int | None = None
    error_caused_by_state: str | None = None
    map_iteration_failure_count: int | None = None
    map_item_reader_data: str | None = None


class Asked(_Members, frozen=True, kw_only=True):
    """TestStateInput."""

    definition: str
    role_arn: str | None = None
    input: str | None = None
    inspection_level: str | None = None
    reveal_secrets: bool | None = None
    variables: str | None = None
    state_name: str | None = None
    mock: Mock | None = None
    context: str | None = None
    state_configuration: Configuration | None = None
