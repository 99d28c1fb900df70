variable "name" {
  type        = string
  description = "Prefix of every name in the VPC."
}

variable "cidr" {
  type        = string
  description = "Address range of the VPC, a /16."
  validation {
    condition     = can(cidrnetmask(var.cidr))
    error_message = "cidr must be a valid IPv4 range such as 10.20.0.0/16."
  }
}

variable "availability_zones" {
  type        = list(string)
  description = "At least two; the database subnet group needs them."
}

variable "nat_per_zone" {
  type        = bool
  default     = false
  description = "One NAT gateway for each zone instead of one for all."
}

variable "region" {
  type = string
}

variable "tags" {
  type    = map(string)
  default = {}
}
