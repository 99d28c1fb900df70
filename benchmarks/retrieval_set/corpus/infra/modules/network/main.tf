# One VPC per environment. The second octet of the CIDR tells the environment apart.
resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(var.tags, { Name = "${var.name}-vpc" })
}

resource "aws_subnet" "public" {
  for_each                = toset(var.availability_zones)
  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.value
  cidr_block              = cidrsubnet(var.cidr, 4, index(var.availability_zones, each.value))
  map_public_ip_on_launch = true
}

resource "aws_subnet" "private" {
  for_each          = toset(var.availability_zones)
  vpc_id            = aws_vpc.this.id
  availability_zone = each.value
  cidr_block        = cidrsubnet(var.cidr, 4, index(var.availability_zones, each.value) + 8)
}

# A single gateway outside production: a zone that fails takes outgoing traffic with it, and costs a third.
resource "aws_nat_gateway" "this" {
  for_each      = var.nat_per_zone ? aws_subnet.public : { for k, s in aws_subnet.public : k => s if k == var.availability_zones[0] }
  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = each.value.id
}

resource "aws_eip" "nat" {
  for_each = toset(var.nat_per_zone ? var.availability_zones : [var.availability_zones[0]])
  domain   = "vpc"
}

# S3 and DynamoDB without leaving the VPC, so that image layers do not go through the NAT gateway.
resource "aws_vpc_endpoint" "s3" {
  vpc_id       = aws_vpc.this.id
  service_name = "com.amazonaws.${var.region}.s3"
}

resource "aws_flow_log" "rejects" {
  vpc_id          = aws_vpc.this.id
  traffic_type    = "REJECT"
  log_destination = aws_cloudwatch_log_group.flow.arn
  iam_role_arn    = aws_iam_role.flow.arn
}
