resource "google_sql_database_instance" "bookings" {
  name             = "bookings"
  database_version = "POSTGRES_16"
  settings {
    tier              = "db-custom-8-32768"
    availability_type = "REGIONAL"
    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7
    }
  }
}

# Scanned tickets are legal documents: nobody may shorten how long they stay.
resource "google_storage_bucket" "scans" {
  name = "tickets-scans"
  retention_policy {
    is_locked        = true
    retention_period = 220752000
  }
}

resource "google_redis_instance" "seatmap" {
  name           = "seatmap"
  tier           = "STANDARD_HA"
  memory_size_gb = 12
}
