//! `wasi:filesystem`: descriptors, the streams made of them, preopens.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use turnkey_core::count::Counted;
use turnkey_core::filesystem::metadata::HostMetadata;
use turnkey_core::filesystem::{Descriptor, Directory, Entries, Metadata, Request, descriptor, names};
use turnkey_core::limits::Lease;
use turnkey_core::stream::{Sink, Source};
use turnkey_core::{Capabilities, ErrorCode as Code};
use wasmtime::component::{Destination, Resource, StreamProducer, StreamReader, StreamResult, VecBuffer};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::call::{Call, Kept};
use crate::fault::Outcome;
use crate::interface::{Interface, State};
use crate::stream::{self, Ended, Readable};

pub(crate) mod types;

use types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};

/// Entries that a listing gives at once, however many the guest has room for. Bounds what the host holds for it.
const MOST_ENTRIES: usize = 64;

/// Bytes that they are charged with: a name has 255 bytes at most, and three times as many where each is escaped.
const ENTRIES_BYTES: u64 = (MOST_ENTRIES * 1024) as u64;

impl Kept for Descriptor {
    fn dropped(self, host: &mut Capabilities) {
        host.held.give_descriptor(self.into_file());
    }
}

/// Takes a descriptor in, which has been made sure to be one of those that the guest may have.
fn keep_descriptor(call: &mut Call<'_>, descriptor: Descriptor) -> wasmtime::Result<Resource<Descriptor>> {
    let kept = call.keep(descriptor)?;
    call.host.held.take_descriptor();
    Ok(kept)
}

/// Calls an operation on paths of the directory behind a descriptor, with who asks.
fn at<R>(
    call: &mut Call<'_>,
    this: &This,
    operation: impl FnOnce(&Directory, &mut Request<'_>) -> Result<R, Code>,
) -> Outcome<R> {
    let directory = Arc::clone(call.get_mut(this)?.as_directory()?);
    Ok(operation(&directory, &mut call.request())?)
}

/// The same, for an operation on two directories.
fn between<R>(
    call: &mut Call<'_>,
    (this, other): (&This, &This),
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
pub(crate) fn define_preopens<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("get-directories", |call, ()| {
        let mut directories = Vec::with_capacity(call.host.found_open.preopens.len());
        for place in 0..call.host.found_open.preopens.len() {
            let Some(preopen) = call.host.found_open.preopens.get(place) else { break };
            let name = names::to_text(&preopen.name);
            let descriptor = Descriptor::of_preopen(Arc::clone(&preopen.directory));
            directories.push((keep_descriptor(call, descriptor)?, name));
        }
        Ok(directories)
    });
}

/// `wasi:filesystem/types`.
pub(crate) fn define_types<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<Descriptor>("descriptor");
    define_streams(it);
    define_files(it);
    define_paths(it);
    define_identity(it);
}

fn define_streams<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.streams("[method]descriptor.read-via-stream", |mut store, state, (this, offset): (This, u64)| {
        let source = {
            let (host, p3) = state(store.data_mut());
            let mut call = Call { name: "read-via-stream", host, p3 };
            let file = call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::READ);
            file.map(|file| Source::File { file: Arc::clone(file), offset })
        };
        stream::read::<T, S, ErrorCode>(store, state, source)
    });
    it.streams(
        "[method]descriptor.write-via-stream",
        |mut store, state, (this, data, offset): (This, StreamReader<u8>, u64)| {
            let sink = {
                let (host, p3) = state(store.data_mut());
                let mut call = Call { name: "write-via-stream", host, p3 };
                let file = call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::WRITE);
                file.map(|file| Sink::File { file: Arc::clone(file), offset })
            };
            stream::write::<T, S, ErrorCode>(store, state, data, sink)
        },
    );
    it.streams("[method]descriptor.append-via-stream", |mut store, state, (this, data): (This, StreamReader<u8>)| {
        let sink = {
            let (host, p3) = state(store.data_mut());
            let mut call = Call { name: "append-via-stream", host, p3 };
            let file = call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::WRITE);
            file.map(|file| Sink::Append(Arc::clone(file)))
        };
        stream::write::<T, S, ErrorCode>(store, state, data, sink)
    });
}

