# The names of `hgrkit.research.evaluation` and where they live: for type checkers and lazy_loader.

from .bootstrap import Bootstrap as Bootstrap
from .captions import read_captions as read_captions
from .comparison import compare_ranks as compare_ranks
from .evaluate import Baselines as Baselines
from .evaluate import choose_foils as choose_foils
from .evaluate import evaluate_benchmark as evaluate_benchmark
from .evaluate import evaluate_library as evaluate_library
from .foil_choice import read_foils as read_foils
from .parser_report import errors_page as errors_page
from .parser_report import read_records as read_records
from .parser_report import report_parser as report_parser
from .partially_relevant import evaluate_moments as evaluate_moments
from .rank_file import read_ranks as read_ranks
from .rank_file import write_rank_file as write_rank_file
from .report import write_report as write_report
from .video_source import FeatureSource as FeatureSource
from .video_source import LibrarySource as LibrarySource
from .video_source import open_source as open_source
