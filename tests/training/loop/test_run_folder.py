"""Files of a run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event, Thread

from training.loop import replace_json


def test_a_reader_sees_the_old_file_or_the_new_one_never_half_of_it(tmp_path: Path) -> None:
    path, done, broken = tmp_path / "origin.json", Event(), []
    replace_json(path, {"rows": [0] * 5000})

    def read() -> None:
        while not done.is_set():
            try:
                json.loads(path.read_text())
            except ValueError as error:
                broken.append(error)

    reader = Thread(target=read)
    reader.start()
    for number in range(300):
        replace_json(path, {"rows": [number] * 5000})
    done.set()
    reader.join()
    assert not broken
    assert [file.name for file in tmp_path.iterdir()] == ["origin.json"]
