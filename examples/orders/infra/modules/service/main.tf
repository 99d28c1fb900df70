variable "environment" {
  type = string
}

variable "port" {
  type = number
}

variable "replicas" {
  type = number
}

variable "database" {
  type        = string
  description = "Name of the database that the service works on."
}

resource "terraform_data" "service" {
  input = {
    name     = "orders-${var.environment}"
    port     = var.port
    replicas = var.replicas
    database = var.database
  }
}

resource "terraform_data" "alert" {
  input = {
    on       = terraform_data.service.output.name
    when     = "health != 200 for 2m"
    escalate = var.environment == "production"
  }
}

output "url" {
  value = "http://127.0.0.1:${terraform_data.service.output.port}"
}