fn define_files<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.at_once_or_fails::<_, _, ErrorCode>(
        "[method]descriptor.advise",
        |call, (this, offset, length, advice): (This, u64, u64, Advice)| {
            // Of a directory nothing is read or written, and so nothing is to be said of it.
            let file =
                call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::empty()).map_err(|code| match code {
                    Code::IsDirectory => Code::BadDescriptor,
                    code => code,
                })?;
            Ok(file.advise(offset, length, advice.into())?)
        },
    );
    it.at_once_or_fails::<_, _, ErrorCode>("[method]descriptor.sync-data", |call, (this,): (This,)| {
        Ok(call.get_mut(&this)?.sync(true)?)
    });
    it.at_once_or_fails::<_, _, ErrorCode>("[method]descriptor.get-flags", |call, (this,): (This,)| {
        Ok(DescriptorFlags::from(call.get_mut(&this)?.flags()?))
    });
    it.at_once_or_fails::<_, _, ErrorCode>("[method]descriptor.get-type", |call, (this,): (This,)| {
        let is_directory = call.get_mut(&this)?.is_directory()?;
        Ok(if is_directory { DescriptorType::Directory } else { DescriptorType::RegularFile })
    });
    it.at_once_or_fails::<_, _, ErrorCode>("[method]descriptor.set-size", |call, (this, size): (This, u64)| {
        Ok(call.get_mut(&this)?.as_file(descriptor::DescriptorFlags::WRITE)?.set_size(size)?)
    });
    it.at_once_or_fails::<_, _, ErrorCode>(
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
    it.streams("[method]descriptor.read-directory", |store, state, (this,): (This,)| {
        read_directory(store, state, &this)
    });
    it.at_once_or_fails::<_, _, ErrorCode>("[method]descriptor.sync", |call, (this,): (This,)| {
        Ok(call.get_mut(&this)?.sync(false)?)
    });
}

fn define_paths<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.at_once_or_fails::<_, _, ErrorCode>(
        "[method]descriptor.create-directory-at",
        |call, (this, path): (This, String)| {
            at(call, &this, |directory, request| directory.create_directory_at(request, &names::from_text(&path)))
        },
    );
    it.at_once_or_fails::<_, _, ErrorCode>("[method]descriptor.stat", |call, (this,): (This,)| {
        let metadata = call.get_mut(&this)?.stat()?;
        Ok(DescriptorStat::from(shown(call, &metadata)?))
    });
    it.at_once_or_fails::<_, _, ErrorCode>(
        "[method]descriptor.stat-at",
        |call, (this, path_flags, path): (This, PathFlags, String)| {
            let metadata = stat_at(call, &this, path_flags, &path)?;
            Ok(DescriptorStat::from(shown(call, &metadata)?))
        },
    );
    it.at_once_or_fails::<_, _, ErrorCode>(
        "[method]descriptor.set-times-at",
        |call, (this, path_flags, path, accessed, modified): (This, PathFlags, String, NewTimestamp, NewTimestamp)| {
            let (accessed, modified) = (accessed.new_time()?, modified.new_time()?);
            at(call, &this, |directory, request| {
                let path = names::from_text(&path);
                directory.set_times_at(request, &path, follow(path_flags), accessed, modified)
            })
        },
    );
    it.at_once_or_fails::<_, _, ErrorCode>(
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
    it.at_once_or_fails::<_, _, ErrorCode>(
        "[method]descriptor.open-at",
        |call, (this, path_flags, path, open_flags, flags): (This, PathFlags, String, OpenFlags, DescriptorFlags)| {
            call.host.must_have_descriptor()?;
            let opened = at(call, &this, |directory, request| {
                let path = names::from_text(&path);
                let (open_flags, flags) = (open_flags.into(), implied(open_flags, flags));
                descriptor::open_at(directory, request, &path, follow(path_flags), open_flags, flags)
            })?;
            Ok(keep_descriptor(call, opened)?)
        },
    );
    it.at_once_or_fails::<_, _, ErrorCode>("[method]descriptor.readlink-at", |call, (this, path): (This, String)| {
        let read =
            |directory: &Directory, request: &mut Request<'_>| directory.readlink_at(request, &names::from_text(&path));
        let contents = at(call, &this, read)?;
        // What leads out of everything that the guest has is nothing that it needs to know.
        if contents.starts_with(b"/") {
            return Err(Code::NotPermitted.into());
        }
        Ok(names::to_text(&contents))
    });
    it.at_once_or_fails::<_, _, ErrorCode>(
        "[method]descriptor.remove-directory-at",
        |call, (this, path): (This, String)| {
            at(call, &this, |directory, request| directory.remove_directory_at(request, &names::from_text(&path)))
        },
    );
    it.at_once_or_fails::<_, _, ErrorCode>(
        "[method]descriptor.rename-at",
        |call, (this, old_path, new, new_path): (This, String, This, String)| {
            between(call, (&this, &new), |directory, new, request| {
                directory.rename_at(request, &names::from_text(&old_path), new, &names::from_text(&new_path))
            })
        },
    );
    it.at_once_or_fails::<_, _, ErrorCode>(
        "[method]descriptor.symlink-at",
        |call, (this, old_path, new_path): (This, String, String)| {
            at(call, &this, |directory, request| {
                directory.symlink_at(request, &names::from_text(&old_path), &names::from_text(&new_path))
            })
        },
    );
    it.at_once_or_fails::<_, _, ErrorCode>(
        "[method]descriptor.unlink-file-at",
        |call, (this, path): (This, String)| {
            at(call, &this, |directory, request| directory.unlink_file_at(request, &names::from_text(&path)))
        },
    );
}

