# What the checkout may read; it never writes.
path "secret/data/checkout/*" {
  capabilities = ["read"]
}

path "database/creds/bookings-rw" {
  capabilities = ["read"]
}

path "transit/sign/tickets" {
  capabilities = ["update"]
}
