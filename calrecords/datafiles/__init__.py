"""What a data file is and what its header says, told before anything is stored.

Everything that calrecords knows of a frame comes from its header, written by instruments and
pipelines that differ, and sometimes by nobody to be trusted. This part reads it once, checks
it, and hands on plain facts. It opens FITS files with its own reader of header blocks: it never
touches a pixel, takes about a millisecond, and gives up on a hostile file at once.

Importing it does not import astropy; `open_hdu_list` does when it is called, and so does
`calrecords.datafiles.synthetic`.
"""

from calrecords.datafiles.archivable import check_archivable
from calrecords.datafiles.cards import HeaderValue
from calrecords.datafiles.datafile import DataFile
from calrecords.datafiles.factory import DataFileFactory, load_data_file_class
from calrecords.datafiles.facts import read_facts
from calrecords.datafiles.fitsfile import FitsFile
from calrecords.datafiles.hdus import open_hdu_list
from calrecords.datafiles.installed import installed_data_file_classes
from calrecords.datafiles.lcofitsfile import LcoFitsFile
from calrecords.datafiles.mapping import OCS_SETTINGS, HeaderMapping
from calrecords.datafiles.regular_files import open_regular_file
from calrecords.datafiles.soarfitsfile import SoarFitsFile
from calrecords.datafiles.tarwithfitsfile import LcoTarWithFitsFile, TarWithFitsFile
from calrecords.datafiles.thumbnailfile import ThumbnailFile

__all__ = [
    "OCS_SETTINGS",
    "DataFile",
    "DataFileFactory",
    "FitsFile",
    "HeaderMapping",
    "HeaderValue",
    "LcoFitsFile",
    "LcoTarWithFitsFile",
    "SoarFitsFile",
    "TarWithFitsFile",
    "ThumbnailFile",
    "check_archivable",
    "installed_data_file_classes",
    "load_data_file_class",
    "open_hdu_list",
    "open_regular_file",
    "read_facts",
]
