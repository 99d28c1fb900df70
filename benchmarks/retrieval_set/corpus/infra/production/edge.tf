# The public name of the shop.
resource "aws_route53_record" "shop" {
  zone_id = data.aws_route53_zone.acme.zone_id
  name    = "shop.acme.example"
  type    = "A"
  alias {
    name                   = aws_cloudfront_distribution.shop.domain_name
    zone_id                = aws_cloudfront_distribution.shop.hosted_zone_id
    evaluate_target_health = false
  }
}

resource "aws_acm_certificate" "shop" {
  provider          = aws.us_east_1
  domain_name       = "shop.acme.example"
  validation_method = "DNS"
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudfront_distribution" "shop" {
  enabled         = true
  http_version    = "http2and3"
  price_class     = "PriceClass_100"
  web_acl_id      = aws_wafv2_web_acl.shop.arn

  origin {
    domain_name = aws_lb.public.dns_name
    origin_id   = "alb"
    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
    }
  }

  default_cache_behavior {
    target_origin_id       = "alb"
    viewer_protocol_policy = "redirect-to-https"
    allowed_methods        = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods         = ["GET", "HEAD"]
    default_ttl            = 0
  }
}

# More than two thousand requests in five minutes from one address are answered with 403.
resource "aws_wafv2_web_acl" "shop" {
  name     = "shop"
  scope    = "CLOUDFRONT"
  provider = aws.us_east_1

  default_action {
    allow {}
  }

  rule {
    name     = "per-address"
    priority = 1
    action {
      block {}
    }
    statement {
      rate_based_statement {
        limit              = 2000
        aggregate_key_type = "IP"
      }
    }
  }
}

resource "aws_lb" "public" {
  name                       = "shop-public"
  load_balancer_type         = "application"
  subnets                    = module.network.public_subnet_ids
  idle_timeout               = 120
  enable_deletion_protection = true
  drop_invalid_header_fields = true
}
