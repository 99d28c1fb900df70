"""The small repositories hold tests of their own; they are material, not tests of ours."""

collect_ignore = ["repositories"]
