"""Where each setting comes from: argument, environment, TOML file, default, in this order.

The names that the Observatory Control System's ingester and archive read from the
environment are accepted as they are, so that all of them share one configuration. In the
TOML file a setting has the same name in lower case, for example ``api_root``.
"""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

import platformdirs

from calrecords.errors import ConfigurationError
from calrecords.workflows.setting_values import (
    parse_size,
    read_class_names,
    read_flag,
    read_seconds,
    read_text,
    read_words,
)

log = logging.getLogger(__name__)

MASK = "********"
CONFIG_NAME = "calrecords.toml"
_APPLICATION = "calrecords"
_HALF_A_LOGIN = re.compile(r"password\s*=|^/{0,2}[^/:@]+(:|//)[^@]*@", re.IGNORECASE)
"""What is no URL, and was meant as one with a password in it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes
    ----------
    name : str
        In the TOML file.
    variable : str
        In the environment.
    meaning : str
        In one line.
    default : Any
        Used where nobody says otherwise, or a function that returns it; None means that
        there is none.
    read : callable
        Makes the value from text; raises ValueError with what to write instead.
    secret : bool
        Whether it is masked wherever it is shown.
    """

    name: str
    variable: str
    meaning: str
    default: Any = None
    read: Callable[[Any], Any] = read_text
    secret: bool = False


def _of_user(folder: Callable[..., str]) -> Path:
    """Return a folder of the user's, or a name for it where the user has no home.

    Such a user may have said all that there is to be said; else who uses it says what to set.
    """
    try:
        return Path(folder(_APPLICATION, appauthor=False))
    except RuntimeError:
        return Path("~", _APPLICATION)


def _in_data_folder(name: str) -> Callable[[], str]:
    return lambda: str(_of_user(platformdirs.user_data_dir) / name)


def _cache_folder() -> str:
    return str(_of_user(platformdirs.user_cache_dir))


def _ocs(variable: str, meaning: str, default: Any = None, **more: Any) -> Setting:
    return Setting(variable.lower(), variable, meaning, default, **more)


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "db_url",
        "CALRECORDS_DB_URL",
        "records database: a file, or a URL",
        _in_data_folder("records.sqlite"),
    ),
    Setting("cache_dir", "CALRECORDS_CACHE_DIR", "folder of downloaded frames", _cache_folder),
    Setting(
        "cache_max_bytes",
        "CALRECORDS_CACHE_MAX_BYTES",
        "size above which the cache lets go of what was used longest ago; 0 is no limit",
        0,
        read=parse_size,
    ),
    Setting(
        "cache_read_only",
        "CALRECORDS_CACHE_READ_ONLY",
        "never write into the cache folder",
        default=False,
        read=read_flag,
    ),
    Setting(
        "cache_lock_timeout_s",
        "CALRECORDS_CACHE_LOCK_TIMEOUT_S",
        "seconds to wait for another process that fetches the same file",
        1800.0,
        read=read_seconds,
    ),
    Setting(
        "offline",
        "CALRECORDS_OFFLINE",
        "ask no archive and no S3; only the cache and a store in a folder are used",
        default=False,
        read=read_flag,
    ),
    Setting("rules", "CALRECORDS_RULES", "which rules choose: lco, gemini, or a TOML file", "lco"),
    Setting(
        "spool_dir",
        "CALRECORDS_SPOOL_DIR",
        "folder of what comes as file objects, until it is recorded",
        _in_data_folder("spool"),
    ),
    Setting(
        "allow_plain_http",
        "CALRECORDS_ALLOW_PLAIN_HTTP",
        "send the token over plain http outside this machine",
        default=False,
        read=read_flag,
    ),
    Setting(
        "sky_area",
        "CALRECORDS_SKY_AREA",
        "tell the archive where on the sky each frame lies",
        default=False,
        read=read_flag,
    ),
    _ocs("API_ROOT", "root URL of the Science Archive"),
    _ocs("AUTH_TOKEN", "token of a superuser of the archive", secret=True),
    _ocs("OBSERVATION_PORTAL_BASE_URL", "root URL of the portal that knows proposals' tags"),
    _ocs("OBSERVATION_PORTAL_API_TOKEN", "token of that portal", secret=True),
    _ocs("FILESTORE_TYPE", "where bytes are kept: local, s3 or dummy", "local"),
    _ocs("FILESYSTEM_STORAGE_ROOT_DIR", "folder of a local file store", _in_data_folder("store")),
    _ocs("FILESYSTEM_STORAGE_BASE_URL", "where a web server shows that folder"),
    _ocs("BUCKET", "name of a versioned S3 bucket"),
    _ocs("S3_ENDPOINT_URL", "where S3 is, if not at Amazon"),
    _ocs("AWS_DEFAULT_REGION", "region of the bucket"),
    _ocs("S3_SIGNATURE_VERSION", "how S3 requests are signed", "s3v4"),
    _ocs("S3_ADDRESSING_STYLE", "virtual, path or auto", "virtual"),
    _ocs("S3_DAYS_TO_IA_STORAGE", "days after which S3 storage is infrequent-access", 60, read=int),
    _ocs(
        "FILETYPE_MAPPING_OVERRIDES",
        "data file classes by extension",
        {},
        read=read_class_names,
    ),
)
"""Every setting but the header mapping's, which `header_settings` adds."""


