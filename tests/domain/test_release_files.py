"""Files of a release that deserve a second look, as the tools' own documentation lays them out."""

from __future__ import annotations

import pytest

from midas_devops.domain.release_files import configuration, migrations

MIGRATIONS = {
    "alembic/versions/3f2a_add_total.py": "Alembic",
    "src/migrations/versions/ae1027_users.py": "Alembic",
    "shop/orders/migrations/0002_order_total.py": "Django",
    "db/migrate/20260131142509_add_total.rb": "Rails",
    "db/schema.rb": "Rails",
    "src/main/resources/db/migration/V1_2__add_total.sql": "Flyway",
    "sql/R__views.sql": "Flyway",
    "sql/U3__undo.sql": "Flyway",
    "src/main/resources/db/changelog/db.changelog-master.yaml": "Liquibase",
    "liquibase/changelog/001.xml": "Liquibase",
    "prisma/migrations/20260131142509_init/migration.sql": "Prisma",
    "packages/db/prisma/schema.prisma": "Prisma",
    "migrations/000001_create_orders.up.sql": "golang-migrate",
    "migrations/1_create.down.sql": "golang-migrate",
    "migrations/20260131142509-add-total.js": "Knex or Sequelize",
    "Orders/Migrations/20260131142509_AddTotal.cs": "Entity Framework",
    "priv/repo/migrations/20260131142509_add_total.exs": "Ecto",
    "tools/backfill.sql": "SQL",
}
NO_MIGRATIONS = [
    "shop/orders/migrations/__init__.py",
    "docs/migration-guide.md",
    "src/migrations.py",
    "CHANGELOG.md",
    "CHANGELOG.json.md",
    "src/sql.py",
    "app/db/schema.py",
]
CONFIGURATION = [
    "infra/main.tf",
    "infra/prod.tfvars",
    "Pulumi.prod.yaml",
    "Dockerfile",
    "docker/Dockerfile.web",
    "docker-compose.prod.yml",
    "k8s/web/deployment.yaml",
    "charts/orders/templates/web.tpl",
    "values-prod.yaml",
    ".github/workflows/ci.yml",
    "midas.toml",
    ".env.production",
    "config/database.yml",
    "src/main/resources/application-prod.properties",
    "uv.lock",
    "package-lock.json",
    "requirements-dev.txt",
]
NO_CONFIGURATION = [
    "src/app.py",
    "README.md",
    "src/config.py",
    "docs/k8s.md",
    "Dockerfiles/readme",
    "tests/test_a.py",
]


@pytest.mark.parametrize("path", MIGRATIONS)
def test_a_migration_is_known_by_its_tools_layout(path: str) -> None:
    assert migrations([path]) == (f"{path} ({MIGRATIONS[path]})",)


@pytest.mark.parametrize("path", NO_MIGRATIONS)
def test_a_name_that_only_sounds_like_it_is_none(path: str) -> None:
    assert migrations([path]) == ()


@pytest.mark.parametrize("path", CONFIGURATION)
def test_what_shapes_where_it_runs_is_configuration(path: str) -> None:
    assert configuration([path]) == (path,)


@pytest.mark.parametrize("path", NO_CONFIGURATION)
def test_code_and_words_are_not(path: str) -> None:
    assert configuration([path]) == ()
