"""Quality of cells and fields: measured, judged by what is usual on their plate, in crops made elsewhere too."""
