variable "name" {
  type = string
}

variable "instance_class" {
  type        = string
  default     = "db.t4g.medium"
  description = "Size of the database server."
}

variable "storage_gb" {
  type        = number
  default     = 50
  description = "Initial disk; it grows by itself to four times this."
}

variable "multi_az" {
  type        = bool
  default     = false
  description = "A standby in another zone that takes over within two minutes."
}

variable "backup_days" {
  type    = number
  default = 7
}

variable "protected" {
  type    = bool
  default = true
}

variable "replicas" {
  type    = number
  default = 0
}

variable "kms_key_arn" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}
