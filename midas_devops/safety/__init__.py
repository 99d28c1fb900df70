"""What keeps secrets, leases and private files safe."""
