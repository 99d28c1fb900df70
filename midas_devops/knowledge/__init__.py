"""What is known: chunks, retrieval, known failures, and what the structure of a log says."""
