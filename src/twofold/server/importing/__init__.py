"""Files of other registries brought into a channel: `twofold admin import`.

`sources` lists what a registry or a folder has; `transfer` fetches, verifies and publishes it.
"""
