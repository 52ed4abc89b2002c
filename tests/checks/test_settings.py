"""How configs are declared, checked and read, on a config of two parts."""

from __future__ import annotations

import inspect
import re
from typing import Literal

import attrs
import pytest

from hgrkit.checks.settings import described, like, read_settings, setting, settings_like, takes_settings, to_json
from hgrkit.errors import ConfigError


def even(number):
    if number % 2:
        raise ConfigError(f"size must be even, got {number}.")


@attrs.frozen(kw_only=True)
class Engine:
    size: int = setting(meaning="cylinders", within="[1, 16]", check=even)
    fuel: Literal["oil", "none"] = setting("oil", "what it burns")
    heat: float = setting(1.0, "of the oil", within="[0, inf)")


@attrs.frozen(kw_only=True)
class Car:
    cylinders: int = like(Engine, "size", 4)
    warmth: float = like(Engine, "heat")
    wheels: tuple[int, ...] = setting((1, 2), "their numbers", within="[0, 9]")
    roof: str | None = setting(None, "its colour")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 17}, "size must be a whole number in [1, 16], got 17."),
        ({"size": True}, "size must be a whole number in [1, 16], got True."),
        ({"size": 3}, "size must be even, got 3."),
        ({"size": 2, "fuel": "coal"}, "fuel must be 'oil' or 'none', got 'coal'."),
        ({"size": 2, "heat": float("nan")}, "heat must be a number in [0, inf), got nan."),
        ({"size": 2, "heat": 10**400}, "heat must be a number in [0, inf), got 1000"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_one_line(settings, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Engine(**settings)


def test_a_setting_that_stands_for_another_is_held_to_the_same():
    assert attrs.fields_dict(Car)["warmth"].metadata["meaning"] == "of the oil"
    for cylinders, message in ((17, r"cylinders must be a whole number in \[1, 16\]"), (5, "must be even")):
        with pytest.raises(ConfigError, match=message):
            Car(cylinders=cylinders)
    assert settings_like(Engine, Car(warmth=2.5)) == {"size": 4, "heat": 2.5}
    assert Engine(**settings_like(Engine, Car())) == Engine(size=4)


def test_a_table_is_read_with_what_it_does_not_say():
    car = read_settings(Car, {"wheels": [3], "roof": "none"}, "[car]", cylinders=6)
    assert car == Car(cylinders=6, wheels=(3,), roof=None)
    assert read_settings(Engine, {"size": 2, "fuel": "none"}, "[engine]").fuel == "none"
    with pytest.raises(ConfigError, match=r"^\[car\] has no setting 'cylinders'; known: warmth, wheels, roof\.$"):
        read_settings(Car, {"cylinders": 6}, "[car]", cylinders=6)
    with pytest.raises(ConfigError, match=r"^\[engine\] lacks 'size'; known: size, fuel, heat\.$"):
        read_settings(Engine, {}, "[engine]")
    with pytest.raises(ConfigError, match=r"^\[car\] must be a table of settings, got \[\]\.$"):
        read_settings(Car, [], "[car]")


def test_json_has_lists_and_numbers_of_the_declared_type():
    assert to_json(Car(warmth=3)) == {"cylinders": 4, "warmth": 3.0, "wheels": [1, 2], "roof": None}
    assert isinstance(to_json(Car(warmth=3))["warmth"], float)


def test_a_type_is_said_in_words_with_the_range_of_its_numbers():
    assert described(tuple[float, float], "[0, 1)") == "a list of 2, each a number in [0, 1)"
    assert described(int | Literal["all"], "[1, inf)") == "a whole number in [1, inf) or 'all'"
    assert described(str | None) == "text or none"


def test_a_class_that_takes_settings_shows_them_with_their_defaults_and_meanings():
    @takes_settings(Engine)
    class Driver:
        """Drives.

        Args:
            name: whose.
            settings: those of the
                engine.

        Raises:
            ConfigError: if one does not fit.
        """

        def __init__(self, *, name, **settings):
            self.engine = Engine(**settings)

    assert str(inspect.signature(Driver)) == "(*, name, size, fuel='oil', heat=1.0)"
    told = inspect.getdoc(Driver)
    assert (
        "    name: whose.\n    size: cylinders.\n    fuel: what it burns.\n    heat: of the oil.\n\nRaises:"
        in told
    )
    assert Driver(name="a", size=2).engine == Engine(size=2)
