variable "port" {
  type        = number
  description = "Where the service listens."
}

module "database" {
  source      = "../modules/database"
  environment = "staging"
  storage_gb  = 10
  backup_days = 0
}

module "service" {
  source      = "../modules/service"
  environment = "staging"
  port        = var.port
  replicas    = 1
  database    = module.database.name
}

output "url" {
  value = module.service.url
}

output "database_name" {
  value = module.database.name
}

output "database_connection" {
  value     = module.database.connection
  sensitive = true
}
