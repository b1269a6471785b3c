from .channels_last_hook import ChannelsLastHook
from .guard_hook import GuardHook

__all__ = ['ChannelsLastHook', 'GuardHook']
