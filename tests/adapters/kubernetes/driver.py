"""Deploys in a process of its own that is killed at a marked line of progress."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.git import GitSource
from midas_devops.adapters.kubernetes.deployer import KubernetesDeployer
from midas_devops.config import KubernetesDeploy
from midas_devops.ports.deployer import Release


def main() -> None:
    """``driver.py ROOT SETTINGS RELEASE WORDS``: dies when a line of progress holds the words."""
    root, words = Path(sys.argv[1]), sys.argv[4]

    def listen(line: str) -> None:
        if words in line:
            os.kill(os.getpid(), signal.SIGKILL)

    KubernetesDeployer(
        "production",
        KubernetesDeploy.model_validate(json.loads(sys.argv[2])),
        root=root,
        home=root / ".midas" / "kubernetes" / "production",
        source=GitSource(root),
        artifacts=open_artifacts(".midas/artifacts", root),
        environ=os.environ,
    ).deploy(Release.model_validate_json(sys.argv[3]), listen)


if __name__ == "__main__":
    main()
