"""What validation says: one finding, and the short ways to make one."""

from dataclasses import dataclass

SCHEMA = "SCHEMA_VALIDATION_FAILED"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: `severity` is ERROR or WARNING; `location` a pointer such as /States/X/Next, or empty."""

    severity: str
    code: str
    message: str
    location: str

    @property
    def line(self) -> str:
        """As AWS writes it into the message of InvalidDefinition; a finding without a place is "at null" there."""
        return f"{self.code}: {self.message} at {self.location or 'null'}"


def error(code: str, message: str, location: str) -> Diagnostic:
    """A finding that refuses the definition."""
    return Diagnostic("ERROR", code, message, location)


def schema_error(message: str, location: str) -> Diagnostic:
    """A finding of the schema."""
    return Diagnostic("ERROR", SCHEMA, message, location)


def warning(code: str, message: str, location: str) -> Diagnostic:
    """A finding that does not refuse the definition."""
    return Diagnostic("WARNING", code, message, location)
