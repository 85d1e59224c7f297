//! `turnkey cache dir|size|clear`.

use std::fs;

use crate::Cache;
use crate::harness::run;

fn cache(cache: &Cache, word: &str) -> String {
    run(cache.turnkey().args(["cache", word])).quiet().to_owned()
}

#[test]
fn it_says_where_it_is_how_large_it_is_and_is_empty_again() {
    let held = Cache::new();
    assert_eq!(cache(&held, "dir"), format!("{}\n", held.path().display()));
    assert_eq!(cache(&held, "size"), "0 programs, 0.0 MB\n");
    held.says_hello();
    assert!(cache(&held, "size").starts_with("1 program, 0."));
    assert_eq!(held.run(&held.goodbye).quiet(), "goodbye");
    assert!(cache(&held, "size").starts_with("2 programs, 0."));
    assert!(cache(&held, "clear").starts_with("cleared 2 programs, 0."));
    assert!(held.entries().is_empty());
    assert_eq!(cache(&held, "clear"), "cleared 0 programs, 0.0 MB\n");
    held.says_hello();
}

#[test]
fn what_a_killed_run_left_behind_is_cleared_too() {
    let held = Cache::new();
    held.says_hello();
    fs::write(held.path().join("0123.456.0.tmp"), "half of something").unwrap();
    cache(&held, "clear");
    assert!(held.entries().is_empty());
}

#[test]
fn a_cache_that_cannot_be_used_is_named() {
    let held = Cache::new();
    fs::create_dir(held.home()).unwrap();
    fs::write(held.path(), "a file").unwrap();
    for word in ["dir", "size", "clear"] {
        let ran = run(held.turnkey().args(["cache", word]));
        let message = ran.refused(125);
        assert!(
            message.contains(&format!("`{}`", held.path().display())) && message.contains("not a directory"),
            "{message}"
        );
    }
}
