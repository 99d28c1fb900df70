"""Resource types that hold what no configuration can bring back: data, keys, names, identities.

The table sharpens the guard's reasons and names its rule; in production the guard asks for any destroyed
resource, listed here or not. Types are those of the providers aws, google, azurerm, kubernetes and
cloudflare, with a few neighbours (helm, vault, digitalocean).
"""

from __future__ import annotations

from functools import cache

from midas_devops.domain.pulumi_types import terraform_names

TABLE_VERSION = "2026.11"

_TABLE: dict[str, str] = {
    "database": """
        aws_db_instance aws_db_cluster_snapshot aws_db_snapshot
        aws_db_instance_automated_backups_replication aws_rds_cluster aws_rds_cluster_instance
        aws_rds_global_cluster aws_rds_shard_group aws_dynamodb_table aws_dynamodb_global_table
        aws_dynamodb_table_item aws_dynamodb_table_replica aws_docdb_cluster aws_docdb_cluster_instance
        aws_docdb_global_cluster aws_docdbelastic_cluster aws_neptune_cluster aws_neptune_cluster_instance
        aws_neptune_global_cluster aws_neptunegraph_graph aws_redshift_cluster
        aws_redshiftserverless_namespace aws_redshiftserverless_workgroup aws_keyspaces_keyspace
        aws_keyspaces_table aws_timestreamwrite_database aws_timestreamwrite_table
        aws_timestreaminfluxdb_db_instance aws_qldb_ledger aws_simpledb_domain aws_dsql_cluster
        aws_lightsail_database aws_memorydb_cluster aws_memorydb_snapshot aws_glue_catalog_database
        aws_glue_catalog_table aws_athena_database aws_lakeformation_resource aws_s3tables_table
        google_sql_database_instance google_sql_database google_spanner_instance google_spanner_database
        google_bigtable_instance google_bigtable_table google_bigquery_dataset google_bigquery_table
        google_firestore_database google_firestore_document google_datastore_index
        google_firebase_database_instance google_alloydb_cluster google_alloydb_instance
        google_alloydb_backup google_oracle_database_autonomous_database
        google_oracle_database_cloud_exadata_infrastructure azurerm_mssql_database azurerm_mssql_server
        azurerm_mssql_managed_database azurerm_mssql_managed_instance azurerm_mssql_elasticpool
        azurerm_sql_database azurerm_sql_server azurerm_postgresql_server azurerm_postgresql_database
        azurerm_postgresql_flexible_server azurerm_postgresql_flexible_server_database azurerm_mysql_server
        azurerm_mysql_database azurerm_mysql_flexible_server azurerm_mysql_flexible_database
        azurerm_mariadb_server azurerm_mariadb_database azurerm_cosmosdb_account
        azurerm_cosmosdb_sql_database azurerm_cosmosdb_sql_container azurerm_cosmosdb_mongo_database
        azurerm_cosmosdb_mongo_collection azurerm_cosmosdb_cassandra_cluster
        azurerm_cosmosdb_cassandra_keyspace azurerm_cosmosdb_cassandra_table
        azurerm_cosmosdb_gremlin_database azurerm_cosmosdb_gremlin_graph azurerm_cosmosdb_table
        azurerm_cosmosdb_postgresql_cluster azurerm_mongo_cluster azurerm_synapse_workspace
        azurerm_synapse_sql_pool azurerm_kusto_cluster azurerm_kusto_database
        azurerm_oracle_autonomous_database cloudflare_d1_database digitalocean_database_cluster
        digitalocean_database_db
    """,
    "object store": """
        aws_s3_bucket aws_s3_object aws_s3_bucket_object aws_s3_bucket_versioning aws_s3_directory_bucket
        aws_s3_access_point aws_s3control_bucket aws_s3tables_table_bucket aws_s3vectors_vector_bucket
        aws_glacier_vault aws_glacier_vault_lock aws_lightsail_bucket aws_s3_bucket_lifecycle_configuration
        google_storage_bucket google_storage_bucket_object google_storage_managed_folder
        google_storage_anywhere_cache azurerm_storage_account azurerm_storage_container azurerm_storage_blob
        azurerm_storage_table azurerm_storage_table_entity azurerm_storage_data_lake_gen2_filesystem
        azurerm_storage_data_lake_gen2_path azurerm_storage_management_policy cloudflare_r2_bucket
        cloudflare_workers_kv_namespace cloudflare_workers_kv digitalocean_spaces_bucket
    """,
    "disk": """
        aws_ebs_volume aws_ebs_snapshot aws_ebs_snapshot_copy aws_volume_attachment aws_ami aws_ami_copy
        aws_lightsail_disk aws_storagegateway_cached_iscsi_volume aws_storagegateway_stored_iscsi_volume
        google_compute_disk google_compute_region_disk google_compute_snapshot google_compute_image
        google_compute_machine_image google_compute_attached_disk google_compute_instant_snapshot
        google_compute_storage_pool azurerm_managed_disk azurerm_snapshot azurerm_image azurerm_shared_image
        azurerm_shared_image_version azurerm_virtual_machine_data_disk_attachment azurerm_elastic_san
        azurerm_elastic_san_volume kubernetes_persistent_volume kubernetes_persistent_volume_v1
        kubernetes_persistent_volume_claim kubernetes_persistent_volume_claim_v1 kubernetes_storage_class
        kubernetes_storage_class_v1 kubernetes_stateful_set kubernetes_stateful_set_v1 digitalocean_volume
        digitalocean_volume_snapshot
    """,
    "file system": """
        aws_efs_file_system aws_efs_mount_target aws_efs_access_point aws_efs_replication_configuration
        aws_fsx_lustre_file_system aws_fsx_windows_file_system aws_fsx_ontap_file_system
        aws_fsx_ontap_volume aws_fsx_ontap_storage_virtual_machine aws_fsx_openzfs_file_system
        aws_fsx_openzfs_volume aws_fsx_openzfs_snapshot aws_fsx_backup aws_fsx_file_cache
        aws_storagegateway_nfs_file_share aws_storagegateway_smb_file_share google_filestore_instance
        google_filestore_snapshot google_filestore_backup google_netapp_storage_pool google_netapp_volume
        google_netapp_volume_snapshot google_parallelstore_instance google_lustre_instance
        azurerm_storage_share azurerm_storage_share_file azurerm_storage_share_directory
        azurerm_netapp_account azurerm_netapp_pool azurerm_netapp_volume azurerm_netapp_snapshot
        azurerm_managed_lustre_file_system
    """,
    "queue or stream": """
        aws_sqs_queue aws_sns_topic aws_kinesis_stream aws_kinesis_firehose_delivery_stream
        aws_kinesis_video_stream aws_msk_cluster aws_msk_serverless_cluster aws_mq_broker
        aws_cloudwatch_event_bus aws_cloudwatch_event_archive aws_sfn_state_machine
        aws_scheduler_schedule_group google_pubsub_topic google_pubsub_subscription google_pubsub_lite_topic
        google_pubsub_lite_subscription google_pubsub_schema google_cloud_tasks_queue
        google_managed_kafka_cluster google_managed_kafka_topic google_datastream_stream
        azurerm_storage_queue azurerm_servicebus_namespace azurerm_servicebus_queue azurerm_servicebus_topic
        azurerm_servicebus_subscription azurerm_eventhub azurerm_eventhub_namespace azurerm_eventhub_cluster
        azurerm_eventhub_consumer_group azurerm_eventgrid_topic azurerm_eventgrid_domain azurerm_iothub
        cloudflare_queue
    """,
    "key": """
        aws_kms_key aws_kms_replica_key aws_kms_external_key aws_kms_replica_external_key aws_kms_alias
        aws_kms_custom_key_store aws_cloudhsm_v2_cluster aws_cloudhsm_v2_hsm aws_key_pair aws_iam_access_key
        aws_acmpca_certificate_authority aws_acm_certificate aws_iam_server_certificate
        aws_iam_signing_certificate aws_route53_key_signing_key aws_signer_signing_profile
        aws_paymentcryptography_key google_kms_key_ring google_kms_crypto_key google_kms_crypto_key_version
        google_kms_ekm_connection google_kms_secret_ciphertext google_service_account_key
        google_privateca_certificate_authority google_privateca_ca_pool google_privateca_certificate
        google_compute_ssl_certificate google_compute_managed_ssl_certificate
        google_certificate_manager_certificate azurerm_key_vault azurerm_key_vault_key
        azurerm_key_vault_certificate azurerm_key_vault_managed_storage_account
        azurerm_key_vault_managed_hardware_security_module
        azurerm_key_vault_managed_hardware_security_module_key azurerm_disk_encryption_set
        azurerm_app_service_certificate azurerm_ssh_public_key cloudflare_origin_ca_certificate
        cloudflare_custom_ssl cloudflare_certificate_pack tls_private_key tls_self_signed_cert
        vault_transit_secret_backend_key vault_pki_secret_backend_root_cert
    """,
    "secret": """
        aws_secretsmanager_secret aws_secretsmanager_secret_version aws_secretsmanager_secret_rotation
        aws_ssm_parameter aws_appconfig_configuration_profile aws_appconfig_hosted_configuration_version
        google_secret_manager_secret google_secret_manager_secret_version
        google_secret_manager_regional_secret google_secret_manager_regional_secret_version
        google_parameter_manager_parameter azurerm_key_vault_secret azurerm_app_configuration
        azurerm_app_configuration_key kubernetes_secret kubernetes_secret_v1 kubernetes_secret_v1_data
        kubernetes_config_map kubernetes_config_map_v1 cloudflare_workers_secret cloudflare_secrets_store
        random_password random_id random_uuid random_string vault_mount vault_generic_secret vault_kv_secret
        vault_kv_secret_v2
    """,
    "DNS zone or name": """
        aws_route53_zone aws_route53_record aws_route53domains_domain aws_route53domains_registered_domain
        aws_route53_delegation_set aws_route53_hosted_zone_dnssec
        aws_service_discovery_private_dns_namespace aws_service_discovery_public_dns_namespace aws_eip
        aws_ses_domain_identity aws_sesv2_email_identity aws_lightsail_domain google_dns_managed_zone
        google_dns_record_set google_clouddomains_registration google_compute_address
        google_compute_global_address azurerm_dns_zone azurerm_private_dns_zone azurerm_dns_a_record
        azurerm_dns_aaaa_record azurerm_dns_cname_record azurerm_dns_mx_record azurerm_dns_ns_record
        azurerm_dns_txt_record azurerm_dns_srv_record azurerm_dns_caa_record azurerm_private_dns_a_record
        azurerm_private_dns_cname_record azurerm_public_ip azurerm_public_ip_prefix
        azurerm_app_service_certificate_order cloudflare_zone cloudflare_record cloudflare_dns_record
        cloudflare_zone_dnssec cloudflare_registrar_domain cloudflare_zero_trust_tunnel_cloudflared
        cloudflare_tunnel digitalocean_domain digitalocean_record
    """,
    "registry": """
        aws_ecr_repository aws_ecrpublic_repository aws_codeartifact_domain aws_codeartifact_repository
        aws_codecommit_repository aws_imagebuilder_image aws_sagemaker_model_package_group
        google_artifact_registry_repository google_container_registry google_sourcerepo_repository
        google_secure_source_manager_repository azurerm_container_registry cloudflare_images_variant
        digitalocean_container_registry github_repository gitlab_project
    """,
    "backup": """
        aws_backup_vault aws_backup_vault_lock_configuration aws_backup_logically_air_gapped_vault
        aws_backup_plan aws_backup_selection aws_dlm_lifecycle_policy google_backup_dr_backup_vault
        google_backup_dr_backup_plan google_gke_backup_backup_plan azurerm_recovery_services_vault
        azurerm_data_protection_backup_vault azurerm_backup_policy_vm azurerm_backup_protected_vm
        azurerm_backup_protected_file_share azurerm_data_protection_backup_instance_disk
        azurerm_data_protection_backup_instance_blob_storage
        azurerm_data_protection_backup_instance_postgresql azurerm_site_recovery_replicated_vm
    """,
    "cache": """
        aws_elasticache_cluster aws_elasticache_replication_group aws_elasticache_serverless_cache
        aws_elasticache_global_replication_group aws_dax_cluster google_redis_instance google_redis_cluster
        google_memcache_instance google_memorystore_instance azurerm_redis_cache
        azurerm_redis_enterprise_cluster azurerm_redis_enterprise_database azurerm_managed_redis
    """,
    "search index": """
        aws_elasticsearch_domain aws_opensearch_domain aws_opensearchserverless_collection
        aws_cloudsearch_domain aws_kendra_index google_discovery_engine_data_store google_vertex_ai_index
        google_vertex_ai_featurestore google_vertex_ai_dataset azurerm_search_service
        cloudflare_vectorize_index
    """,
    "log or metrics store": """
        aws_cloudwatch_log_group aws_cloudwatch_log_stream aws_cloudtrail aws_cloudtrail_event_data_store
        aws_prometheus_workspace aws_grafana_workspace aws_config_configuration_recorder aws_flow_log
        google_logging_project_bucket_config google_logging_folder_bucket_config
        google_logging_organization_bucket_config google_logging_log_view google_logging_project_sink
        azurerm_log_analytics_workspace azurerm_application_insights azurerm_monitor_workspace
        azurerm_monitor_diagnostic_setting cloudflare_logpush_job
    """,
    "identity store": """
        aws_cognito_user_pool aws_cognito_identity_pool aws_cognito_user aws_directory_service_directory
        aws_identitystore_user aws_identitystore_group aws_organizations_account
        aws_organizations_organization aws_organizations_organizational_unit aws_iam_user
        aws_iam_openid_connect_provider aws_iam_saml_provider google_identity_platform_tenant
        google_identity_platform_config google_service_account google_project google_folder
        google_iam_workload_identity_pool google_active_directory_domain
        azurerm_active_directory_domain_service azurerm_aadb2c_directory azurerm_user_assigned_identity
        azurerm_subscription azurerm_management_group azurerm_resource_group azuread_application
        azuread_service_principal azuread_user azuread_group cloudflare_account
    """,
    "cluster": """
        aws_eks_cluster aws_ecs_cluster aws_emr_cluster aws_sagemaker_domain aws_workspaces_workspace
        aws_workspaces_directory aws_transfer_server aws_outposts_outpost google_container_cluster
        google_composer_environment google_dataproc_cluster google_dataproc_metastore_service
        google_notebooks_instance google_workbench_instance google_container_aws_cluster
        google_container_azure_cluster google_vmwareengine_private_cloud azurerm_kubernetes_cluster
        azurerm_hdinsight_hadoop_cluster azurerm_hdinsight_hbase_cluster azurerm_hdinsight_kafka_cluster
        azurerm_hdinsight_spark_cluster azurerm_databricks_workspace azurerm_machine_learning_workspace
        azurerm_redhat_openshift_cluster azurerm_vmware_private_cloud kubernetes_namespace
        kubernetes_namespace_v1 kubernetes_manifest kubernetes_custom_resource_definition helm_release
        cloudflare_durable_object_namespace digitalocean_kubernetes_cluster
    """,
}


@cache
def _kinds() -> dict[str, str]:
    return {name: kind for kind, names in _TABLE.items() for name in names.split()}


def stateful_kind(resource_type: str) -> str:
    """What kind of state a resource of this type holds (``database``, ``key``…); empty when none is known."""
    kinds = _kinds()
    names = (resource_type, *terraform_names(resource_type))
    return next((kinds[name] for name in names if name in kinds), "")
