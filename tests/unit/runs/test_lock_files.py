"""The folders of the locks on GPUs, in places where everybody may write."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sweepmake.runs.lock_files import Folder, Site, lock_places
from sweepmake.runs.slots import try_acquire

NAME = f"sweepmake-{os.getuid()}"


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Folders like /dev/shm, XDG_RUNTIME_DIR and /tmp."""
    made = tmp_path / "shm", tmp_path / "runtime", tmp_path / "tmp"
    for root in made:
        root.mkdir()
        root.chmod(0o700 if root.name == "runtime" else 0o1777)
    return made


def places(roots: tuple[Path, Path, Path], runtime: bool = True) -> tuple[list[str], list[str]]:
    environment = {"XDG_RUNTIME_DIR": str(roots[1] if runtime else roots[1] / "none")}
    return lock_places(environment, (str(roots[0]), str(roots[2])))


def test_the_locks_lie_in_all_places_that_can_be_used(roots: tuple[Path, Path, Path]) -> None:
    """In folders of the user's own, closed to all others, whatever the umask."""
    before = os.umask(0)
    try:
        usable, problems = places(roots)
    finally:
        os.umask(before)
    assert usable == [f"{root}/{NAME}" for root in roots]
    assert problems == []
    assert {stat.S_IMODE(Path(path).stat().st_mode) for path in usable} == {0o700}


def plant_link(path: Path, elsewhere: Path) -> None:
    path.symlink_to(elsewhere)


def plant_file(path: Path, elsewhere: Path) -> None:
    path.touch()


def plant_guard(path: Path, elsewhere: Path) -> None:
    path.mkdir()
    (path / "guard").symlink_to(elsewhere / "precious")


def plant_lock(path: Path, elsewhere: Path) -> None:
    path.mkdir()
    os.link(elsewhere / "precious", path / "guard")


def plant_fifo(path: Path, elsewhere: Path) -> None:
    path.mkdir()
    os.mkfifo(path / "guard")


@pytest.mark.parametrize(
    "plant", [plant_link, plant_file, plant_guard, plant_lock, plant_fifo], ids=lambda p: p.__name__
)
def test_what_somebody_has_planted_is_neither_used_nor_written_through(
    roots: tuple[Path, Path, Path], tmp_path: Path, plant: object
) -> None:
    """A link or a file instead of the folder; a link, another name of a file, a pipe in it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("precious")
    plant(roots[0] / NAME, elsewhere)  # type: ignore[operator]
    usable, problems = places(roots)
    assert usable == [f"{root}/{NAME}" for root in roots[1:]]
    assert len(problems) == 1
    assert problems[0].startswith(f"{roots[0]}/{NAME}: ")
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]
    assert (elsewhere / "precious").read_text() == "precious"


def test_a_folder_of_somebody_else_is_not_used(
    roots: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner could hold the locks for ever. Here it is ours, and we are somebody else."""
    (roots[0] / NAME).mkdir()
    (roots[0] / NAME).chmod(0o777)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        Folder(f"{roots[0]}/{NAME}")
    assert stat.S_IMODE((roots[0] / NAME).stat().st_mode) == 0o777


def test_a_folder_that_the_last_version_left_open_to_all_is_closed(
    roots: tuple[Path, Path, Path],
) -> None:
    """In a batch job it made the folder above its own with any mode."""
    (roots[0] / NAME).mkdir()
    (roots[0] / NAME).chmod(0o755)
    assert places(roots)[1] == []
    assert stat.S_IMODE((roots[0] / NAME).stat().st_mode) == 0o700


def test_where_others_could_rename_the_folder_it_is_not_used(
    roots: tuple[Path, Path, Path],
) -> None:
    """A folder for everybody without the sticky bit."""
    roots[0].chmod(0o777)
    assert places(roots)[1] == [f"{roots[0]}/{NAME}: others may rename what is in its folder"]


def test_sweeps_meet_whichever_place_one_of_them_lacks(roots: tuple[Path, Path, Path]) -> None:
    """A batch job has no XDG_RUNTIME_DIR; systemd has emptied /dev/shm; somebody took the name."""
    everywhere = "\n".join(places(roots)[0])
    job = "\n".join(places(roots, runtime=False)[0])
    assert len(job.split("\n")) == 2
    lease = try_acquire(["0"], 1, job)
    assert lease is not None
    assert try_acquire(["0"], 1, everywhere) is None
    for path in (roots[0] / NAME).iterdir():
        path.unlink()
    (roots[0] / NAME).rmdir()
    assert try_acquire(["0"], 1, everywhere) is None
    (roots[0] / NAME / "gpu.0.0").unlink(missing_ok=True)
    (roots[0] / NAME / "guard").unlink()
    (roots[0] / NAME).rmdir()
    (roots[0] / NAME).symlink_to(roots[1])
    assert try_acquire(["0"], 1, everywhere) is None
    lease.release()
    assert try_acquire(["0"], 1, everywhere) is not None


def test_without_any_place_it_is_an_error_and_not_a_lease(roots: tuple[Path, Path, Path]) -> None:
    """The first problem is the one that is told."""
    (roots[0] / NAME).touch()
    with pytest.raises(NotADirectoryError):
        try_acquire(["0"], 1, f"{roots[0]}/{NAME}\n{roots[1]}/none/{NAME}")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_file_stays_open_but_those_of_leases(roots: tuple[Path, Path, Path]) -> None:
    """A run that waits looks twice a second, for days."""
    opened = open_files()
    (roots[2] / NAME).touch()
    where = "\n".join(f"{root}/{NAME}" for root in roots)
    lease = try_acquire(["0", "1"], 2, where, cards="0=GPU-x,0,job-7/0")
    assert lease is not None
    assert open_files() == opened + len(lease.files) == opened + 8
    assert try_acquire(["0"], 1, where) is None
    lease.release()
    assert open_files() == opened


def test_the_users_own_folder_is_the_only_place(tmp_path: Path) -> None:
    """SWEEPMAKE_LOCK_FOLDER: also through a link, and made with all above it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    given = {"SWEEPMAKE_LOCK_FOLDER": str(tmp_path / "link/a/b")}
    assert lock_places(given) == ([str(tmp_path / "real/a/b")], [])
    (tmp_path / "real/a/b").chmod(0o755)  # the user's to decide
    assert lock_places(given)[1] == []
    assert stat.S_IMODE((tmp_path / "real/a/b").stat().st_mode) == 0o755


def test_a_full_disk_does_not_keep_a_lease_from_being_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock holds without its text; others then share nothing with it."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert try_acquire(["0", "0"], 1, str(tmp_path)) is not None
    assert try_acquire(["0", "0"], 1, str(tmp_path)) is None


def test_a_site_has_the_files_of_all_places_and_of_the_folder_of_a_job(tmp_path: Path) -> None:
    """In the order in which all sweeps lock them."""
    site = Site(f"{tmp_path}/a\n{tmp_path}/b", ["job-7"])
    assert [(f.path, base) for f, base in site.bases("job-7/0")] == [
        (f"{tmp_path}/a/job-7", "gpu.0."),
        (f"{tmp_path}/b/job-7", "gpu.0."),
    ]
    assert [f.path for f, _ in site.bases("GPU-x")] == [f"{tmp_path}/a", f"{tmp_path}/b"]
    site.close()
