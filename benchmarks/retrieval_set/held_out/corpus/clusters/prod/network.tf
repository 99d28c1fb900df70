resource "google_compute_network" "main" {
  name                    = "tickets"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "pods" {
  name          = "tickets-pods"
  network       = google_compute_network.main.id
  ip_cidr_range = "10.32.0.0/14"
}

# Outgoing traffic leaves from two fixed addresses that the payment provider has on its list.
resource "google_compute_router_nat" "egress" {
  name                   = "egress"
  router                 = "edge"
  nat_ip_allocate_option = "MANUAL_ONLY"
  nat_ips                = ["egress-a", "egress-b"]
  min_ports_per_vm       = 512
}

resource "google_compute_firewall" "deny_ssh" {
  name    = "deny-ssh"
  network = google_compute_network.main.name
  deny {
    protocol = "tcp"
    ports    = ["22"]
  }
}
