# PostgreSQL for one service. Minor versions are applied in the window on Sunday night.
resource "aws_db_instance" "this" {
  identifier                 = "${var.name}-db"
  engine                     = "postgres"
  engine_version             = "16.3"
  instance_class             = var.instance_class
  allocated_storage          = var.storage_gb
  max_allocated_storage      = var.storage_gb * 4
  multi_az                   = var.multi_az
  storage_encrypted          = true
  kms_key_id                 = var.kms_key_arn
  deletion_protection        = var.protected
  skip_final_snapshot        = !var.protected
  backup_retention_period    = var.backup_days
  maintenance_window         = "sun:02:00-sun:03:00"
  auto_minor_version_upgrade = true
  db_subnet_group_name       = aws_db_subnet_group.this.name
  parameter_group_name       = aws_db_parameter_group.this.name

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [allocated_storage]
  }
}

resource "aws_db_subnet_group" "this" {
  name       = "${var.name}-db"
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name   = "${var.name}-pg16"
  family = "postgres16"

  # Statements slower than half a second go to the log.
  parameter {
    name  = "log_min_duration_statement"
    value = "500"
  }

  parameter {
    name         = "max_connections"
    value        = "400"
    apply_method = "pending-reboot"
  }

  # Idle transactions hold locks and keep vacuum from cleaning.
  parameter {
    name  = "idle_in_transaction_session_timeout"
    value = "60000"
  }
}

# Read replica for reports, so that analysts do not slow the shop down.
resource "aws_db_instance" "replica" {
  count               = var.replicas
  identifier          = "${var.name}-db-ro-${count.index}"
  replicate_source_db = aws_db_instance.this.identifier
  instance_class      = var.instance_class
}

resource "random_password" "master" {
  length  = 40
  special = false
}

# Applications read the login from here; nobody types it.
resource "aws_secretsmanager_secret_version" "master" {
  secret_id     = aws_secretsmanager_secret.master.id
  secret_string = jsonencode({ username = "app", password = random_password.master.result })
}