/// What a descriptor is opened for: to read, where nothing is said, and to write the file that it creates.
fn implied(open_flags: OpenFlags, flags: DescriptorFlags) -> descriptor::DescriptorFlags {
    let (open_flags, mut flags) = (descriptor::OpenFlags::from(open_flags), descriptor::DescriptorFlags::from(flags));
    if !flags.intersects(descriptor::DescriptorFlags::READ | descriptor::DescriptorFlags::WRITE) {
        flags |= descriptor::DescriptorFlags::READ;
    }
    let of_file = !open_flags.contains(descriptor::OpenFlags::DIRECTORY);
    if of_file && open_flags.contains(descriptor::OpenFlags::CREATE) {
        flags |= descriptor::DescriptorFlags::WRITE;
    }
    flags
}

fn define_identity<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.at_once("[method]descriptor.is-same-object", |call, (this, other): (This, This)| {
        let one = call.get_mut(&this)?.stat();
        let other = call.get_mut(&other)?.stat();
        Ok(matches!((one, other), (Ok(one), Ok(other)) if one.is_same_file(&other)))
    });
    it.at_once_or_fails::<_, _, ErrorCode>("[method]descriptor.metadata-hash", |call, (this,): (This,)| {
        let metadata = call.get_mut(&this)?.stat()?;
        Ok(hash(&shown(call, &metadata)?))
    });
    it.at_once_or_fails::<_, _, ErrorCode>(
        "[method]descriptor.metadata-hash-at",
        |call, (this, path_flags, path): (This, PathFlags, String)| {
            let metadata = stat_at(call, &this, path_flags, &path)?;
            Ok(hash(&shown(call, &metadata)?))
        },
    );
}

fn stat_at(call: &mut Call<'_>, this: &This, path_flags: PathFlags, path: &str) -> Outcome<HostMetadata> {
    at(call, this, |directory, request| directory.stat_at(request, &names::from_text(path), follow(path_flags)))
}

/// What the guest may see of what the host says.
fn shown(call: &mut Call<'_>, metadata: &HostMetadata) -> Outcome<Metadata> {
    Ok(metadata.shown(&call.host.clocks, &mut call.host.inodes, &mut call.host.budget)?)
}

