"""What a type of Pulumi is called in Terraform: most of its providers are made from Terraform's."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PROVIDERS = {"gcp": "google", "azure": "azurerm", "azure-native": "azurerm"}
_MODULES = {"rds": "db"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+")


def terraform_names(token: str) -> Iterator[str]:
    """Names that ``aws:rds/instance:Instance`` can have there: ``aws_rds_instance``, ``aws_db_instance``…

    Nothing for what is no type of Pulumi. The name alone comes last: modules of Pulumi often are none there.
    """
    parts = token.split(":")
    if len(parts) != 3:  # noqa: PLR2004 - package, module and name
        return
    provider = _PROVIDERS.get(parts[0], parts[0])
    module = parts[1].split("/")[0].replace("-", "_")
    name = "_".join(word.lower() for word in _WORD.findall(parts[2]))
    for known in dict.fromkeys((module, _MODULES.get(module, module))):
        yield f"{provider}_{known}_{name}"
    yield f"{provider}_{name}"
