//! `errno` of the standard, by its own names.

pub(crate) const AGAIN: u32 = 6;
pub(crate) const BADF: u32 = 8;
pub(crate) const BUSY: u32 = 10;
pub(crate) const EXIST: u32 = 20;
pub(crate) const FBIG: u32 = 22;
pub(crate) const INVAL: u32 = 28;
pub(crate) const ISDIR: u32 = 31;
pub(crate) const LOOP: u32 = 32;
pub(crate) const NAMETOOLONG: u32 = 37;
pub(crate) const NFILE: u32 = 41;
pub(crate) const NOENT: u32 = 44;
pub(crate) const NOMEM: u32 = 48;
pub(crate) const NOTCONN: u32 = 53;
pub(crate) const NOTDIR: u32 = 54;
pub(crate) const NOTEMPTY: u32 = 55;
pub(crate) const NOTSOCK: u32 = 57;
pub(crate) const NOTSUP: u32 = 58;
pub(crate) const NXIO: u32 = 60;
pub(crate) const PERM: u32 = 63;
pub(crate) const PIPE: u32 = 64;
pub(crate) const ROFS: u32 = 69;
pub(crate) const SPIPE: u32 = 70;
pub(crate) const NOTCAPABLE: u32 = 76;