/// Numbers of the guest's own that tell files apart.
const fn hash(shown: &Metadata) -> MetadataHashValue {
    MetadataHashValue { lower: shown.inode, upper: shown.device }
}

fn read_directory<T: Send + 'static, S: State<T>>(
    mut store: StoreContextMut<'_, T>,
    state: S,
    this: &This,
) -> wasmtime::Result<Readable<DirectoryEntry, ErrorCode>> {
    let begun = {
        let (host, p3) = state(store.data_mut());
        let mut call = Call { name: "read-directory", host, p3 };
        match list(&mut call, this) {
            Ok(begun) => begun,
            Err(crate::fault::Fault::Code(code)) => return stream::nothing(&mut store, code),
            Err(crate::fault::Fault::Trap(error)) => return Err(error),
        }
    };
    let (directory, entries, counted, lease) = begun;
    let (ended, future) = stream::ending(&mut store)?;
    let listing = Listing {
        directory,
        entries,
        cookie: 0,
        failed: None,
        state,
        ended: Some(ended),
        _counted: counted,
        _lease: lease,
    };
    Ok((StreamReader::new(&mut store, listing)?, future))
}

fn list(call: &mut Call<'_>, this: &This) -> Outcome<(Directory, Entries, Option<Counted>, Lease)> {
    call.host.must_have_descriptor()?;
    // A listing has a position in the kernel, and a descriptor may be listed twice at once.
    let directory = call.get_mut(this)?.as_directory()?.reopen()?;
    let entries = Entries::new(&directory, call.host.sorted_listings, &mut call.host.budget)?;
    let counted = call.host.held.take_listing();
    Ok((directory, entries, counted, call.lease(stream::STREAM_BYTES + ENTRIES_BYTES)?))
}

/// A stream of the entries of a directory, on a descriptor of its own.
struct Listing<S> {
    directory: Directory,
    entries: Entries,
    cookie: u64,
    /// What went wrong behind entries that the guest gets first.
    failed: Option<Code>,
    state: S,
    ended: Option<Ended>,
    _counted: Option<Counted>,
    _lease: Lease,
}

impl<T: 'static, S: State<T>> StreamProducer<T> for Listing<S> {
    type Item = DirectoryEntry;
    type Buffer = VecBuffer<DirectoryEntry>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'a, T>,
        mut destination: Destination<'a, DirectoryEntry, VecBuffer<DirectoryEntry>>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = self.get_mut();
        let room = destination.remaining(store.as_context_mut()).unwrap_or(MOST_ENTRIES).min(MOST_ENTRIES);
        if room == 0 {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let mut found = Vec::with_capacity(room);
        let host = (this.state)(store.data_mut()).0;
        host.news += 1;
        let ended = this.failed.is_some() || this.take(&mut found, room, host);
        if found.is_empty()
            && let Some(code) = this.failed.take()
        {
            stream::tell(&mut this.ended, code);
        }
        let result = if ended && this.failed.is_none() { StreamResult::Dropped } else { StreamResult::Completed };
        destination.set_buffer(found.into());
        Poll::Ready(Ok(result))
    }
}

impl<S> Listing<S> {
    /// Takes as many entries as there is room for; whether that was all of them.
    fn take(&mut self, found: &mut Vec<DirectoryEntry>, room: usize, host: &mut Capabilities) -> bool {
        while found.len() < room {
            match self.entries.next(&self.directory, self.cookie, &mut host.inodes, &mut host.budget) {
                Ok(None) => return true,
                Err(code) => {
                    self.failed = Some(code);
                    return true;
                }
                Ok(Some(entry)) => {
                    self.cookie = entry.next_cookie;
                    if entry.name != b"." && entry.name != b".." {
                        let name = names::to_text(entry.name);
                        found.push(DirectoryEntry { descriptor_type: entry.kind.into(), name });
                    }
                }
            }
        }
        false
    }
}
