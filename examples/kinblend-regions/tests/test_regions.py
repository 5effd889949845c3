from kinblend.testing import BlenderContract


class TestRegions(BlenderContract):
    name = "regions"
    share_options = {1.0: {"share": 1.0}, 0.0: {"share": 0.0}}
