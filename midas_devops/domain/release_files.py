"""Which files of a release deserve a second look: migrations, configuration, infrastructure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MIGRATIONS: tuple[tuple[str, str], ...] = (
    # Each tool's own layout, as its documentation gives it.
    ("Alembic", r"(?:^|/)(?:alembic|migrations)/versions/[^/]+\.py"),
    ("Django", r"(?:^|/)migrations/\d{4}_[^/]+\.py"),
    ("Rails", r"(?:^|/)db/migrate/\d+_[^/]+\.rb"),
    ("Rails", r"(?:^|/)db/(?:schema\.rb|structure\.sql)"),
    ("Flyway", r"(?:^|/)(?:[VUB]\d[\w.]*|R)__[^/]+\.(?:sql|java|kt)"),
    ("Liquibase", r"(?:^|/)(?:[^/]*changelog[^/]*|(?:db/)?changelog/.+)\.(?:xml|ya?ml|json|sql)"),
    ("Prisma", r"(?:^|/)prisma/(?:migrations/[^/]+/migration\.sql|schema\.prisma)"),
    ("golang-migrate", r"(?:^|/)\d+_[^/]+\.(?:up|down)\.[^/]+"),
    ("Knex or Sequelize", r"(?:^|/)migrations/\d{8,}[^/]*\.[cm]?[jt]s"),
    ("Entity Framework", r"(?:^|/)Migrations/\d{14}_[^/]+\.cs"),
    ("Ecto", r"(?:^|/)priv/[^/]+/migrations/\d+_[^/]+\.exs"),
    ("SQL", r"[^/]+\.sql"),
)
_NO_MIGRATION = re.compile(r"(?:^|/)(?:migrations|versions)/__init__\.py$")

_CONFIGURATION = re.compile(
    r"""(?:^|/)(?:
        [^/]+\.(?:tf|tfvars|tf\.json|hcl|bicep)
      | Pulumi(?:\.[^/]+)?\.ya?ml
      | (?:Dockerfile|Containerfile)(?:\.[^/]+)? | [^/]+\.[Dd]ockerfile
      | (?:docker-)?compose(?:\.[^/]+)?\.ya?ml
      | (?:k8s|kubernetes|manifests|charts?|helm|deploy(?:ment)?|kustomize)/(?:.+/)?[^/]+\.(?:ya?ml|json|tpl)
      | (?:Chart|values[^/]*|kustomization|skaffold|serverless|app|fly|render)\.(?:ya?ml|toml)
      | \.github/workflows/[^/]+\.ya?ml | \.gitlab-ci\.yml | Jenkinsfile | azure-pipelines\.yml
      | midas\.toml | Procfile | nginx[^/]*\.conf | [^/]+\.service
      | \.env(?:\.[^/]+)?
      | (?:config|conf|settings)/(?:.+/)?[^/]+\.(?:ya?ml|json|toml|ini|conf|properties|env)
      | (?:application|appsettings)[^/]*\.(?:ya?ml|json|properties)
      | (?:requirements[^/]*\.txt|poetry\.lock|uv\.lock|Pipfile\.lock)
      | (?:package-lock\.json|yarn\.lock|pnpm-lock\.yaml)
      | (?:go\.sum|Cargo\.lock|Gemfile\.lock|composer\.lock|gradle\.lockfile)
    )$""",
    re.X,
)


def migrations(files: Iterable[str]) -> tuple[str, ...]:
    """``path (tool)`` of every file that changes a database's shape, in order."""
    found = []
    for path in files:
        tool = next((tool for tool, layout in _MIGRATIONS if re.search(f"{layout}$", path)), "")
        if tool and not _NO_MIGRATION.search(path):
            found.append(f"{path} ({tool})")
    return tuple(found)


def configuration(files: Iterable[str]) -> tuple[str, ...]:
    """Every file that shapes how or where it runs: infrastructure, images, settings, locked packages."""
    return tuple(path for path in files if _CONFIGURATION.search(path))
