"""What a wheel holds: each file of our packages, whatever it is."""

from pathlib import Path

from tests.wheel.building import ROOT, build, names_in


def test_the_wheel_holds_every_file_of_our_packages(tmp_path: Path) -> None:
    """Poms, schemas, the console, texts: nothing is left behind that the code reads, and nothing else comes along."""
    packages = ("maprun", "schemas", "services")
    files = {
        str(path.relative_to(ROOT))
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in names_in(build(tmp_path)) if ".dist-info/" not in name}
    assert held == files


def test_the_first_function_is_that_of_the_examples() -> None:
    """What `maprun up` lays into an empty folder is the example that the documentation names."""
    laid = ROOT / "maprun" / "local" / "static" / "echo.txt"
    assert laid.read_bytes() == (ROOT / "examples" / "functions" / "echo.py").read_bytes()
