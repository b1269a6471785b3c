image_statistics = dict(  # as in ContrastiveCrop, RGB
    mean=(112.4, 109.0, 98.4),
    std=(59.0, 57.8, 57.0))
