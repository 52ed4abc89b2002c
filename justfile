# The verbs of this project; `just` lists them. Without just, run the lines by hand.

default:
    @just --list

# Install everything that development needs into the active virtual environment.
setup:
    pip install -c constraints.txt -e '.[dev,docs,demo]' -e ./plugins/hgrkit-spacy -e ./plugins/hgrkit-clip -e ./plugins/hgrkit-model-mini
    pre-commit install

# Run the tests; `just test -k matcher` runs some.
test *ARGS:
    pytest {{ARGS}}

# Lint and check the format.
lint:
    ruff check .
    ruff format --check .

# Check types, strictly.
types:
    mypy
    mypy --strict examples

# Build the documentation; warnings are errors.
docs:
    sphinx-build -W --keep-going -b html docs docs/_build/html

# Run the benchmarks; each writes a JSON file into the folder.
bench OUT="benchmarks/results":
    mkdir -p {{OUT}}
    python benchmarks/import_time.py --out {{OUT}}/import_time.json

# Kill writers, damage files, fail the disk, mutate media, craft libraries; counts go into the benchmarks.
torture KILLS="270" INDEX_KILLS="30" SEED="0" STRANGERS="500":
    python -m tests.torture.run --kills {{KILLS}} --index-kills {{INDEX_KILLS}} --corruptions 500 --faults 1 \
        --media 2000 --searches 10000 --parsers 3000 --seed {{SEED}} --json benchmarks/results/torture.json
    python -m tests.torture.strangers --count {{STRANGERS}} --seed {{SEED}} --json benchmarks/results/strangers.json
