//! What one guest holds while it runs: everything that the previews share, once.

use std::sync::Arc;

use crate::ErrorCode;
use crate::audit::Audit;
use crate::clocks::{ClockGrant, Clocks};
use crate::count::{Count, Counted};
use crate::environment::Environment;
use crate::filesystem::{File, Inodes, Preopen, preopen};
use crate::grants::{GrantError, GrantNames, Grants};
use crate::host::clock::Deadline;
use crate::limits::{Budget, Limit, Limits};
use crate::random::{Random, RandomGrant};
use crate::sockets::{Network, TcpListener};
use crate::stream::{StandardInput, StandardOutput};

/// The capabilities of one guest.
#[derive(Debug)]
pub struct Capabilities {
    /// Arguments and variables.
    pub environment: Environment,
    /// Clocks.
    pub clocks: Clocks,
    /// Random numbers.
    pub random: Random,
    /// Sockets and look-ups.
    pub network: Network,
    /// Numbers for devices and inodes.
    pub inodes: Inodes,
    /// Refusals.
    pub audit: Audit,
    /// How the grants are written.
    pub grant_names: GrantNames,
    /// The bounds.
    pub limits: Limits,
    /// What is used of the memory.
    pub budget: Budget,
    /// When the guest's time is up.
    pub end: Option<Deadline>,
    /// Listings are sorted.
    pub sorted_listings: bool,
    /// What the guest finds open. Preview 1 takes it into its own table at the start.
    pub found_open: FoundOpen,
    /// What a component holds now, through whichever preview.
    pub held: Held,
    /// Calls of the guest's by which it may have learned something of the world outside, or changed something in it. As long as
    /// there are no more of them, what was true of a file is as true as it can get.
    pub news: u64,
}

/// What a component holds now, counted against its limits: one that imports interfaces of two previews has one of each bound.
#[derive(Debug, Default)]
pub struct Held {
    /// Resources: `--max-handles`.
    pub handles: u32,
    /// Descriptors of files and directories, and listings: `--max-descriptors`.
    descriptors: usize,
    /// Files whose descriptor has been dropped while a stream still stands on them.
    streamed: Vec<Arc<File>>,
    /// Listings that end where nobody can count them.
    listings: Count,
}

impl Held {
    /// Descriptors of the host that are open for the guest: files and directories, whether their descriptor or only a stream
    /// of it is still there.
    fn open_descriptors(&mut self) -> usize {
        if !self.streamed.is_empty() {
            self.streamed.retain(|file| Arc::strong_count(file) > 1);
        }
        self.descriptors + self.streamed.len() + self.listings.now() as usize
    }

    /// One more descriptor.
    pub const fn take_descriptor(&mut self) {
        self.descriptors += 1;
    }

    /// One more, for as long as this is kept. `None`: there are more of them than can be counted.
    #[must_use]
    pub fn take_listing(&self) -> Option<Counted> {
        self.listings.take(u32::MAX)
    }

    /// One less; of a file that a stream may still stand on, the descriptor goes with the stream.
    pub fn give_descriptor(&mut self, file: Option<Arc<File>>) {
        self.descriptors = self.descriptors.saturating_sub(1);
        self.streamed.extend(file.filter(|file| Arc::strong_count(file) > 1));
    }
}

/// What a guest finds open when it starts.
#[derive(Debug)]
pub struct FoundOpen {
    /// Standard input; `None` if it is closed.
    pub stdin: Option<StandardInput>,
    /// Standard output.
    pub stdout: Option<StandardOutput>,
    /// Standard error.
    pub stderr: Option<StandardOutput>,
    /// Directories.
    pub preopens: Vec<Preopen>,
    /// Listening sockets.
    pub listeners: Vec<TcpListener>,
}

impl Default for FoundOpen {
    fn default() -> Self {
        FoundOpen {
            stdin: Some(StandardInput::Null),
            stdout: Some(StandardOutput::Null),
            stderr: Some(StandardOutput::Null),
            preopens: Vec::new(),
            listeners: Vec::new(),
        }
    }
}

