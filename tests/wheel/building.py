"""The wheel, built as a release would be."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def build(folder: Path) -> Path:
    """A wheel of a copy of the checkout: building leaves files beside the sources."""
    copy = folder / "source"
    for package in ("maprun", "schemas", "services"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(copy)], check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    return wheel


def names_in(wheel: Path) -> set[str]:
    """The files in it."""
    return set(zipfile.ZipFile(wheel).namelist())
