"""The training loop, and what tasks and recipes need of it."""

from training.loop.average import Averaged
from training.loop.metrics import TIMINGS
from training.loop.run_folder import averaged_weights, replace_json, save_recipe, saved_recipe
from training.loop.settings import LoopSettings, Machine
from training.loop.task import Figures, Loss, Stateless, TrainingTask, cut, means, rank_share
from training.loop.trainer import train

__all__ = [
    "TIMINGS",
    "Averaged",
    "Figures",
    "LoopSettings",
    "Loss",
    "Machine",
    "Stateless",
    "TrainingTask",
    "averaged_weights",
    "cut",
    "means",
    "rank_share",
    "replace_json",
    "save_recipe",
    "saved_recipe",
    "train",
]
