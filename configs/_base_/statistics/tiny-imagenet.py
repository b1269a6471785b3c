image_statistics = dict(  # as in ContrastiveCrop, RGB
    mean=(122.5, 114.3, 101.4),
    std=(58.7, 57.8, 57.7))
