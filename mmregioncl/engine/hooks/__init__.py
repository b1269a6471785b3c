from .guard_hook import GuardHook

__all__ = ['GuardHook']
