"""Which files shape a configuration, and where its folder may be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from midas_devops.adapters.terraform.configuration import combined, fingerprints, locate
from midas_devops.errors import UsageError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "infra/staging/main.tf": (
            'module "web" {\n  source = "../modules/web"\n}\n'
            'locals {\n  policy = file("${path.module}/../shared/policy.json")\n}\n'
        ),
        "infra/staging/user-data.sh.tftpl": "echo",
        "infra/modules/web/main.tf": 'module "inner" {\n  source = "../inner//sub"\n}\n',
        "infra/modules/inner/sub/main.tf": "",
        "infra/modules/unused/main.tf": "",
        "infra/shared/policy.json": "{}",
        "infra/production/main.tf": "",
        "README.md": "orders",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def sha256(project: Path) -> str:
    return combined(fingerprints(locate(project, Path("infra/staging"))))


class TestHash:
    @pytest.mark.parametrize(
        "name",
        [
            "infra/staging/main.tf",
            "infra/staging/user-data.sh.tftpl",
            "infra/staging/new.auto.tfvars",
            "infra/staging/templates/deep/x.json",
            "infra/modules/web/main.tf",
            "infra/modules/web/files/app.conf",
            "infra/modules/inner/sub/main.tf",
            "infra/shared/policy.json",
        ],
    )
    def test_it_moves_with(self, project: Path, name: str) -> None:
        before = sha256(project)
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{path.read_text() if path.exists() else ''}\n# edited\n")
        assert sha256(project) != before

    @pytest.mark.parametrize(
        "name",
        [
            "README.md",
            "infra/production/main.tf",
            "infra/modules/unused/main.tf",
            "infra/staging/terraform.tfstate",
            "infra/staging/terraform.tfstate.backup",
            "infra/staging/terraform.tfstate.1700000000.backup",
            "infra/staging/.terraform.tfstate.lock.info",
            "infra/staging/.terraform.lock.hcl",
            "infra/staging/.terraform/modules/modules.json",
            "infra/staging/terraform.tfstate.d/blue/terraform.tfstate",
            "infra/staging/main.tf~",
            "infra/staging/.main.tf.swp",
            "infra/staging/saved.tfplan",
            "infra/modules/web/.terraform/x",
        ],
    )
    def test_it_stays_with(self, project: Path, name: str) -> None:
        before = sha256(project)
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("edited")
        assert sha256(project) == before

    def test_a_renamed_file_is_another_configuration(self, project: Path) -> None:
        before = sha256(project)
        (project / "infra/staging/user-data.sh.tftpl").rename(project / "infra/staging/other.tftpl")
        assert sha256(project) != before

    def test_a_path_to_the_project_itself_does_not_take_it_in(self, project: Path) -> None:
        (project / "infra/staging/root.tf").write_text('locals {\n  root = "../../"\n}\n')
        before = sha256(project)
        (project / "README.md").write_text("edited")
        assert sha256(project) == before

    def test_modules_that_name_each_other_are_read_once(self, project: Path) -> None:
        (project / "infra/modules/web/loop.tf").write_text('module "x" {\n  source = "../../staging"\n}\n')
        assert "infra/staging/main.tf" in fingerprints(locate(project, Path("infra/staging")))

    def test_a_copy_elsewhere_hashes_the_same(
        self, project: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        copy = tmp_path_factory.mktemp("copy") / "project"
        project.rename(copy)
        first = sha256(copy)
        copy.rename(project)
        assert sha256(project) == first


class TestLocate:
    def test_a_folder_and_a_file_in_it_are_the_same(self, project: Path) -> None:
        folder = locate(project, Path("infra/staging"))
        assert locate(project, Path("infra/staging/main.tf")) == folder
        assert locate(project, project / "infra" / "staging") == folder
        assert folder.relative == "infra/staging"

    def test_a_variables_file_is_kept_for_the_engine(self, project: Path) -> None:
        variables = project / "infra/staging/blue.tfvars"
        variables.write_text("")
        assert locate(project, Path("infra/staging/blue.tfvars")).var_files == (variables,)

    @pytest.mark.parametrize(
        ("place", "said"), [("infra/nowhere", "not there"), ("..", "outside"), ("/", "outside")]
    )
    def test_what_is_not_in_the_project_is_refused(self, project: Path, place: str, said: str) -> None:
        with pytest.raises(UsageError, match=said) as caught:
            locate(project, Path(place))
        assert caught.value.hint

    def test_a_link_that_leads_outside_is_refused(
        self, project: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        outside: Callable[[str], Path] = tmp_path_factory.mktemp
        (project / "infra/link").symlink_to(outside("elsewhere"))
        with pytest.raises(UsageError, match="outside"):
            locate(project, Path("infra/link"))
