variable "port" {
  type        = number
  description = "Where the service listens."
}

# The service moves to the shared cluster, so it needs no database of its own any more.
module "service" {
  source      = "../modules/service"
  environment = "production"
  port        = var.port
  replicas    = 3
  database    = "shared-cluster/orders"
}

output "url" {
  value = module.service.url
}
