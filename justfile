# The verbs of this project; `just` lists them. Without just, run the lines by hand.

default:
    @just --list

# Install everything that development needs into the active virtual environment.
setup:
    pip install -c constraints.txt -e '.[dev,docs,demo]' -e ./plugins/hgrkit-model-mini
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
