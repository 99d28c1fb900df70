"""What the agent does beside a run: looks at environments, pipelines and records, and tells the tracker."""
