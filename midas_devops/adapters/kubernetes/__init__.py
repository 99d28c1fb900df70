"""A Deployment in a cluster, changed and looked at by kubectl.

``deployer`` is the port, ``change`` carries one deploy or rollback through, ``planning`` asks for a dry run.
``workload`` reads what Kubernetes says, ``manifests`` makes the objects of a release, ``kubectl`` calls it.
"""
