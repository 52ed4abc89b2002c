"""The default parser and its steps: tagger, grammar of word groups, rules for verbs and for everything else."""
