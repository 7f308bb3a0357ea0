"""One file per verb; each has main(arguments) -> exit status."""
