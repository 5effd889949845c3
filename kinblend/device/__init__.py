"""Which device the networks run on, and how much of its memory they may take."""

from kinblend.device.memory import DeviceMemory, peak_rss
from kinblend.device.pool import DevicePool, LeaseRecord

__all__ = ["DeviceMemory", "DevicePool", "LeaseRecord", "peak_rss"]
