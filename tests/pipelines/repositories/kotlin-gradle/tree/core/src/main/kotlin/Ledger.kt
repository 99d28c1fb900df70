fun balance(entries: List<Int>) = entries.sum()
