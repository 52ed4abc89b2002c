# The contract suites and where they live: for type checkers and lazy_loader.

from .frame_encoder_contract import FrameEncoderContract as FrameEncoderContract
from .model_contract import TextEncoderContract as TextEncoderContract
from .parser_contract import ParserContract as ParserContract
from .store_contract import StoreContract as StoreContract
from .text_encoder_plugin_contract import TextEncoderPluginContract as TextEncoderPluginContract
