terraform {
  required_version = ">= 1.9"

  backend "s3" {
    bucket         = "acme-terraform-state"
    key            = "orders/staging.tfstate"
    region         = "eu-central-1"
    dynamodb_table = "terraform-locks"
    encrypt        = true
  }
}

provider "aws" {
  region = "eu-central-1"
  assume_role {
    role_arn = "arn:aws:iam::444455556666:role/terraform-staging"
  }
}

module "network" {
  source             = "../modules/network"
  name               = "orders-staging"
  cidr               = "10.20.0.0/16"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  region             = "eu-central-1"
}

module "database" {
  source         = "../modules/database"
  name           = "orders-staging"
  instance_class = "db.t4g.medium"
  backup_days    = 3
  protected      = false
  subnet_ids     = module.network.private_subnet_ids
  kms_key_arn    = aws_kms_key.data.arn
}

module "orders" {
  source      = "../modules/service"
  name        = "orders"
  image_tag   = var.image_tag
  min_tasks   = 1
  max_tasks   = 2
  cluster_arn = aws_ecs_cluster.main.arn
}

# Staging sleeps at night and on weekends.
resource "aws_appautoscaling_scheduled_action" "sleep" {
  name               = "sleep"
  schedule           = "cron(0 20 ? * MON-FRI *)"
  service_namespace  = "ecs"
  resource_id        = "service/orders-staging/orders"
  scalable_dimension = "ecs:service:DesiredCount"
  scalable_target_action {
    min_capacity = 0
    max_capacity = 0
  }
}
