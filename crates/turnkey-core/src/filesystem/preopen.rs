//! Directories handed over at the start, each with the name that the guest knows it by.

use std::sync::Arc;

use super::directory::Directory;
use crate::ErrorCode;
use crate::grants::{DirectoryGrant, GrantError};
use crate::host::files;

/// A directory that the guest finds open.
#[derive(Clone, Debug)]
pub struct Preopen {
    /// The directory.
    pub directory: Arc<Directory>,
    /// What the guest calls it.
    pub name: Vec<u8>,
}

/// Opens what the grants name, in their order; `recording` adds the virtual `/` as the last, unless one of them is `/`.
///
/// # Errors
/// The first one that cannot be opened, with why.
pub(crate) fn open_all(grants: &[DirectoryGrant], recording: bool) -> Result<Vec<Preopen>, GrantError> {
    let mut preopens = Vec::with_capacity(grants.len() + usize::from(recording));
    for (number, grant) in grants.iter().enumerate() {
        let fd = files::open_granted_directory(&grant.host)
            .map_err(|code| GrantError::Directory { host: grant.host.clone(), code })?;
        let number = u32::try_from(number).map_err(|_| GrantError::Descriptors(ErrorCode::TooManyDescriptors))?;
        preopens.push(Preopen {
            directory: Arc::new(Directory::host(fd, grant.access, number)),
            name: grant.guest.clone(),
        });
    }
    // A guest that has a `/` finds everything in it; a second one would hide the first from wasi-libc.
    if recording && grants.iter().all(|grant| grant.guest != b"/") {
        preopens.push(Preopen { directory: Arc::new(Directory::Recording), name: b"/".to_vec() });
    }
    Ok(preopens)
}