impl Capabilities {
    /// Opens what is granted. The guest's time begins now.
    ///
    /// # Errors
    /// The first grant that cannot be given.
    pub fn new(grants: Grants, limits: Limits) -> Result<Self, GrantError> {
        Opened::new(grants).map(|opened| opened.give(limits))
    }

    /// Checks that a component may have one more descriptor of the host open.
    ///
    /// # Errors
    /// [`ErrorCode::TooManyDescriptors`]: `--max-descriptors`.
    pub fn must_have_descriptor(&mut self) -> Result<(), ErrorCode> {
        if self.held.open_descriptors() < self.limits.descriptors as usize {
            return Ok(());
        }
        self.budget.note(Limit::Descriptors);
        Err(ErrorCode::TooManyDescriptors)
    }

    /// Checks that a component may have open what it finds open.
    ///
    /// # Errors
    /// [`ErrorCode::TooManyDescriptors`]: more is handed over than the guest may have open.
    pub fn must_have_preopens(&self) -> Result<(), ErrorCode> {
        if self.found_open.preopens.len() <= self.limits.descriptors as usize {
            return Ok(());
        }
        Err(ErrorCode::TooManyDescriptors)
    }
}

/// Grants that have been opened once, and are given to as many instances of one program as there are: each has the same
/// directories, and everything else for itself.
#[derive(Debug)]
pub struct Opened {
    environment: Environment,
    clock: ClockGrant,
    random: RandomGrant,
    network: Network,
    deterministic_files: bool,
    grant_names: GrantNames,
    found_open: FoundOpen,
}

impl Opened {
    /// Opens what is granted.
    ///
    /// # Errors
    /// The first grant that cannot be given.
    pub fn new(grants: Grants) -> Result<Self, GrantError> {
        let stream = |name, code| GrantError::Stream { name, code };
        let found_open = FoundOpen {
            stdin: StandardInput::open(grants.stdin, 0).map_err(|code| stream("stdin", code))?,
            stdout: StandardOutput::open(grants.stdout, 1).map_err(|code| stream("stdout", code))?,
            stderr: StandardOutput::open(grants.stderr, 2).map_err(|code| stream("stderr", code))?,
            preopens: preopen::open_all(&grants.directories, grants.record_paths)?,
            listeners: grants.tcp_listeners,
        };
        Ok(Opened {
            environment: Environment { arguments: grants.arguments.into(), variables: grants.variables.into() },
            clock: grants.clock,
            random: grants.random,
            network: Network::new(grants.network, grants.hosts),
            deterministic_files: grants.deterministic_files,
            grant_names: GrantNames::new(&grants.directories),
            found_open,
        })
    }

    /// Gives it to the only instance there is. The guest's time begins now.
    #[must_use]
    pub fn give(self, limits: Limits) -> Capabilities {
        let Opened { environment, clock, random, network, deterministic_files, grant_names, found_open } = self;
        let timeout_ns = |timeout: std::time::Duration| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        Capabilities {
            environment,
            clocks: Clocks::new(&clock),
            random: Random::new(random),
            network,
            inodes: Inodes::new(deterministic_files),
            audit: Audit::new(limits.refusals),
            grant_names,
            budget: Budget::new(&limits),
            end: limits.timeout.map(|timeout| Deadline::after_ns(timeout_ns(timeout))),
            sorted_listings: deterministic_files,
            limits,
            found_open,
            held: Held::default(),
            news: 0,
        }
    }

    /// Gives it to one of many, which finds these streams open: no listening sockets, and nothing to read.
    #[must_use]
    pub fn give_again(&self, limits: Limits, stdout: StandardOutput, stderr: StandardOutput) -> Capabilities {
        let found_open = FoundOpen {
            stdin: Some(StandardInput::Null),
            stdout: Some(stdout),
            stderr: Some(stderr),
            preopens: self.found_open.preopens.clone(),
            listeners: Vec::new(),
        };
        let again = Opened {
            environment: self.environment.clone(),
            clock: self.clock,
            random: self.random,
            network: self.network.again(),
            deterministic_files: self.deterministic_files,
            grant_names: self.grant_names.clone(),
            found_open,
        };
        again.give(limits)
    }
}
