"""What every trainer needs: the loop, checkpoints, the log, moving averages and early stopping; several devices.

`loop.run_training` takes steps and saves at intervals, and ends well when it is interrupted. It saves
`checkpoint.Checkpoints`; `log.TrainingLog` has the figures as JSON lines. `moving_average` and `early_stopping` are
for those who want them, `device.device_of` finds the device. `devices.on_devices` has processes share each batch, and
`ranks.Ranks` tells each of them which rows are its own.
"""
