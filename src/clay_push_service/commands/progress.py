"""Shows a push job as a progress bar, and prints its result: what was sent, what was not, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from clay_push_service.push_jobs.views import JobView


class JobBar:
    """Shows the latest state of a job. Without a terminal it prints one line for every ten percent."""

    def __init__(self, console: Console, progress: Progress, task: TaskID) -> None:
        self._console = console
        self._progress = progress
        self._task = task
        self._printed_tenth = -1

    def show(self, job: JobView) -> None:
        done = job.lead_count - job.pending_count
        note = (
            f"{job.waiting.reason} until {job.waiting.until:%H:%M:%S} UTC" if job.waiting and job.waiting.until else ""
        )
        note = note or (f"{job.rate:.1f}/s" if job.rate else "")
        self._progress.update(self._task, total=job.lead_count, completed=done, note=note)
        tenth = int(job.progress_percent // 10)
        if not self._console.is_terminal and tenth > self._printed_tenth:
            self._printed_tenth = tenth
            self._console.print(f"  {job.progress}")


@contextmanager
def job_bar(console: Console) -> Iterator[JobBar]:
    progress = Progress(
        TextColumn("  Pushing to Clay"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
        console=console, disable=not console.is_terminal, transient=False,
    )  # fmt: skip
    with progress:
        yield JobBar(console, progress, progress.add_task("push", total=None, note=""))


def print_result(console: Console, job: JobView) -> None:
    """Prints plain text, not markup: names come from databases."""
    console.print(Text(f"  {job.summary or job.progress}"), soft_wrap=True)
    for cause in job.causes:
        remedy = f" {cause.remedy}" if cause.remedy else ""
        console.print(Text(f"    {cause.count:,} × {cause.cause}: {cause.message}{remedy}"), soft_wrap=True)