def header_settings() -> dict[str, Setting]:
    """Return the settings of the header mapping, by the name of its field.

    Those that OCS has are named as there; ours are named alike, for example ``BINNING_KEY``.
    """
    from calrecords.datafiles import OCS_SETTINGS, HeaderMapping

    variables = {field: variable for variable, field in OCS_SETTINGS.items()}
    usual = HeaderMapping()
    settings = {}
    for field in fields(HeaderMapping):
        default = getattr(usual, field.name)
        variable = variables.get(field.name, f"{field.name.upper()}_KEY")
        meaning = f"header: {field.name.replace('_', ' ')}"
        read = read_words if isinstance(default, tuple) else type(default)
        settings[field.name] = _ocs(variable, meaning, default, read=read)
    return settings


class _NotPickled:
    """What may hold secrets, and so refuses to be pickled."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled.

        Raises
        ------
        TypeError
            Always.
        """
        msg = "settings may be secret, and are not pickled; read them in each process"
        raise TypeError(msg)


@dataclass(frozen=True, slots=True)
class Value(_NotPickled):
    """A setting's value, and where it came from.

    Attributes
    ----------
    setting : Setting
        Which one.
    value : Any
        What it is.
    source : str
        ``argument``, ``environment VARIABLE``, the TOML file's path, or ``default``.
    """

    setting: Setting
    value: Any
    source: str

    def shown(self) -> str:
        """Return the value as it may be shown: secrets masked, no password in a URL."""
        if self.value is None:
            return ""
        if self.setting.secret:
            return MASK
        if isinstance(self.value, tuple):
            return ",".join(self.value)
        return _without_password(str(self.value))

    def __repr__(self) -> str:
        return f"Value({self.setting.name}={self.shown()!r}, source={self.source!r})"


