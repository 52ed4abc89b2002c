from tests.indexing.conftest import make_video

__all__ = ["make_video"]
