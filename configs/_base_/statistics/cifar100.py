image_statistics = dict(  # of its images, RGB
    mean=(129.3, 124.1, 112.4), std=(68.2, 65.4, 70.4))
