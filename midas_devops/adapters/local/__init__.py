"""Releases as processes on this machine.

``deployer`` is the port, ``rollout`` carries one change through. ``services``, ``releases`` and ``record``
hold what that needs: processes that outlive us, folders with exact commits, the durable note of what serves.
"""
