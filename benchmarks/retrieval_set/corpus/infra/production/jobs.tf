# Nightly export of orders for the data warehouse.
resource "aws_scheduler_schedule" "export" {
  name                         = "orders-export"
  schedule_expression          = "cron(30 2 * * ? *)"
  schedule_expression_timezone = "Europe/Berlin"
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = aws_ecs_cluster.main.arn
    role_arn = aws_iam_role.scheduler.arn
  }
}

resource "aws_sqs_queue" "events" {
  name                       = "orders-events"
  visibility_timeout_seconds = 180
  message_retention_seconds  = 345600
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "dead" {
  name                      = "orders-events-dead"
  message_retention_seconds = 1209600
}

resource "aws_lambda_function" "thumbnails" {
  function_name                  = "thumbnails"
  runtime                        = "python3.12"
  handler                        = "app.handler"
  memory_size                    = 1536
  timeout                        = 30
  reserved_concurrent_executions = 50
}

resource "aws_elasticache_replication_group" "sessions" {
  replication_group_id       = "shop-sessions"
  description                = "Shopping carts and logins"
  engine                     = "valkey"
  node_type                  = "cache.r7g.large"
  num_cache_clusters         = 2
  automatic_failover_enabled = true
  snapshot_retention_limit   = 3
}
