"""The modules in this folder find each other in the tests as they do where they are run."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
