variable "port" {
  type        = number
  description = "Where the service listens."
}

module "database" {
  source      = "../modules/database"
  environment = "production"
  storage_gb  = 100
  backup_days = 30
}

module "service" {
  source      = "../modules/service"
  environment = "production"
  port        = var.port
  replicas    = 2
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
