"""From BANZAI's own calibration records to ours.

BANZAI keeps which masters there are in a database of its own; here they are taken over, once
or every night, and selection by the default rules then gives what BANZAI would have chosen::

    with calrecords.connect() as cal:
        print(import_banzai_records(cal, "postgresql://reader@host/calibrations"))

Frames without frame ID are kept, and checksums, which BANZAI does not know, are learned from
the archive when a frame is first fetched.
"""

from __future__ import annotations

from calrecords.compat.banzai._records import demand_banzai_database, import_banzai_records

__all__ = ["demand_banzai_database", "import_banzai_records"]
