# terraform_data stands in for a managed database: the plan, the state and the dependencies are real,
# and no cloud account is needed to try it.

variable "environment" {
  type        = string
  description = "Whose database it is."
}

variable "storage_gb" {
  type        = number
  description = "Size of the disk."
}

variable "backup_days" {
  type        = number
  description = "How long backups are kept; 0 for none."
}

resource "terraform_data" "password" {
  input = uuid()

  lifecycle {
    ignore_changes = [input]
  }
}

resource "terraform_data" "database" {
  input = {
    name        = "orders-${var.environment}"
    engine      = "postgres 17"
    storage_gb  = var.storage_gb
    backup_days = var.backup_days
  }
}

output "name" {
  value = terraform_data.database.output.name
}

output "connection" {
  value     = "postgresql://orders:${terraform_data.password.output}@db.${var.environment}.internal/orders"
  sensitive = true
}
