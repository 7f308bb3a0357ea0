"""One file per group of figures: `measure(house, options)` gives what is printed and written."""
