variable "name" {
  type = string
}

variable "image_tag" {
  type        = string
  description = "Commit of the image that runs."
}

variable "cpu" {
  type    = number
  default = 512
}

variable "memory" {
  type        = number
  default     = 1024
  description = "MiB. The container is killed above it."
}

variable "min_tasks" {
  type    = number
  default = 2
}

variable "max_tasks" {
  type    = number
  default = 8
}

variable "cluster_arn" {
  type = string
}

variable "lb_security_group_id" {
  type = string
}
