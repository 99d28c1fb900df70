provider "google" {
  project = "acme-analytics"
  region  = "europe-west3"
}

resource "google_bigquery_dataset" "orders" {
  dataset_id                 = "orders"
  location                   = "EU"
  default_table_expiration_ms = 31536000000
}

resource "google_storage_bucket" "landing" {
  name                        = "acme-analytics-landing"
  location                    = "EU"
  uniform_bucket_level_access = true
  lifecycle_rule {
    condition {
      age = 14
    }
    action {
      type = "Delete"
    }
  }
}

resource "google_container_cluster" "notebooks" {
  name                     = "notebooks"
  location                 = "europe-west3"
  remove_default_node_pool = true
  initial_node_count       = 1
  release_channel {
    channel = "STABLE"
  }
}

# Preemptible nodes: a notebook may lose its machine at any time.
resource "google_container_node_pool" "spot" {
  cluster = google_container_cluster.notebooks.name
  autoscaling {
    min_node_count = 0
    max_node_count = 10
  }
  node_config {
    spot         = true
    machine_type = "n2-standard-4"
  }
}

resource "google_service_account_iam_member" "loader" {
  service_account_id = google_service_account.loader.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:acme-analytics.svc.id.goog[etl/loader]"
}
