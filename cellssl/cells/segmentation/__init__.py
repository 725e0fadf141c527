"""Labels of nuclei and cells: found without weights, by Cellpose, or read from images made elsewhere."""
