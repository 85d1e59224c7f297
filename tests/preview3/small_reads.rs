//! A file that is read in small pieces: the host reads it ahead, and no program sees that it does.

use crate::harness::{Folder, granted, run};
use crate::running;

#[test]
fn what_was_read_ahead_is_never_older_than_what_the_guest_has_done() {
    let folder = Folder::new();
    let flags = ["--dir".into(), granted(folder.root(), "/dir")];
    assert_eq!(run(&mut running(&flags, "p3_small_reads", &[])).quiet(), "0 wrong\n");
}
