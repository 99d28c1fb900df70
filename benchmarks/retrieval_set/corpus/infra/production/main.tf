terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.60"
    }
  }

  backend "s3" {
    bucket         = "acme-terraform-state"
    key            = "orders/production.tfstate"
    region         = "eu-central-1"
    dynamodb_table = "terraform-locks"
    encrypt        = true
  }
}

provider "aws" {
  region = "eu-central-1"
  assume_role {
    role_arn = "arn:aws:iam::111122223333:role/terraform-production"
  }
  default_tags {
    tags = {
      environment = "production"
      cost_center = "shop"
    }
  }
}

module "network" {
  source             = "../modules/network"
  name               = "orders-production"
  cidr               = "10.30.0.0/16"
  availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  nat_per_zone       = true
  region             = "eu-central-1"
}

module "database" {
  source         = "../modules/database"
  name           = "orders-production"
  instance_class = "db.r7g.xlarge"
  storage_gb     = 400
  multi_az       = true
  backup_days    = 35
  replicas       = 1
  subnet_ids     = module.network.private_subnet_ids
  kms_key_arn    = aws_kms_key.data.arn
}

module "orders" {
  source      = "../modules/service"
  name        = "orders"
  image_tag   = var.image_tag
  cpu         = 2048
  memory      = 4096
  min_tasks   = 6
  max_tasks   = 40
  cluster_arn = aws_ecs_cluster.main.arn
}

resource "aws_kms_key" "data" {
  description             = "Customer data at rest"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}
