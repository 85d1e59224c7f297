//! `wasi:filesystem`: descriptors, directory entry streams, preopens.

use std::sync::Arc;

use turnkey_core::ErrorCode as Code;
use turnkey_core::clocks::Clocks;
use turnkey_core::filesystem::metadata::HostMetadata;
use turnkey_core::filesystem::{
    Descriptor, Directory, Entries, FileKind, Inodes, Metadata, Request, descriptor, names,
};
use turnkey_core::limits::Budget;
use turnkey_core::slab::Id;
use turnkey_core::stream::{Sink, Source};
use wasmtime::component::{Resource, WasmList, WasmStr};

use crate::call::{Call, Kept};
use crate::fault::Outcome;
use crate::interface::{Interface, State, answer};
use crate::io::error::IoError;
use crate::io::streams::{InputStream, OutputStream};
use crate::lower::ReadingAt;

pub(crate) mod types;

use types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};

/// `directory-entry-stream`: a listing, on a descriptor of its own.
#[derive(Debug)]
pub(crate) struct DirectoryEntryStream {
    directory: Directory,
    entries: Entries,
    cookie: u64,
    /// The descriptor that was listed.
    of: Id,
    /// The guest's own number for its device.
    device: u64,
    /// [`Capabilities::news`](turnkey_core::Capabilities::news) when the listing began.
    news: u64,
}

/// What a look at a name found of the file's identity. Whoever asks for a file's metadata, or lists it, mostly asks for its
/// hash next, as the adapter for Preview 1 and C libraries do: it is answered out of this, once, if the guest has heard and
/// done nothing since that could have made a difference.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The directory that it was looked for in; `None`: there is nothing to be said any more.
    of: Option<Id>,
    path: String,
    followed: bool,
    is_link: bool,
    hash: MetadataHashValue,
    news: u64,
}

impl Kept for Descriptor {
    fn dropped(self, _: Id, call: &mut Call<'_>) -> wasmtime::Result<()> {
        call.host.held.give_descriptor(self.into_file());
        Ok(())
    }
}

impl Kept for DirectoryEntryStream {
    fn dropped(self, _: Id, call: &mut Call<'_>) -> wasmtime::Result<()> {
        call.host.held.give_descriptor(None);
        Ok(())
    }
}

/// Takes a descriptor of the host in, which has been made sure to be one of those that the guest may have.
fn keep_descriptor<R: Kept>(call: &mut Call<'_>, resource: R) -> wasmtime::Result<Resource<R>> {
    let kept = call.keep(resource)?;
    call.host.held.take_descriptor();
    Ok(kept)
}

/// Calls an operation on paths of the directory behind a descriptor, with who asks.
fn at<R>(
    call: &mut Call<'_>,
    this: &Resource<Descriptor>,
    operation: impl FnOnce(&Directory, &mut Request<'_>) -> Result<R, Code>,
) -> Outcome<R> {
    let directory = Arc::clone(call.get_mut(this)?.as_directory()?);
    Ok(operation(&directory, &mut call.request())?)
}

/// The same, for an operation on two directories.
fn between<R>(
    call: &mut Call<'_>,
    (this, other): (&Resource<Descriptor>, &Resource<Descriptor>),
    operation: impl FnOnce(&Directory, &Directory, &mut Request<'_>) -> Result<R, Code>,
) -> Outcome<R> {
    let directory = Arc::clone(call.get_mut(this)?.as_directory()?);
    let other = Arc::clone(call.get_mut(other)?.as_directory()?);
    Ok(operation(&directory, &other, &mut call.request())?)
}

fn follow(flags: PathFlags) -> bool {
    flags == PathFlags::SYMLINK_FOLLOW
}

type This = Resource<Descriptor>;

/// `wasi:filesystem/preopens`.
pub(crate) fn define_preopens<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-directories", |call, ()| {
        let mut directories = Vec::with_capacity(call.host.found_open.preopens.len());
        for place in 0..call.host.found_open.preopens.len() {
            let Some(preopen) = call.host.found_open.preopens.get(place) else { break };
            let (descriptor, name) = (Descriptor::of_preopen(Arc::clone(&preopen.directory)), &preopen.name);
            let name = names::to_text(name);
            directories.push((keep_descriptor(call, descriptor)?, name));
        }
        Ok(directories)
    });
}

