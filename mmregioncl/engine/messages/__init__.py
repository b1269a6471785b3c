"""What a user reads: the course of a run, errors explained, fewer warnings."""
from typing import Optional

from mmengine.logging import MMLogger

from .failures import hide_tracebacks
from .quiet import hide_needless_lines, hide_needless_warnings


def start_tool(name: Optional[str] = None, log_level: str = 'WARNING') -> None:
    """Prepare what a tool shows: errors as sentences, and no idle warnings.

    Args:
        name (str, optional): Name of the tool's log. Defaults to None, for a
            tool whose log is that of a run.
        log_level (str): Lowest level that is logged. Defaults to 'WARNING'.
    """
    hide_tracebacks()
    hide_needless_warnings()
    if name:
        MMLogger.get_instance(name, log_level=log_level)
    # Of the tool, or what logs until a run has its own
    hide_needless_lines(MMLogger.get_current_instance())
