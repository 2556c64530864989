import pytest

from tightrope.offline.sweep.making.recipes import read_recipes
from tightrope.service.config.loader import ConfigError


def test_each_part_names_its_variants() -> None:
    """A range has both ends, and what is named twice is made once."""
    assert [each.name for each in read_recipes("dynamic, static,fp16,prune:0.3:0.9,prune:0.5")] == [
        "dynamic-u8", "dynamic-s8", "dynamic-s8-per-channel", "static", "fp16",
        "prune-0.3", "prune-0.5", "prune-0.7", "prune-0.9",
    ]  # fmt: skip
    assert [each.options["sparsity"] for each in read_recipes("prune:0.5:0.8")] == [0.5, 0.7, 0.8]


@pytest.mark.parametrize(
    "text", ["int4", "prune", "prune:0", "prune:1.5", "prune:a", "static:3", "prune:.1:.2:.3", ","]
)
def test_what_is_no_recipe_is_refused(text: str) -> None:
    """In one line, with what there is."""
    with pytest.raises(ConfigError, match=r"--make: .*dynamic, static, fp16, prune:0\.5"):
        read_recipes(text)
