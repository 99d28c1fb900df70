"""Terraform, OpenTofu and the embedded Terraform, by one code path."""
