"""Where a project begins, and whose configuration a folder is."""

from __future__ import annotations

from pathlib import Path

import pytest

from midas_devops.config import Settings, environment_for_config, find_project, load_settings


def test_the_nearest_folder_with_settings_is_the_project(tmp_path):
    (tmp_path / "midas.toml").touch()
    inner = tmp_path / "src" / "deep"
    inner.mkdir(parents=True)

    assert find_project(inner) == tmp_path.resolve()


def test_a_repository_ends_the_search_even_without_settings(tmp_path):
    (tmp_path / "midas.toml").touch()
    repository = tmp_path / "other"
    (repository / ".git").mkdir(parents=True)

    assert find_project(repository) == repository.resolve()


def test_a_folder_that_belongs_to_nothing_is_its_own_project(tmp_path):
    lonely = tmp_path / "lonely"
    lonely.mkdir()

    found = find_project(lonely)

    assert found == lonely.resolve() or (found / ".git").exists() or (found / "midas.toml").is_file()


@pytest.fixture
def project(tmp_path: Path) -> tuple[Settings, Path]:
    for folder in ("infra/staging/network", "infra/live", "infra/other"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "infra/staging/main.tf").touch()
    (tmp_path / "midas.toml").write_text(
        """
        [environments.staging]
        kind = "staging"
        [environments.staging.infrastructure]
        config = "infra/staging"
        [environments.live.infrastructure]
        config = "infra/live/main.tf"
        """
    )
    return load_settings(tmp_path, {}), tmp_path


@pytest.mark.parametrize(
    ("config", "environment"),
    [
        ("infra/staging", "staging"),
        ("./infra/staging/", "staging"),
        ("infra/other/../staging", "staging"),
        ("infra/staging/main.tf", "staging"),
        ("infra/live", "live"),
        ("infra/live/main.tf", "live"),
        ("infra/live/other.tf", "live"),
    ],
)
def test_a_configuration_belongs_to_the_environment_that_names_its_folder(project, config, environment):
    settings, root = project

    assert environment_for_config(settings, root, config) == environment
    assert environment_for_config(settings, root, str(root / config)) == environment


@pytest.mark.parametrize("config", ["infra/other", "infra", ".", "infra/staging/network", "nowhere"])
def test_a_configuration_that_nobody_names_is_production(project, config):
    settings, root = project

    assert environment_for_config(settings, root, config) == "production"


def test_a_link_to_a_named_folder_is_that_folder(project):
    settings, root = project
    (root / "current").symlink_to(root / "infra/staging")

    assert environment_for_config(settings, root, "current") == "staging"
