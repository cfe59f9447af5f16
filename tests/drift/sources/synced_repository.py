"""A repository that is ahead of what a GitOps controller has applied."""

from pathlib import Path

from tests.drift.sources.conftest import URL
from tests.git import WHEN, git

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata: {a: '%s'}\n"


class SyncedRepository:
    """A work tree on main, whose first commit is what the controller applied. Its newest one changes data.a."""

    def __init__(self, root: Path) -> None:
        self.root = root
        git(root, "init", "--quiet", "--initial-branch=main")
        git(root, "remote", "add", "origin", URL)
        self.pinned, self.newest = (self.commit(number) for number in (1, 2))

    def commit(self, number: int, when: str = WHEN) -> str:
        (self.root / "dir").mkdir(exist_ok=True)
        (self.root / "dir/a.yaml").write_text(CONFIG % number)
        git(self.root, "add", "dir")
        git(self.root, "commit", "--quiet", "--message=change", when=when)
        return git(self.root, "rev-parse", "HEAD")

    def fork(self, number: int, branch: str, remote: str = "bob") -> None:
        """Adds a newer commit to a branch of the repository of another person, and makes it the default one."""
        here = git(self.root, "rev-parse", "--abbrev-ref", "HEAD")
        git(self.root, "checkout", "--quiet", "--detach")
        git(self.root, "config", f"remote.{remote}.url", "https://git.example.com/bob/apps")
        git(self.root, "update-ref", f"refs/remotes/{remote}/{branch}", self.commit(number, "2026-11-30T10:00:00Z"))
        git(self.root, "symbolic-ref", f"refs/remotes/{remote}/HEAD", f"refs/remotes/{remote}/{branch}")
        git(self.root, "checkout", "--quiet", here)