/// `wasi:filesystem/types`.
pub(crate) fn define_types<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<Descriptor>("descriptor");
    it.resource::<DirectoryEntryStream>("directory-entry-stream");
    define_streams(it);
    define_files(it);
    define_paths(it);
    define_identity(it);
    it.fails::<_, _, ErrorCode>(
        "[method]directory-entry-stream.read-directory-entry",
        |call, (this,): (Resource<DirectoryEntryStream>,)| read_directory_entry(call, &this),
    );
    it.func("filesystem-error-code", |call, (err,): (Resource<IoError>,)| {
        Ok(Some(ErrorCode::from(call.get(&err)?.code)))
    });
}

fn define_streams<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]descriptor.read-via-stream", |call, (this, offset): (This, u64)| {
        let file = Arc::clone(call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::READ)?);
        Ok(call.keep(InputStream::new(Source::File { file, offset }))?)
    });
    it.fails::<_, _, ErrorCode>("[method]descriptor.write-via-stream", |call, (this, offset): (This, u64)| {
        let file = Arc::clone(call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::WRITE)?);
        Ok(call.keep(OutputStream::new(Sink::File { file, offset }))?)
    });
    it.fails::<_, _, ErrorCode>("[method]descriptor.append-via-stream", |call, (this,): (This,)| {
        let file = Arc::clone(call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::WRITE)?);
        Ok(call.keep(OutputStream::new(Sink::Append(file)))?)
    });
}

fn define_files<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>(
        "[method]descriptor.advise",
        |call, (this, offset, length, advice): (This, u64, u64, Advice)| {
            let file = call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::empty())?;
            Ok(file.advise(offset, length, advice.into())?)
        },
    );
    it.fails::<_, _, ErrorCode>("[method]descriptor.sync-data", |call, (this,): (This,)| {
        Ok(call.get_mut(&this)?.sync(true)?)
    });
    it.fails::<_, _, ErrorCode>("[method]descriptor.get-flags", |call, (this,): (This,)| {
        Ok(DescriptorFlags::from(call.get_mut(&this)?.flags()?))
    });
    it.fails::<_, _, ErrorCode>("[method]descriptor.get-type", |call, (this,): (This,)| {
        let is_directory = call.get_mut(&this)?.is_directory()?;
        Ok(if is_directory { DescriptorType::Directory } else { DescriptorType::RegularFile })
    });
    it.fails::<_, _, ErrorCode>("[method]descriptor.set-size", |call, (this, size): (This, u64)| {
        Ok(call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::WRITE)?.set_size(size)?)
    });
    it.fails::<_, _, ErrorCode>(
        "[method]descriptor.set-times",
        |call, (this, accessed, modified): (This, NewTimestamp, NewTimestamp)| {
            let (accessed, modified) = (accessed.new_time()?, modified.new_time()?);
            match call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::empty()) {
                Ok(file) => return Ok(file.set_times(accessed, modified)?),
                Err(Code::IsDirectory) => {}
                Err(code) => return Err(code.into()),
            }
            at(call, &this, |directory, request| directory.set_times(request, accessed, modified))
        },
    );
    it.func("[method]descriptor.read", |call, (this, len, offset): (This, u64, u64)| {
        Ok(match call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::READ) {
            Ok(file) => ReadingAt::Of { file: Arc::clone(file), len, offset },
            Err(code) => ReadingAt::Failed(code),
        })
    });
    it.with_memory(
        "[method]descriptor.write",
        |mut store, state, (this, buffer, offset): (This, WasmList<u8>, u64)| {
            let (host, p2) = state(store.data_mut());
            let file = Call { name: "write", host, p2 }
                .get_mut(&this)?
                .as_file(descriptor::DescriptorFlags::WRITE)
                .map(Arc::clone);
            let buffers = turnkey_core::host::buffers::ReadOnly::new(buffer.as_le_slice(&store));
            let written = file.and_then(|file| file.write_at(&buffers, offset)).map(|written| written as u64);
            answer::<u64, ErrorCode>(written.map_err(Into::into))
        },
    );
    it.fails::<_, _, ErrorCode>("[method]descriptor.read-directory", |call, (this,): (This,)| {
        read_directory(call, &this)
    });
    it.fails::<_, _, ErrorCode>("[method]descriptor.sync", |call, (this,): (This,)| {
        Ok(call.get_mut(&this)?.sync(false)?)
    });
}