class Settings(_NotPickled):
    """All settings, each with its source.

    Parameters
    ----------
    given : mapping, optional
        Values by name, from arguments; None means not given.
    environment : mapping, optional
        By default the environment of this process.
    folder : Path, optional
        Where a `calrecords.toml` is looked for; by default the working directory.

    Raises
    ------
    ConfigurationError
        If a value cannot be read, or the TOML file is broken or has an unknown name.
    """

    def __init__(
        self,
        given: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._given = {k: v for k, v in (given or {}).items() if v not in (None, "")}
        self._environment = os.environ if environment is None else environment
        self._file, table = self._read_file(folder or Path.cwd())
        self._table = {name.lower(): value for name, value in table.items()}
        known = (*SETTINGS, *header_settings().values())
        self._refuse_unknown({setting.name for setting in known})
        self._values = {setting.name: self._value(setting) for setting in known}

    def __getitem__(self, name: str) -> Any:
        return self._values[name].value

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{v.setting.name}={v.shown()!r}' for v in self.values())})"

    def values(self) -> list[Value]:
        """Return every setting with its value and source."""
        return list(self._values.values())

    @property
    def file(self) -> Path | None:
        """The TOML file that was read, if any."""
        return self._file

    def folder(self, name: str) -> Path:
        """Return a setting that names a folder, its ``~`` expanded.

        Raises
        ------
        ConfigurationError
            If there is no home folder to put there, or no folder can have that name.
        """
        value = self._values[name]
        try:
            folder = Path(value.value).expanduser()
        except RuntimeError:
            msg = f"there is no home folder to put into {value.value}"
        else:
            if "\0" not in str(folder):
                return folder
            msg = "the name of a folder holds a NUL character"
        raise ConfigurationError(f"{msg}; change {value.setting.variable}")

    def _read_file(self, folder: Path) -> tuple[Path | None, dict[str, Any]]:
        named = self._given.pop("config", None) or self._environment.get("CALRECORDS_CONFIG")
        for path in _files(named, folder):
            try:
                return path, tomllib.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                if named:
                    msg = f"{path}: no such file; CALRECORDS_CONFIG names it"
                    raise ConfigurationError(msg) from None
            except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
                if not named and _is_closed(path.parent):
                    log.info("%s may not be entered: no settings are read from there", path.parent)
                    continue
                msg = f"{path}: cannot be read as settings: {error}"
                raise ConfigurationError(msg) from None
        return None, {}

    def _refuse_unknown(self, known: set[str]) -> None:
        for where, names in ((self._file, self._table), ("arguments", self._given)):
            if unknown := sorted(set(names) - known):
                msg = (
                    f"{where}: unknown setting {', '.join(unknown)}; "
                    "`calrecords config show` lists all names"
                )
                raise ConfigurationError(msg)

    def _value(self, setting: Setting) -> Value:
        if setting.name in self._given:
            return self._read(setting, self._given[setting.name], "argument")
        if self._environment.get(setting.variable, "") != "":
            source = f"environment {setting.variable}"
            return self._read(setting, self._environment[setting.variable], source)
        if setting.name in self._table:
            return self._read(setting, self._table[setting.name], str(self._file))
        default = setting.default() if callable(setting.default) else setting.default
        return Value(setting, default, "default")

    def _read(self, setting: Setting, raw: Any, source: str) -> Value:
        try:
            return Value(setting, setting.read(raw), source)
        except (ValueError, SyntaxError, TypeError) as error:
            shown = MASK if setting.secret else repr(raw)
            msg = f"{setting.variable} from {source} cannot be read: {shown}: {error}"
            raise ConfigurationError(msg) from None


def fingerprint() -> tuple[object, ...]:
    """Return what differs once the environment or a TOML file does; it holds secrets.

    It costs a twentieth of reading the settings, for who asks again and again.
    """
    places = _files(os.environ.get("CALRECORDS_CONFIG"), Path.cwd())
    return tuple(os.environ.items()), tuple(_signature(path) for path in places)


def _files(named: str | None, folder: Path) -> list[Path]:
    """Return where settings may be, the first that is there being read."""
    if named:
        return [Path(named)]
    return [folder / CONFIG_NAME, _of_user(platformdirs.user_config_dir) / CONFIG_NAME]


def _is_closed(folder: Path) -> bool:
    """Return whether we may not look up any name in a folder, whatever it holds."""
    try:
        os.stat(f"{folder}/.")  # noqa: PTH116 - a Path drops the dot, which is what is asked for
    except PermissionError:
        return True
    except OSError:
        pass
    return False


def _signature(path: Path) -> tuple[str, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_mtime_ns, status.st_size


def _without_password(text: str) -> str:
    """Return text with the password of a URL masked, and its query dropped."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return MASK if _HALF_A_LOGIN.search(text) else text
    login, at, place = rest.rpartition("@")
    if at:
        user, colon, _ = login.partition(":")
        login = f"{user}:{MASK}" if colon else user
    return f"{scheme}://{login}{at}{place.partition('?')[0]}"
