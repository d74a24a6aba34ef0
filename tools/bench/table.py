# SPDX-License-Identifier: GPL-2.0-only
"""What report and plot share: the keys that are measured, and their targets"""

from pathlib import Path


def read_keys():
    """{key: (unit, operator, target)}, in the order of the file"""
    keys = {}
    for line in Path(__file__).with_name("keys").read_text().splitlines():
        words = line.split()
        if words and words[0] != "#":
            target = float(words[3]) if len(words) > 3 else None
            keys[words[0]] = (words[1], words[2], target)
    return keys
