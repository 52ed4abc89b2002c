# The public names and where they live: read by type checkers, and by lazy_loader when hgrkit.testing is imported.

from .frame_encoder_contract import FrameEncoderContract as FrameEncoderContract
from .model_contract import TextEncoderContract as TextEncoderContract
from .parser_contract import ParserContract as ParserContract
from .store_contract import StoreContract as StoreContract
