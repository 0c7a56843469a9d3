from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest

from byhand.core.errors import DataError
from byhand.data.datasets import download as module
from byhand.data.datasets.download import download

CONTENT = bytes(range(256)) * 2000
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "file.gz"


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def test_a_file_arrives_whole(mirror: Any, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mirror.files["file"] = CONTENT
    assert download([mirror.url + "file"], target, SHA) == target
    assert target.read_bytes() == CONTENT
    assert not part_of(target).exists()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert mirror.url + "file (0.5 MB)" in said


def test_progress_is_reported(mirror: Any, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mirror.files["file"] = CONTENT
    steps: list[tuple[int, int | None]] = []
    download([mirror.url + "file"], target, SHA, progress=lambda have, total: steps.append((have, total)))
    assert steps[0] == (0, len(CONTENT))
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert capsys.readouterr().err == ""


def test_the_next_mirror_is_tried(mirror: Any, target: Path) -> None:
    mirror.files |= {"wrong": b"<html>moved</html>", "file": CONTENT}
    urls = ["http://127.0.0.1:1/none", mirror.url + "missing", mirror.url + "wrong", mirror.url + "file"]
    assert download(urls, target, SHA).read_bytes() == CONTENT


def test_a_broken_connection_is_resumed_at_the_next_mirror(mirror: Any, target: Path) -> None:
    mirror.files |= {"bad": CONTENT, "good": CONTENT}
    mirror.breaks_after["bad"] = 100_000
    download([mirror.url + "bad", mirror.url + "good"], target, SHA)
    assert target.read_bytes() == CONTENT
    assert mirror.requests == [("bad", None), ("good", "bytes=100000-")]


def test_a_broken_connection_is_resumed_by_the_next_call(mirror: Any, target: Path) -> None:
    mirror.files["file"] = CONTENT
    mirror.breaks_after["file"] = 200_000
    with pytest.raises(DataError, match=r"ended after 200,000 of 512,000 bytes(.|\n)*goes on from there"):
        download([mirror.url + "file"], target, SHA)
    assert not target.exists()
    with pytest.raises(DataError, match="400,000 of 512,000"):
        download([mirror.url + "file"], target, SHA)
    assert download([mirror.url + "file"], target, SHA).read_bytes() == CONTENT
    assert [span for _, span in mirror.requests] == [None, "bytes=200000-", "bytes=400000-"]


def test_a_server_without_ranges_sends_all_again(mirror: Any, target: Path) -> None:
    mirror.files["file"] = CONTENT
    mirror.knows_ranges = False
    target.parent.mkdir(parents=True)
    part_of(target).write_bytes(CONTENT[:1000])
    assert download([mirror.url + "file"], target, SHA).read_bytes() == CONTENT
    assert mirror.requests == [("file", "bytes=1000-")]


def test_a_spoilt_part_is_thrown_away(mirror: Any, target: Path) -> None:
    mirror.files["file"] = CONTENT
    target.parent.mkdir(parents=True)
    part_of(target).write_bytes(b"not this" * 100)
    assert download([mirror.url + "file"], target, SHA).read_bytes() == CONTENT
    part_of(target).write_bytes(CONTENT + b"too long")
    assert download([mirror.url + "file"], target, SHA).read_bytes() == CONTENT


def test_a_complete_part_needs_no_network(mirror: Any, target: Path) -> None:
    target.parent.mkdir(parents=True)
    part_of(target).write_bytes(CONTENT)
    assert download([mirror.url + "file"], target, SHA).read_bytes() == CONTENT
    assert mirror.requests == []


def test_when_all_fail_every_reason_is_told(mirror: Any, target: Path) -> None:
    mirror.files["wrong"] = b"something else"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"what was there before")
    urls = [mirror.url + "wrong", mirror.url + "missing", "http://127.0.0.1:1/x"]
    with pytest.raises(DataError) as caught:
        download(urls, target, SHA)
    message = str(caught.value)
    assert all(url in message for url in urls)
    assert "not the right one" in message
    assert "HTTP 404" in message
    assert "refused" in message
    assert f"put the file at {target} yourself" in message
    assert target.read_bytes() == b"what was there before"
    assert not part_of(target).exists()


def test_a_full_disk_is_told_as_such(mirror: Any, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    mirror.files["file"] = CONTENT
    monkeypatch.setattr(module, "open", lambda *_: Full(), raising=False)
    with pytest.raises(DataError, match=r"file\.gz\.part cannot be written: No space left on device"):
        download([mirror.url + "file"], target, SHA)


def test_a_folder_that_cannot_be_made(mirror: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be written"):
        download([mirror.url + "file"], tmp_path / "file" / "below", SHA)
