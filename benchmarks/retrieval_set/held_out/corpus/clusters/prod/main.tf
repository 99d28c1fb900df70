# The regional cluster that every public workload of production runs on.
resource "google_container_cluster" "primary" {
  name                = "tickets-prod"
  location            = "europe-west4"
  deletion_protection = true
  release_channel {
    channel = "STABLE"
  }
  maintenance_policy {
    recurring_window {
      start_time = "2026-01-04T02:00:00Z"
      end_time   = "2026-01-04T06:00:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=SU"
    }
  }
}

# Machines for the seat allocator: many cores, never interrupted.
resource "google_container_node_pool" "allocator" {
  cluster    = google_container_cluster.primary.name
  node_count = 3
  node_config {
    machine_type = "c3-highcpu-22"
    taint {
      key    = "dedicated"
      value  = "allocator"
      effect = "NO_SCHEDULE"
    }
  }
}

# Cheap machines that Google may take away at any time.
resource "google_container_node_pool" "batch" {
  cluster = google_container_cluster.primary.name
  autoscaling {
    min_node_count = 0
    max_node_count = 40
  }
  node_config {
    machine_type = "e2-standard-8"
    spot         = true
  }
}
