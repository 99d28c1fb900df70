"""``python -m midas_devops`` is ``midas-devops``."""

from midas_devops.interfaces.cli.main import main

main()
