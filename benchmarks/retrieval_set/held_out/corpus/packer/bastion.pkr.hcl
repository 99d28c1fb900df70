source "googlecompute" "bastion" {
  source_image_family = "debian-12"
  machine_type        = "e2-small"
  ssh_username        = "packer"
}

build {
  sources = ["source.googlecompute.bastion"]
  provisioner "shell" {
    inline = ["sudo apt-get -y install tmux postgresql-client"]
  }
}
