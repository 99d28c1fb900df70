"""The guard knows what holds data whichever engine names it."""

from __future__ import annotations

import pytest

from midas_devops.domain.pulumi_types import terraform_names
from midas_devops.domain.stateful_types import stateful_kind


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("aws:s3/bucket:Bucket", "aws_s3_bucket"),
        ("aws:rds/instance:Instance", "aws_db_instance"),
        ("aws:rds/cluster:Cluster", "aws_rds_cluster"),
        ("aws:dynamodb/table:Table", "aws_dynamodb_table"),
        ("aws:efs/fileSystem:FileSystem", "aws_efs_file_system"),
        ("aws:kms/key:Key", "aws_kms_key"),
        ("aws:route53/zone:Zone", "aws_route53_zone"),
        ("gcp:sql/databaseInstance:DatabaseInstance", "google_sql_database_instance"),
        ("gcp:storage/bucket:Bucket", "google_storage_bucket"),
        ("azure:keyvault/keyVault:KeyVault", "azurerm_key_vault"),
        ("azure-native:storage:StorageAccount", "azurerm_storage_account"),
        ("kubernetes:core/v1:PersistentVolumeClaim", "kubernetes_persistent_volume_claim"),
        ("cloudflare:index/zone:Zone", "cloudflare_zone"),
    ],
)
def test_a_type_of_pulumi_is_as_stateful_as_terraforms(token: str, name: str) -> None:
    assert name in terraform_names(token)
    assert stateful_kind(token) == stateful_kind(name) != ""


@pytest.mark.parametrize(
    "token", ["aws:lambda/function:Function", "random:index/randomPet:RandomPet", "aws_instance", "a:b", ""]
)
def test_what_holds_nothing_is_not_stateful(token: str) -> None:
    assert stateful_kind(token) == ""
