"""The parser and packer of RESP that we stand on, asked for in one place."""

from mainstay.core.errors import PartMissing

try:
    from hiredis import ProtocolError, Reader, ReplyError, pack_command
except ModuleNotFoundError as error:
    raise PartMissing("Valkey needs hiredis: pip install 'mainstay[redis]'") from error

__all__ = ["ProtocolError", "Reader", "ReplyError", "pack_command"]