fn define_paths<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]descriptor.create-directory-at", |call, (this, path): (This, String)| {
        at(call, &this, |directory, request| directory.create_directory_at(request, &names::from_text(&path)))
    });
    it.fails::<_, _, ErrorCode>("[method]descriptor.stat", |call, (this,): (This,)| {
        let metadata = call.get_mut(&this)?.stat()?;
        told(call, &this, &metadata);
        Ok(DescriptorStat::from(shown(call, &metadata)?))
    });
    it.fails::<_, _, ErrorCode>(
        "[method]descriptor.stat-at",
        |call, (this, path_flags, path): (This, PathFlags, String)| {
            let followed = follow(path_flags);
            let metadata =
                at(call, &this, |directory, request| directory.stat_at(request, &names::from_text(&path), followed))?;
            let shown = shown(call, &metadata)?;
            let (of, news) = (call.id(&this), call.host.news);
            let is_link = shown.kind == FileKind::SymbolicLink;
            call.p2.seen = Seen { of: Some(of), path, followed, is_link, hash: hash(&shown), news };
            Ok(DescriptorStat::from(shown))
        },
    );
    it.fails::<_, _, ErrorCode>(
        "[method]descriptor.set-times-at",
        |call, (this, path_flags, path, accessed, modified): (This, PathFlags, String, NewTimestamp, NewTimestamp)| {
            let (accessed, modified) = (accessed.new_time()?, modified.new_time()?);
            at(call, &this, |directory, request| {
                let path = names::from_text(&path);
                directory.set_times_at(request, &path, follow(path_flags), accessed, modified)
            })
        },
    );
    it.fails::<_, _, ErrorCode>(
        "[method]descriptor.link-at",
        |call, (this, old_path_flags, old_path, new, new_path): (This, PathFlags, String, This, String)| {
            // As in Preview 1: a link that is to be followed could be swapped meanwhile.
            if follow(old_path_flags) {
                return Err(Code::Invalid.into());
            }
            between(call, (&this, &new), |directory, new, request| {
                directory.link_at(request, &names::from_text(&old_path), new, &names::from_text(&new_path))
            })
        },
    );
    it.fails::<_, _, ErrorCode>(
        "[method]descriptor.open-at",
        |call, (this, path_flags, path, open_flags, flags): (This, PathFlags, String, OpenFlags, DescriptorFlags)| {
            open_at(call, &this, path_flags, &path, open_flags, flags)
        },
    );
    it.fails::<_, _, ErrorCode>("[method]descriptor.readlink-at", |call, (this, path): (This, String)| {
        let contents = at(call, &this, |directory, request| directory.readlink_at(request, &names::from_text(&path)))?;
        // What leads out of everything that the guest has is nothing that it needs to know.
        if contents.starts_with(b"/") {
            return Err(Code::NotPermitted.into());
        }
        Ok(names::to_text(&contents))
    });
    it.fails::<_, _, ErrorCode>("[method]descriptor.remove-directory-at", |call, (this, path): (This, String)| {
        at(call, &this, |directory, request| directory.remove_directory_at(request, &names::from_text(&path)))
    });
    it.fails::<_, _, ErrorCode>(
        "[method]descriptor.rename-at",
        |call, (this, old_path, new, new_path): (This, String, This, String)| {
            between(call, (&this, &new), |directory, new, request| {
                directory.rename_at(request, &names::from_text(&old_path), new, &names::from_text(&new_path))
            })
        },
    );
    it.fails::<_, _, ErrorCode>(
        "[method]descriptor.symlink-at",
        |call, (this, old_path, new_path): (This, String, String)| {
            at(call, &this, |directory, request| {
                directory.symlink_at(request, &names::from_text(&old_path), &names::from_text(&new_path))
            })
        },
    );
    it.fails::<_, _, ErrorCode>("[method]descriptor.unlink-file-at", |call, (this, path): (This, String)| {
        at(call, &this, |directory, request| directory.unlink_file_at(request, &names::from_text(&path)))
    });
}

fn define_identity<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("[method]descriptor.is-same-object", |call, (this, other): (This, This)| {
        let one = call.get_mut(&this)?.stat();
        let other = call.get_mut(&other)?.stat();
        Ok(matches!((one, other), (Ok(one), Ok(other)) if one.is_same_file(&other)))
    });
    it.fails::<_, _, ErrorCode>("[method]descriptor.metadata-hash", |call, (this,): (This,)| {
        let metadata = call.get_mut(&this)?.stat()?;
        told(call, &this, &metadata);
        Ok(hash(&shown(call, &metadata)?))
    });
    it.with_memory(
        "[method]descriptor.metadata-hash-at",
        |mut store, state, (this, path_flags, path): (This, PathFlags, WasmStr)| {
            let followed = follow(path_flags);
            let (host, p2) = state(store.data_mut());
            let (of, news) = (Call { name: "metadata-hash-at", host, p2 }.id(&this), host.news);
            let mut seen = std::mem::take(&mut p2.seen);
            let is_seen = seen.of.take() == Some(of)
                && seen.news == news
                && (seen.followed == followed || !(seen.followed || seen.is_link))
                && path.to_str(&store)? == seen.path;
            let hash_seen = seen.hash;
            let path = if is_seen { String::new() } else { path.to_str(&store)?.into_owned() };
            let (host, p2) = state(store.data_mut());
            p2.seen = seen;
            if is_seen {
                return Ok(Ok(hash_seen));
            }
            host.news += 1;
            let mut call = Call { name: "metadata-hash-at", host, p2 };
            let metadata = at(&mut call, &this, |directory, request| {
                directory.stat_at(request, &names::from_text(&path), followed)
            });
            let outcome = metadata.and_then(|metadata| Ok(hash(&shown(&mut call, &metadata)?)));
            answer::<_, ErrorCode>(outcome)
        },
    );
}

