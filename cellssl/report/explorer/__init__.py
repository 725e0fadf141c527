"""The explorer: a page on which a biologist looks at a map of cells, and at the cells."""
