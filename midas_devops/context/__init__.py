"""What goes to a model: counted, condensed and kept under budget."""
