"""Which device the networks run on, and how much of its memory they may take."""

from kinblend.device.pool import DevicePool, LeaseRecord

__all__ = ["DevicePool", "LeaseRecord"]