/// What may be shown of a file needs three things of the guest's, borrowed apart.
fn of_guest<'a>(call: &'a mut Call<'_>) -> (&'a Clocks, &'a mut Inodes, &'a mut Budget) {
    (&call.host.clocks, &mut call.host.inodes, &mut call.host.budget)
}

fn shown(call: &mut Call<'_>, metadata: &HostMetadata) -> Outcome<Metadata> {
    let (clocks, inodes, budget) = of_guest(call);
    Ok(metadata.shown(clocks, inodes, budget)?)
}

/// Numbers of the guest's own that tell files apart.
const fn hash(shown: &Metadata) -> MetadataHashValue {
    MetadataHashValue { lower: shown.inode, upper: shown.device }
}

/// The guest is told of a descriptor's metadata. That is news, but for a directory that is being listed and has not changed
/// since: the adapter for Preview 1 asks between any two parts of a listing.
fn told(call: &mut Call<'_>, this: &This, metadata: &HostMetadata) {
    let same = |began: &HostMetadata| began.is_same_file(metadata) && began.is_unchanged(metadata);
    let listed = call.p2.listed.is_some_and(|(of, began)| of == call.id(this) && same(&began));
    call.host.news += u64::from(!listed);
}

fn open_at(
    call: &mut Call<'_>,
    this: &This,
    path_flags: PathFlags,
    path: &str,
    open_flags: OpenFlags,
    flags: DescriptorFlags,
) -> Outcome<Resource<Descriptor>> {
    call.host.must_have_descriptor()?;
    let opened = at(call, this, |directory, request| {
        let path = names::from_text(path);
        descriptor::open_at(directory, request, &path, follow(path_flags), open_flags.into(), flags.into())
    })?;
    Ok(keep_descriptor(call, opened)?)
}

fn read_directory(call: &mut Call<'_>, this: &This) -> Outcome<Resource<DirectoryEntryStream>> {
    call.host.must_have_descriptor()?;
    // A listing has a position in the kernel, and a descriptor may be listed twice at once.
    let directory = call.get_mut(this)?.as_directory()?.reopen()?;
    let began = directory.stat()?;
    let device = shown(call, &began)?.device;
    let entries = Entries::new(&directory, call.host.sorted_listings, &mut call.host.budget)?;
    let (of, news) = (call.id(this), call.host.news);
    call.p2.listed = Some((of, began));
    Ok(keep_descriptor(call, DirectoryEntryStream { directory, entries, cookie: 0, of, device, news })?)
}

fn read_directory_entry(call: &mut Call<'_>, this: &Resource<DirectoryEntryStream>) -> Outcome<Option<DirectoryEntry>> {
    let gone = || wasmtime::format_err!("the directory entry stream is not there");
    let stream = call.p2.table.directory_entry_streams.get_mut(this.rep()).ok_or_else(gone)?;
    let (inodes, budget) = (&mut call.host.inodes, &mut call.host.budget);
    let (entry, inode) = loop {
        let Some(entry) = stream.entries.next(&stream.directory, stream.cookie, inodes, budget)? else {
            return Ok(None);
        };
        stream.cookie = entry.next_cookie;
        if entry.name != b"." && entry.name != b".." {
            let name = names::to_text(entry.name);
            break (DirectoryEntry { descriptor_type: entry.kind.into(), name }, entry.inode);
        }
    };
    // Another file system may be mounted where a directory is: the listing has the number of what is below.
    if entry.descriptor_type != DescriptorType::Directory && stream.news == call.host.news {
        let seen = &mut call.p2.seen;
        seen.path.clear();
        seen.path.push_str(&entry.name);
        (seen.of, seen.news, seen.followed) = (Some(stream.of), stream.news, false);
        seen.is_link = entry.descriptor_type == DescriptorType::SymbolicLink;
        seen.hash = MetadataHashValue { lower: inode, upper: stream.device };
    }
    Ok(Some(entry))
}
